//! Both pods are this node's: the same decisions as through a tunnel, without the tunnel.

use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;
use weir_model::{Connection, Verdict, Workload, admit};

use super::context::{Context, PodContext, is_mesh_port};
use super::deliver::deliver;
use super::flow::Line;
use super::outbound::Destination;
use crate::metrics::Reporter;
use crate::{LocalPod, TunnelError};

/// Connects to the other pod's application. `line` is the source's report; the destination's comes back.
///
/// # Errors
/// What the destination's node would have answered.
pub(super) async fn hand_over(
    context: &Rc<Context>,
    pod: &PodContext,
    local: &Arc<LocalPod>,
    source: &Arc<Workload>,
    to: &Destination,
    line: &Line,
) -> Result<(TcpStream, Line), TunnelError> {
    let mut other = line.seen_by(Reporter::destination);
    let result = admit_and_deliver(context, pod, local, source, to, line, &mut other).await;
    if let Err(error) = &result {
        other.fail(&context.reports, error);
    }
    result.map(|server| (server, other))
}

async fn admit_and_deliver(
    context: &Rc<Context>,
    pod: &PodContext,
    local: &Arc<LocalPod>,
    source: &Arc<Workload>,
    to: &Destination,
    line: &Line,
    other: &mut Line,
) -> Result<TcpStream, TunnelError> {
    if is_mesh_port(to.addr.port()) {
        return Err(TunnelError::IllegalPort(to.addr.port()));
    }
    // Nobody looks at the certificates here, but who has none has no traffic, on this node as on others.
    let identity = source.identity();
    context.shared().certificate(&identity)?;
    context.shared().certificate(&to.workload.identity())?;
    // What the destination's node would see: the application's own choice may be an address that no peer can have.
    let client = pod.source(source, line.src_addr.ip(), to.addr.ip());
    other.src_addr.set_ip(client);
    let connection = Connection { peer: Some(&identity), source_ip: client, destination: to.addr };
    if let Verdict::Deny(denial) = admit(&context.directory(), &to.workload, &connection) {
        return Err(denial.into());
    }
    deliver(local.net(), client, to.addr, context.config()).await
}
