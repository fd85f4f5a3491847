//! A stream that wants in.

use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Request, StatusCode};
use weir_model::{Identity, Workload};

use super::TunnelStream;
use crate::core::authority::Authority;
use crate::core::connect::{Connect, response};
use crate::core::trace::TraceParent;
use crate::io::inbound::Peer;

/// A CONNECT that nobody has answered yet. Dropped, it is refused.
pub struct Arrival {
    peer: Rc<Peer>,
    connect: Connect,
    answer: Option<(SendResponse<Bytes>, RecvStream)>,
}

impl Arrival {
    /// Reads a request; one that cannot be served is answered.
    pub(super) fn read(
        peer: Rc<Peer>,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<Self> {
        let (head, receive) = request.into_parts();
        match Connect::parse(&head) {
            Ok(connect) => Some(Self { peer, connect, answer: Some((respond, receive)) }),
            Err(error) => {
                tracing::debug!(peer = %peer.addr, identity = %peer.identity, %error, "not a request for a tunnel");
                let _ = respond.send_response(response(StatusCode::BAD_REQUEST, None), true);
                None
            }
        }
    }

    /// Who sends, proved by its certificate.
    pub fn identity(&self) -> &Identity {
        &self.peer.identity
    }

    /// The TCP address of the client's node or pod.
    pub fn client(&self) -> SocketAddr {
        self.peer.addr
    }

    /// The address at which the tunnel came in.
    pub fn local(&self) -> SocketAddr {
        self.peer.local
    }

    /// Where it wants to go.
    pub fn authority(&self) -> &Authority {
        &self.connect.authority
    }

    /// The client's trace, or a fresh one.
    pub fn trace(&self) -> TraceParent {
        self.connect.trace
    }

    /// Lets it in. `destination` describes itself to the client.
    ///
    /// # Errors
    /// The client has gone.
    pub fn accept(mut self, destination: Option<&Workload>) -> Result<TunnelStream, h2::Error> {
        let Some((mut respond, receive)) = self.answer.take() else {
            return Err(h2::Reason::STREAM_CLOSED.into());
        };
        let send = respond.send_response(response(StatusCode::OK, destination), false)?;
        Ok(TunnelStream::new(send, receive, self.peer.window.clone(), None))
    }

    /// Refuses it: 401 by policy, 400 for a destination that is not served here, 503 for one that cannot be reached.
    pub fn refuse(mut self, status: StatusCode) {
        self.answer_with(status);
    }

    fn answer_with(&mut self, status: StatusCode) {
        if let Some((mut respond, _)) = self.answer.take() {
            let _ = respond.send_response(response(status, None), true);
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.answer_with(StatusCode::SERVICE_UNAVAILABLE);
    }
}
