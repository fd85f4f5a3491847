//! One client's connection, from its first byte to its last.
//!
//! ```text
//!   Arrival -> (port's protocol, first bytes) -> HTTP/1 | HTTP/2 -> http::exchange, request by request
//!                                             -> TLS | TCP -> connection::carry, byte by byte
//! ```

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use ::http::HeaderValue;
use bytes::BytesMut;
use tokio::time::{Instant, sleep};
use tracing::debug;
use weir_proto::l7::Protocol;

use super::arrival::{Arrival, Settings};
use super::connection::{self, Carried};
use super::http;
use super::report::{Ledger, SeriesCache};
use super::wire::{Guess, Patience, Peeked, Prefixed, Stream, Verdict, Watch, guess, peek};
use super::worker::{Open, Worker};

/// A client's connection: what its requests have in common.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) arrival: Arrival,
    pub(crate) ledger: Rc<Ledger>,
    /// As `x-forwarded-for` says it.
    pub(crate) address: HeaderValue,
    /// Of HTTP/1, once it is known to be that.
    pub(crate) watch: OnceCell<Watch>,
    busy: Cell<usize>,
    since: Cell<Instant>,
    _open: Open,
}

impl Worker {
    /// Serves a connection until it ends. The future is large and not `Send`: spawn it locally.
    pub async fn serve(self: &Rc<Self>, arrival: Arrival, stream: Stream) {
        let settings = arrival.service.settings();
        let Some(port) = settings.frontend.port(arrival.port) else {
            debug!(service = %arrival.service.resource, port = arrival.port, "a connection to a port that is not known");
            return connection::refuse(stream);
        };
        let protocol = port.protocol;
        drop(settings);
        let client = Client::new(self, arrival);
        match protocol {
            Protocol::Tcp => connection::carry(client, stream, BytesMut::new(), Carried::Tcp).await,
            Protocol::Tls => connection::carry_tls(client, stream, BytesMut::new()).await,
            Protocol::Http => by_first_bytes(client, stream, Guess::Http1).await,
            Protocol::Http2 | Protocol::Grpc => by_first_bytes(client, stream, Guess::Http2).await,
            Protocol::Detect => detect(client, stream).await,
        }
    }
}

/// HTTP, as the port's name says: the client speaks first, when it likes. What is neither version is answered as the
/// port's would be.
async fn by_first_bytes(client: Rc<Client>, mut stream: Stream, named: Guess) {
    let config = &client.worker.config;
    let patience = Patience { first: config.idle_time, rest: config.head_time };
    let mut draining = client.worker.draining();
    let peeked = tokio::select! {
        biased;
        peeked = peek(&mut stream, BytesMut::new(), patience, decided) => peeked,
        // What is on its way is answered.
        () = async { drop(draining.wait_for(|draining| *draining).await); sleep(http::FAREWELL).await } => return,
    };
    let Ok(Peeked { bytes, verdict }) = peeked else { return };
    let stream = Prefixed::put_back(bytes, stream);
    match verdict {
        Verdict::Late | Verdict::End => {}
        Verdict::Known(Guess::Http2) => http::serve_http2(client, stream).await,
        Verdict::Known(Guess::Http1) => http::serve_http1(client, stream).await,
        Verdict::Known(_) | Verdict::Full if named == Guess::Http2 => http::serve_http2(client, stream).await,
        Verdict::Known(_) | Verdict::Full => http::serve_http1(client, stream).await,
    }
}

/// Anything. A server that speaks first is waited for no longer than the time limit; a client that speaks later than that
/// is still understood, as long as its server has said nothing.
async fn detect(client: Rc<Client>, mut stream: Stream) {
    let limit = client.worker.config.detection_time;
    let patience = Patience { first: limit, rest: limit };
    let Ok(peeked) = peek(&mut stream, BytesMut::new(), patience, decided).await else { return };
    let Peeked { bytes, verdict } = peeked;
    match verdict {
        Verdict::Known(guess) => known(client, stream, bytes, guess).await,
        Verdict::Late if bytes.is_empty() => {
            connection::carry(client, stream, bytes, Carried::Undecided).await
        }
        Verdict::Late | Verdict::End | Verdict::Full => {
            connection::carry(client, stream, bytes, Carried::Tcp).await;
        }
    }
}

/// Serves what has been found out.
pub(crate) async fn known(client: Rc<Client>, stream: Stream, bytes: BytesMut, guess: Guess) {
    match guess {
        Guess::Http1 => http::serve_http1(client, Prefixed::put_back(bytes, stream)).await,
        Guess::Http2 => http::serve_http2(client, Prefixed::put_back(bytes, stream)).await,
        Guess::Tls => connection::carry_tls(client, stream, bytes).await,
        Guess::Other | Guess::More => connection::carry(client, stream, bytes, Carried::Tcp).await,
    }
}

pub(crate) fn decided(bytes: &[u8]) -> Option<Guess> {
    Some(guess(bytes)).filter(|guess| *guess != Guess::More)
}

impl Client {
    fn new(worker: &Rc<Worker>, arrival: Arrival) -> Rc<Self> {
        let ledger = Self::ledger_of(worker, &arrival, None);
        Rc::new(Self {
            _open: worker.enter(),
            worker: worker.clone(),
            address: http::address(arrival.client.ip()),
            arrival,
            ledger,
            watch: OnceCell::new(),
            busy: Cell::new(0),
            since: Cell::new(Instant::now()),
        })
    }

    pub(crate) fn ledger_of(worker: &Worker, arrival: &Arrival, server_name: Option<String>) -> Rc<Ledger> {
        Rc::new(Ledger {
            metrics: worker.metrics.clone(),
            log: worker.log.clone(),
            series: SeriesCache::default(),
            source: arrival.source.party.clone(),
            service: arrival.service.name.clone(),
            mutual_tls: arrival.source.identity.is_some(),
            client: arrival.client,
            destination: arrival.destination,
            server_name,
        })
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.arrival.service.settings()
    }

    /// A request has begun.
    pub(crate) fn begin(self: &Rc<Self>) -> Busy {
        self.busy.set(self.busy.get() + 1);
        Busy(self.clone())
    }

    /// Since when there has been no request; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.busy.get() == 0).then(|| self.since.get())
    }
}

/// A request, until its response is over.
pub(crate) struct Busy(Rc<Client>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
        self.0.since.set(Instant::now());
    }
}
