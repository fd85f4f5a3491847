//! Both pods are this node's: the same decisions as through a tunnel, without the tunnel.

use std::rc::Rc;
use std::sync::Arc;

use tokio::net::TcpStream;
use weir_model::{Directory, Workload};

use super::admission::{Admitted, From, Visitor};
use super::attempt::Attempt;
use super::context::{Context, PodContext, is_mesh_port};
use super::deliver::deliver;
use super::flow::Line;
use super::outbound::Destination;
use super::tasks::Running;
use crate::metrics::Reporter;
use crate::{LocalPod, TunnelError};

/// A connection from one pod of this node to another.
pub(super) struct HandOver<'a> {
    pub(super) pod: &'a PodContext,
    pub(super) running: &'a Running,
    /// By which it was routed.
    pub(super) directory: &'a Arc<Directory>,
    pub(super) source: &'a Workload,
    pub(super) local: &'a LocalPod,
    pub(super) to: &'a Destination,
    pub(super) attempt: &'a Attempt,
}

impl HandOver<'_> {
    /// Connects to the other pod's application. `line` is the source's report; the destination's comes back.
    ///
    /// # Errors
    /// What the destination's node would have answered.
    pub(super) async fn connect(
        &self,
        context: &Rc<Context>,
        line: &Line,
    ) -> Result<(TcpStream, Line, Admitted), TunnelError> {
        let mut other = line.seen_by(Reporter::destination);
        match self.admit_and_deliver(context, line, &mut other).await {
            Ok((server, admitted)) => Ok((server, other, admitted)),
            Err(error) => {
                other.fail(&context.reports, &error);
                Err(error)
            }
        }
    }

    async fn admit_and_deliver(
        &self,
        context: &Context,
        line: &Line,
        other: &mut Line,
    ) -> Result<(TcpStream, Admitted), TunnelError> {
        let (source, to) = (self.source, self.to);
        if is_mesh_port(to.addr.port()) {
            return Err(TunnelError::IllegalPort(to.addr.port()));
        }
        // Nobody looks at the certificates here, but who has none has no traffic, on this node as on others.
        let identity = source.identity();
        context.shared().certificate(&identity)?;
        context.shared().certificate(&to.workload.identity())?;
        // As the other pod would see it: the application may have bound an address that no peer can have.
        let client = self.pod.source(source, line.src_addr.ip(), to.addr.ip());
        other.src_addr.set_ip(client);
        let from = From::SameNode(source.uid.clone(), identity);
        let visitor = Visitor { from, source_ip: client, destination: to.addr };
        visitor.ask(self.directory, &to.workload)?;
        let config = context.config();
        let limit = self.attempt.step(config.connect_timeout);
        let delivered = deliver(self.local.net(), client, to.addr, config, limit);
        let server = self.attempt.within(to.addr, delivered).await?;
        self.attempt.prepare(&server, to.addr)?;
        let admitted =
            context.admissions.enter(context, self.running, self.directory, &to.workload.uid, visitor)?;
        Ok((server, admitted))
    }
}
