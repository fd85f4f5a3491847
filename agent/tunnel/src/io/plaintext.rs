//! Connections that reach a pod in the clear.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::admission::{Admitted, From, Visitor};
use super::context::{Context, PodContext, canonical, is_mesh_port};
use super::deliver::deliver;
use super::exchange::join;
use super::flow::{Flow, Line};
use super::outbound::finish;
use super::tasks::Running;
use crate::TunnelError;
use crate::metrics::Reporter;

/// Serves one connection to its end; refused is reset.
pub(crate) async fn serve(
    running: Running,
    context: Rc<Context>,
    pod: Rc<PodContext>,
    socket: TcpStream,
    client: SocketAddr,
) {
    let opened = Box::pin(open(&context, &pod, &running, &socket, client)).await;
    drop(pod);
    if let Some((server, flow)) = opened {
        let result = join(&socket, &server, &flow).await;
        drop((socket, server));
        finish(flow, result);
    }
}

async fn open(
    context: &Rc<Context>,
    pod: &PodContext,
    running: &Running,
    socket: &TcpStream,
    client: SocketAddr,
) -> Option<(TcpStream, Flow)> {
    let client = canonical(client);
    let target = canonical(socket.local_addr().ok()?);
    let mut line = Line::new(Reporter::destination, client, target);
    match admit(context, pod, running, client, target, &mut line).await {
        Ok((server, admitted)) => Some((server, Flow::open(&context.reports, line, None, Some(admitted)))),
        Err(error) => {
            line.fail(&context.reports, &error);
            None
        }
    }
}

async fn admit(
    context: &Rc<Context>,
    pod: &PodContext,
    running: &Running,
    client: SocketAddr,
    target: SocketAddr,
    line: &mut Line,
) -> Result<(TcpStream, Admitted), TunnelError> {
    let net = pod.pod.net();
    if !net.owns(target.ip()) {
        return Err(TunnelError::NotMine(target.ip()));
    }
    if net.is_self(client.ip()) {
        return Err(TunnelError::OwnAddress(client.ip()));
    }
    let directory = context.directory();
    let workload = pod.workload(&directory)?;
    line.ends.source = directory.workload_by_ip(&workload.network, client.ip()).map(Arc::clone);
    line.ends.destination = Some(workload.clone());
    if is_mesh_port(target.port()) {
        return Err(TunnelError::IllegalPort(target.port()));
    }
    let visitor = Visitor { from: From::Plaintext, source_ip: client.ip(), destination: target };
    visitor.ask(&directory, &workload)?;
    let config = context.config();
    let server = deliver(net, client.ip(), target, config, config.connect_timeout).await?;
    let admitted = context.admissions.enter(context, running, &directory, pod.pod.uid(), visitor)?;
    Ok((server, admitted))
}
