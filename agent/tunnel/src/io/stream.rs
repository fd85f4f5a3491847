//! One stream of an inbound tunnel: may it come in, and where does it go.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Request, StatusCode};
use tokio::net::TcpStream;
use weir_model::{Directory, Workload, is_waypoint_of};

use super::admission::{Admitted, From, Visitor};
use super::context::{Context, PodContext, is_mesh_port};
use super::deliver::deliver;
use super::ends::StreamSource;
use super::exchange::Exchange;
use super::flow::{Flow, Line};
use super::inbound::Peer;
use super::outbound::explain;
use super::tasks::Running;
use crate::TunnelError;
use crate::core::authority::Authority;
use crate::core::connect::{Connect, response};
use crate::metrics::Reporter;

/// Serves one stream to its end.
pub(crate) async fn serve(
    running: Running,
    context: Rc<Context>,
    pod: Rc<PodContext>,
    peer: Rc<Peer>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let opened = Box::pin(open(&context, &pod, &peer, &running, request, respond)).await;
    drop(pod);
    let Some((socket, send, receive, flow)) = opened else {
        return;
    };
    let result = {
        let receive = StreamSource::Open(receive);
        let mut exchange = Exchange::new(&socket, send, receive, &flow, peer.window.clone());
        std::future::poll_fn(|cx| exchange.poll(cx)).await
    };
    drop(socket);
    flow.end(result.map_err(|fault| explain(fault, peer.addr)).err().as_ref());
}

type Opened = (TcpStream, SendStream<Bytes>, RecvStream, Flow);

async fn open(
    context: &Rc<Context>,
    pod: &PodContext,
    peer: &Peer,
    running: &Running,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Option<Opened> {
    let mut line = Line::new(Reporter::destination, peer.addr, peer.local);
    line.ends.mutual_tls = true;
    line.ends.source_identity = Some(peer.identity.clone());
    let (head, receive) = request.into_parts();
    let admitted = match Connect::parse(&head) {
        Ok(connect) => tokio::select! {
            biased;
            admitted = admit(context, pod, peer, running, &connect, &mut line) => admitted,
            error = given_up(&mut respond) => Err(TunnelError::Stream(error)),
        },
        Err(error) => Err(error.into()),
    };
    let workload = line.ends.destination.clone();
    match admitted {
        Ok((socket, admitted)) => {
            let flow = Flow::open(&context.reports, line, None, Some(admitted));
            let answer = response(StatusCode::OK, workload.as_deref());
            match respond.send_response(answer, false) {
                Ok(send) => Some((socket, send, receive, flow)),
                Err(error) => {
                    flow.end(Some(&TunnelError::Stream(error)));
                    None
                }
            }
        }
        Err(error) => {
            line.fail(&context.reports, &error);
            let _ = respond.send_response(response(error.status(), None), true);
            None
        }
    }
}

/// The peer takes its request back. It may then open another stream, so what we do for this one must end, or
/// the number of open streams would not limit our sockets.
async fn given_up(respond: &mut SendResponse<Bytes>) -> h2::Error {
    match std::future::poll_fn(|cx| respond.poll_reset(cx)).await {
        Ok(reason) => reason.into(),
        Err(error) => error,
    }
}

/// Decides and connects, in the order of Istio's node proxy: where to, may it, can it.
async fn admit(
    context: &Rc<Context>,
    pod: &PodContext,
    peer: &Peer,
    running: &Running,
    connect: &Connect,
    line: &mut Line,
) -> Result<(TcpStream, Admitted), TunnelError> {
    let directory = context.directory();
    let workload = pod.workload(&directory)?;
    let target = target(&workload, peer, &connect.authority)?;
    line.hbone_addr = Some(target);
    line.describe(&directory, &workload, connect);
    if is_mesh_port(target.port()) {
        return Err(TunnelError::IllegalPort(target.port()));
    }
    let from = From::Tunnel(peer.identity.clone());
    let visitor = Visitor { from, source_ip: peer.addr.ip(), destination: target };
    visitor.ask(&directory, &workload)?;
    let config = context.config();
    let socket = deliver(pod.pod.net(), peer.addr.ip(), target, config, config.connect_timeout).await?;
    let admitted = context.admissions.enter(context, running, &directory, pod.pod.uid(), visitor)?;
    Ok((socket, admitted))
}

/// The address is always the one that was dialled, whatever the authority says; the port is the authority's.
fn target(workload: &Workload, peer: &Peer, authority: &Authority) -> Result<SocketAddr, TunnelError> {
    let local = peer.local.ip();
    match authority {
        Authority::Address(addr) if addr.ip() == local => Ok(*addr),
        Authority::Address(addr) => Err(TunnelError::WrongAuthority { authority: *addr, local }),
        Authority::Name { host, port } => {
            let served = workload.services.iter().filter(|(key, _)| *key.hostname == **host);
            let target = served
                .flat_map(|(_, ports)| ports)
                .find(|mapping| mapping.service_port == *port && mapping.target_port != 0);
            let target = target.ok_or_else(|| TunnelError::NoSuchService {
                pod: workload.uid.clone(),
                authority: authority.to_string().into(),
            })?;
            Ok(SocketAddr::new(local, target.target_port))
        }
    }
}

impl Line {
    /// Fills in what the directory knows; the headers only choose among the workload's own services.
    fn describe(&mut self, directory: &Directory, workload: &Arc<Workload>, connect: &Connect) {
        let ends = &mut self.ends;
        ends.destination_identity = Some(workload.identity());
        ends.destination = Some(workload.clone());
        let source = directory.workload_by_ip(&workload.network, self.src_addr.ip());
        let proved = ends.source_identity.clone();
        ends.source = source.filter(|w| Some(w.identity()) == proved).cloned();
        // Whoever else says that he asks for another is not believed.
        let believed = |peer: &Arc<Workload>| is_waypoint_of(directory, peer, workload);
        self.origin = connect
            .source
            .as_ref()
            .filter(|_| ends.source.as_ref().is_some_and(believed))
            .cloned()
            .map(Box::new);
        let host = connect.service.as_deref();
        let key = workload.services.keys().find(|key| Some(&*key.hostname) == host);
        ends.service = key.and_then(|key| directory.service(key)).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_stream_is_small() {
        fn size<F>(
            _: impl Fn(
                Running,
                Rc<Context>,
                Rc<PodContext>,
                Rc<Peer>,
                Request<RecvStream>,
                SendResponse<Bytes>,
            ) -> F,
        ) -> usize {
            size_of::<F>()
        }
        assert!(size(serve) <= 1536, "{}", size(serve));
    }
}
