//! One request's use of a connection.

use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};

use super::drive::Usage;
use super::host::Host;
use crate::proxy::http::RequestBody;

/// Held until the response is over. Dropped before that, it ends the request: HTTP/1 closes the connection, HTTP/2
/// resets the stream.
pub(crate) struct Lease {
    host: Rc<Host>,
    sender: Option<Sender>,
    usage: Rc<Usage>,
    reused: bool,
}

pub(super) enum Sender {
    Http1(Http1),
    Http2(Http2),
}

pub(super) struct Http1 {
    pub(super) sender: http1::SendRequest<RequestBody>,
    pub(super) usage: Rc<Usage>,
}

#[derive(Clone)]
pub(super) struct Http2 {
    pub(super) sender: http2::SendRequest<RequestBody>,
    pub(super) usage: Rc<Usage>,
}

/// A request without a response.
pub(crate) struct Unsent {
    pub(crate) error: hyper::Error,
    /// It never left: it can be sent elsewhere without a thought.
    pub(crate) untouched: bool,
}

impl Lease {
    pub(super) fn new(host: &Rc<Host>, sender: Sender, reused: bool) -> Self {
        let usage = match &sender {
            Sender::Http1(connection) => connection.usage.clone(),
            Sender::Http2(connection) => connection.usage.clone(),
        };
        usage.take();
        Self { host: host.clone(), sender: Some(sender), usage, reused }
    }

    /// Others have used the connection before: the endpoint may be closing it this moment.
    pub(crate) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends the request, waits for the head of the response.
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, Unsent> {
        let sent = match &mut self.sender {
            Some(Sender::Http1(connection)) => connection.sender.try_send_request(request).await,
            Some(Sender::Http2(connection)) => connection.sender.try_send_request(request).await,
            // `finish` takes the lease, so there always is one.
            None => std::future::pending().await,
        };
        sent.map_err(|mut failed| {
            let untouched = failed.take_message().is_some();
            Unsent { error: failed.into_error(), untouched }
        })
    }

    /// Whether an HTTP/2 connection's endpoint takes an extended CONNECT (RFC 8441 3): it says so in its first settings,
    /// which may still be on their way.
    pub(crate) async fn takes_extended_connect(&self) -> bool {
        tokio::time::timeout(SETTINGS, self.usage.extended()).await.is_ok()
    }

    /// No other request goes by this connection.
    pub(crate) fn retire(&self) {
        self.usage.retire();
    }

    /// The response is over; the connection can serve another.
    pub(crate) fn finish(mut self) {
        let Some(Sender::Http1(mut connection)) = self.sender.take() else { return };
        if connection.sender.is_closed() || connection.usage.is_old() {
            return;
        }
        if connection.sender.is_ready() {
            return self.host.put_back(connection);
        }
        // The client's body is still on its way, or hyper has not looked yet.
        let host = self.host.clone();
        tokio::task::spawn_local(async move {
            if let Ok(Ok(())) = tokio::time::timeout(LINGER, connection.sender.ready()).await {
                host.put_back(connection);
            }
        });
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.usage.give_back();
        if let Some(Sender::Http2(_)) = self.sender {
            self.host.free();
        }
    }
}

/// For the first settings of an endpoint.
const SETTINGS: Duration = Duration::from_secs(1);
/// For the rest of a request whose response is over already.
const LINGER: Duration = Duration::from_secs(5);
