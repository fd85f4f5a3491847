//! One connection that is copied, from the decision where it goes to its line in the log.

use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;
use tracing::debug;

use super::copy::{Ended, copy};
use super::refuse;
use crate::proxy::arrival::Settings;
use crate::proxy::choice::{Choice, Wish, choose};
use crate::proxy::report::{Account, Flags, PairLabels, TcpSeries};
use crate::proxy::serve::{Client, decided, known};
use crate::proxy::wire::{Peeked, Prefixed, Stream, Verdict, peek};
use crate::route::{Backend, ConnectionRouted, Target};

/// What is known of a connection that is to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    Tcp,
    /// TLS that is passed through, with the name in the client's hello.
    Tls(Option<String>),
    /// The client has said nothing yet. If it says something that we know before the server speaks, it is served so.
    Undecided,
}

/// Carries a connection; `bytes` have been read from it already.
pub(crate) async fn carry(client: Rc<Client>, stream: Stream, bytes: BytesMut, what: Carried) {
    let settings = client.settings();
    let server_name = match &what {
        Carried::Tls(name) => name.clone(),
        Carried::Tcp | Carried::Undecided => None,
    };
    let ledger = Client::ledger_of(&client.worker, &client.arrival, server_name.clone());
    let mut account = Account::of_connection(&ledger);
    if let Err(denied) = settings.allow(&client.arrival, server_name.as_deref(), None) {
        if what == Carried::Undecided {
            // What may not pass as it is may still be HTTP, which may.
            account.unsaid();
            return wait_for_client(client, stream).await;
        }
        account.details = "rbac_access_denied";
        account.reason = Some(denied.to_string());
        return refuse(stream);
    }
    match server(&client, &settings, &what, &mut account).await {
        None => {
            count_failed(&client, &account);
            refuse(stream);
        }
        Some((server, choice)) if what == Carried::Undecided => {
            undecided(client, stream, server, choice, account).await;
        }
        Some((server, choice)) => {
            between(&client, Prefixed::put_back(bytes, stream), server, choice, account).await;
        }
    }
}

/// A connection to where the route says. `None`: the account knows why not.
async fn server(
    client: &Rc<Client>,
    settings: &Settings,
    what: &Carried,
    account: &mut Account,
) -> Option<(Stream, Choice)> {
    let arrival = &client.arrival;
    let port = settings.frontend.port(arrival.port)?;
    let (view, address) = (arrival.view(), arrival.destination.ip());
    let routed = match what {
        Carried::Tls(name) => match port.tls_route(name.as_deref(), address, &view) {
            ConnectionRouted::Own => port.tcp_route(address, &view),
            routed => routed,
        },
        Carried::Tcp | Carried::Undecided => port.tcp_route(address, &view),
    };
    match routed {
        ConnectionRouted::Refused => {
            account.flags |= Flags::NO_ROUTE;
            account.details = "filter_chain_not_found";
            None
        }
        ConnectionRouted::Own => connect(client, settings.own(arrival.port)?, account).await,
        ConnectionRouted::Route(route) => {
            account.route = Some(route.name.clone());
            let backend = route.backends.pick(client.worker.random());
            let Some(backend) = backend else {
                account.flags |= Flags::NO_CLUSTER;
                return None;
            };
            connect(client, backend, account).await
        }
    }
}

async fn connect(client: &Rc<Client>, backend: &Backend, account: &mut Account) -> Option<(Stream, Choice)> {
    let backend = match &backend.target {
        Target::Service(backend) => backend,
        Target::Unavailable { reason, .. } => {
            account.flags |= Flags::NO_CLUSTER;
            account.reason = Some(reason.to_string());
            return None;
        }
    };
    let mut tried = Vec::new();
    for _ in 0..ATTEMPTS {
        let wish = Wish { tried: &tried, ..Wish::default() };
        let choice = match choose(client, backend, wish) {
            Ok(choice) => choice,
            Err(none) => {
                if tried.is_empty() {
                    account.flags |= none.flags();
                    account.details = none.details();
                }
                return None;
            }
        };
        account.chose(&choice);
        match choice.connect(&client.worker).await {
            Ok(stream) => return Some((stream, choice)),
            Err(error) => {
                account.flags |= Flags::UPSTREAM_CONNECT_FAILURE;
                account.reason = Some(error.to_string());
                tried.push(choice.endpoint().clone());
                choice.failed();
            }
        }
    }
    None
}

/// Both ends are there and the client has said nothing: whoever speaks first decides.
async fn undecided(
    client: Rc<Client>,
    mut stream: Stream,
    mut server: Stream,
    choice: Choice,
    mut account: Account,
) {
    let (mut from_client, mut from_server) = (BytesMut::new(), BytesMut::new());
    let first = tokio::select! {
        biased;
        read = server.read_buf(&mut from_server) => read.map(|_| false),
        read = stream.read_buf(&mut from_client) => read.map(|read| read > 0),
        () = tokio::time::sleep(client.worker.config.tcp_idle_time) => Ok(false),
    };
    if !matches!(first, Ok(true)) {
        // An end or a failure is met again by the copying, which knows what to do about it.
        let server = Prefixed::put_back(from_server, server);
        return between(&client, stream, server, choice, account).await;
    }
    let limit = client.worker.config.detection_time;
    let Ok(Peeked { bytes, verdict }) = peek(&mut stream, from_client, LONGEST_PEEK, limit, decided).await
    else {
        return between(&client, stream, server, choice, account).await;
    };
    match verdict {
        Verdict::Known(guess) if guess != crate::proxy::wire::Guess::Other => {
            // The server has heard nothing, and the client nothing of it.
            account.unsaid();
            drop((server, choice));
            Box::pin(known(client, stream, bytes, guess)).await;
        }
        _ => between(&client, Prefixed::put_back(bytes, stream), server, choice, account).await,
    }
}

/// The client may not reach the server as it is; what it says may change that.
async fn wait_for_client(client: Rc<Client>, mut stream: Stream) {
    let patience = client.worker.config.tcp_idle_time;
    match peek(&mut stream, BytesMut::new(), LONGEST_PEEK, patience, decided).await {
        Ok(Peeked { bytes, verdict: Verdict::Known(guess) }) => {
            Box::pin(known(client, stream, bytes, guess)).await;
        }
        _ => refuse(stream),
    }
}

async fn between(client: &Rc<Client>, stream: Stream, server: Stream, choice: Choice, mut account: Account) {
    let config = &client.worker.config;
    let series = client.worker.metrics.connections(&labels(client, &account, Flags::default()));
    series.opened.inc();
    let received = account.received.clone();
    let mut reported = Reported { series: &series, received: 0, sent: 0 };
    let idle = choice.idle_time().unwrap_or(config.tcp_idle_time);
    let sent = &account.sent;
    let copied = copy(stream, server, &received, sent, idle, |_| reported.to(received.bytes(), sent.bytes()));
    let ended = match choice.longest_life() {
        Some(life) => tokio::time::timeout(life, copied).await.ok(),
        None => Some(copied.await),
    };
    reported.to(account.received.bytes(), account.sent.bytes());
    let (flags, details) = match &ended {
        Some(Ended::Closed) => (Flags::default(), ""),
        Some(Ended::Broken { by_client: true, .. }) => (Flags::DOWNSTREAM_DISCONNECT, "downstream_reset"),
        Some(Ended::Broken { by_client: false, .. }) => {
            (Flags::UPSTREAM_CONNECTION_TERMINATION, "upstream_reset")
        }
        Some(Ended::Idle) => (Flags::STREAM_IDLE_TIMEOUT, "idle_timeout"),
        None => (Flags::DURATION_TIMEOUT, "max_connection_duration"),
    };
    if let Some(Ended::Broken { error, .. }) = &ended {
        account.reason = Some(error.to_string());
        debug!(%error, "a connection broke");
    }
    account.flags |= flags;
    account.details = details;
    client.worker.metrics.connections(&labels(client, &account, account.flags)).closed.inc();
}

/// Keeps the counters of a connection that is open up to date, which may be for days.
struct Reported<'a> {
    series: &'a TcpSeries,
    received: u64,
    sent: u64,
}

impl Reported<'_> {
    fn to(&mut self, received: u64, sent: u64) {
        self.series.received.inc_by(received - std::mem::replace(&mut self.received, received));
        self.series.sent.inc_by(sent - std::mem::replace(&mut self.sent, sent));
    }
}

fn count_failed(client: &Client, account: &Account) {
    let series = client.worker.metrics.connections(&labels(client, account, account.flags));
    series.opened.inc();
    series.closed.inc();
}

fn labels(client: &Client, account: &Account, flags: Flags) -> PairLabels {
    PairLabels {
        source: client.arrival.source.party.clone(),
        destination: Arc::clone(&account.destination),
        service: client.arrival.service.name.clone(),
        protocol: "tcp",
        mutual_tls: client.arrival.source.identity.is_some(),
        flags,
    }
}

/// Endpoints that are tried for a connection.
const ATTEMPTS: usize = 3;
const LONGEST_PEEK: usize = 16 * 1024;
