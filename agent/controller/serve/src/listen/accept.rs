//! Connections on their way in. A handshake has a task of its own; only what came through reaches the server.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use weir_process::{Place, Places};

use super::connection::Connection;
use super::limits::Limits;
use crate::tls::TlsSource;

/// Accepts in a task until the stream is dropped or `stop` is true.
pub(super) fn accept(
    listener: TcpListener,
    tls: TlsSource,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> ReceiverStream<io::Result<Connection>> {
    let (ready, incoming) = mpsc::channel(16);
    let acceptor = Acceptor {
        tls,
        open: Arc::new(Semaphore::new(limits.connections)),
        unproven: Places::default(),
        limits,
        ready,
    };
    tokio::spawn(acceptor.run(listener, stop));
    ReceiverStream::new(incoming)
}

struct Acceptor {
    tls: TlsSource,
    open: Arc<Semaphore>,
    /// Connections that have not proved who is there.
    unproven: Places,
    limits: Limits,
    ready: mpsc::Sender<io::Result<Connection>>,
}

/// What a connection takes while it is open.
pub(super) struct Permits {
    pub(super) open: OwnedSemaphorePermit,
    pub(super) place: Place,
}

impl Acceptor {
    async fn run(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let ready = self.ready.clone();
        tokio::select! {
            () = self.accept_all(listener) => {}
            () = ready.closed() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn accept_all(self, listener: TcpListener) {
        let mut rate = interval(Duration::from_secs(1) / self.limits.accepts_per_second.max(1));
        // A quiet second is not saved up for a burst of many, but one of about the rate is fine.
        rate.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let Ok(open) = self.open.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, address)) => {
                    let Some(place) = self.place(address) else { continue };
                    // Those who were turned away took nobody's turn.
                    rate.tick().await;
                    self.take(stream, address, Permits { open, place });
                }
                // Of the connection, or out of descriptors: the one is over, the other needs time.
                Err(error) => {
                    tracing::warn!("cannot accept on the control plane's port: {error}");
                    sleep(AGAIN).await;
                }
            }
        }
    }

    fn place(&self, address: SocketAddr) -> Option<Place> {
        let place = self.unproven.enter(address.ip(), self.limits.unproven_per_address);
        if place.is_none() {
            tracing::debug!(%address, "connection refused: too many from there that have not proved who they are");
        }
        place
    }

    fn take(&self, stream: TcpStream, address: SocketAddr, permits: Permits) {
        let deadline = Instant::now() + self.limits.unproven;
        let acceptor = TlsAcceptor::from(self.tls.load_full());
        let (limit, refusals, ready) = (self.limits.handshake, self.limits.refusals, self.ready.clone());
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match timeout(limit, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let connection = Connection::new(stream, address, permits, deadline, refusals);
                    // The server went.
                    let _ = ready.send(Ok(connection)).await;
                }
                Ok(Err(error)) => tracing::debug!(%address, "TLS handshake failed: {error}"),
                Err(_) => tracing::debug!(%address, "TLS handshake took too long"),
            }
        });
    }
}

const AGAIN: Duration = Duration::from_millis(50);
