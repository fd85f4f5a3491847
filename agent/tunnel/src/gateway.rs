//! HBONE for a program that ends tunnels itself, such as a waypoint.
//!
//! ```text
//!   node proxies ---tunnel---> Gateway::serve -> Arrival (who, where to) -> accept -> TunnelStream
//!   Gateway::connect(Target) -> TunnelStream ---tunnel---> the endpoint's node
//! ```
//! Tunnels are pooled and pinged, and certificates renewed, as on a node; what goes through a stream is the program's
//! business.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use h2::client::ResponseFuture;
use http::{HeaderValue, StatusCode};
use tokio::net::TcpStream;
use tokio::time::timeout;
use weir_model::{Identity, Workload};

use crate::core::connect;
use crate::core::trace::TraceParent;
use crate::io::attempt::Attempt;
use crate::io::context::{Context, PodContext};
use crate::io::outbound::{Destination, open_stream};
use crate::{LocalPod, TunnelError, Worker};

mod arrival;
mod stream;

pub use arrival::Arrival;
pub use stream::TunnelStream;

/// One worker's tunnels of such a program, which is a workload itself: it has a pod's uid, and its identity.
pub struct Gateway {
    context: Rc<Context>,
    pod: Rc<PodContext>,
}

/// Where a stream is to go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The endpoint.
    pub workload: Arc<Workload>,
    /// Its address and the port of its application: the authority of the CONNECT.
    pub addr: SocketAddr,
    /// Identities that the far end may prove; an empty list refuses.
    pub expected: Vec<Identity>,
    /// Where the tunnel goes, if that is not port 15008 of `addr`.
    pub gateway: Option<SocketAddr>,
    /// Hostname of the service that was called, for the far end's telemetry.
    pub service: Option<Arc<str>>,
    /// The client for whom it is, for the far end's telemetry.
    pub client: SocketAddr,
    /// What that client proved, for the far end's log: all that goes through the stream is its.
    pub source: Option<Arc<str>>,
    /// The client's trace.
    pub trace: TraceParent,
}

impl Gateway {
    /// The tunnels of `pod` on a worker, which drains them with everything else that it has.
    pub fn new(worker: &Worker, pod: Arc<LocalPod>) -> Self {
        let (context, pod) = worker.adopt(pod);
        Self { context, pod }
    }

    /// Serves one accepted connection, from TLS handshake to its end. Refuses, and says why in the access log, who does not
    /// prove an identity of the mesh.
    pub async fn serve(
        &self,
        socket: TcpStream,
        client: SocketAddr,
        mut on_arrival: impl FnMut(Arrival) + 'static,
    ) {
        let (context, pod) = (self.context.clone(), self.pod.clone());
        crate::io::inbound::run(context, pod, socket, client, move |peer, request, respond| {
            if let Some(arrival) = Arrival::read(peer, request, respond) {
                on_arrival(arrival);
            }
        })
        .await;
    }

    /// Tells the clients of all tunnels of the worker that they should open no more streams here (GOAWAY). What is open
    /// goes on.
    pub fn retire(&self) {
        self.context.draining.cancel();
    }

    /// Opens a stream and waits until the far end has let it in.
    ///
    /// # Errors
    /// No certificate of our own, no tunnel, or the far end's refusal.
    pub async fn connect(&self, to: &Target) -> Result<TunnelStream, TunnelError> {
        let directory = self.context.directory();
        let own = self.pod.workload(&directory)?;
        let destination = Destination {
            workload: to.workload.clone(),
            addr: to.addr,
            service: None,
            expected: to.expected.clone(),
            gateway: to.gateway,
        };
        // Forwarded for the client that it is for, not for this program's own address.
        let request = |_| {
            let mut request = connect::request(to.addr, &own, to.client, to.service.as_deref(), to.trace)?;
            if let Some(source) = &to.source {
                request.headers_mut().insert(connect::SOURCE, HeaderValue::try_from(&**source)?);
            }
            Ok(request)
        };
        // No application of a pod dials here: the tunnel comes from the program's own first address.
        let nobody = SocketAddr::new(to.addr.ip(), 0);
        let (lease, answer, send) =
            open_stream(&self.context, &self.pod, nobody, &own, &destination, &Attempt::free(), request)
                .await?;
        let addr = destination.tunnel_addr();
        let receive = self.answered(answer, addr).await?;
        Ok(TunnelStream::new(send, receive, lease.window(), Some(lease)))
    }

    async fn answered(
        &self,
        answer: ResponseFuture,
        addr: SocketAddr,
    ) -> Result<h2::RecvStream, TunnelError> {
        let limit = self.context.config().response_timeout;
        let answer = timeout(limit, answer).await.map_err(|_| TunnelError::NoAnswer { addr, limit })?;
        let answer = answer.map_err(|source| TunnelError::Http2 { addr, source })?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(TunnelError::Refused { addr, status }),
        }
    }
}
