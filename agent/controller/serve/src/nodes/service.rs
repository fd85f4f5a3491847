//! The gRPC service: one stream per agent.

use std::sync::Arc;

use tonic::{Request, Response, Status, Streaming};
use weir_proto::node::node_server::{Node, NodeServer};
use weir_proto::node::{NodeReport, ReportEnd};

use super::Nodes;
use crate::auth::Caller;
use crate::ca::NodeAgents;
use crate::listen::Link;

/// Hears agents that proved which node they are on. Needs the authentication layer around it.
pub struct NodeService {
    nodes: Nodes,
    agents: NodeAgents,
}

impl NodeService {
    /// Gives what agents say to `nodes`.
    pub fn new(nodes: Nodes, agents: NodeAgents) -> Self {
        Self { nodes, agents }
    }

    /// The service as a server takes it, with the limit on the size of reports.
    pub fn into_server(self) -> NodeServer<Self> {
        NodeServer::new(self).max_decoding_message_size(MAX_REPORT)
    }

    async fn hear(&self, node: &Arc<str>, mut reports: Streaming<NodeReport>) -> Result<(), Status> {
        let stream = self.nodes.open(node);
        let _close = Close { nodes: &self.nodes, node, stream };
        let mut ends = self.nodes.ends();
        loop {
            let report = tokio::select! {
                report = reports.message() => report?,
                _ = ends.wait_for(|head| head.closed) => {
                    return Err(Status::unavailable("the control plane is going away"));
                }
            };
            let Some(report) = report else { return Ok(()) };
            if report.pods.len() > MAX_PODS {
                return Err(Status::invalid_argument(format!("more than {MAX_PODS} pods in one report")));
            }
            self.nodes.take(node, stream, report);
        }
    }
}

#[tonic::async_trait]
impl Node for NodeService {
    async fn report(&self, request: Request<Streaming<NodeReport>>) -> Result<Response<ReportEnd>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Status::unauthenticated("nobody proved who calls"))?;
        let node = self.agents.node_of(&caller).map_err(|denied| {
            tracing::warn!(%caller, "a node's report is not heard: {denied}");
            Status::permission_denied(format!("only a node's agent reports about its pods: {denied}"))
        })?;
        // The answer, by which others prove themselves, comes when the report ends.
        if let Some(link) = request.extensions().get::<Link>() {
            link.prove();
        }
        tracing::info!(%node, "a node's agent reports about its pods");
        self.hear(&node, request.into_inner()).await?;
        Ok(Response::new(ReportEnd {}))
    }
}

/// However a stream ends, what it said is void then.
struct Close<'a> {
    nodes: &'a Nodes,
    node: &'a Arc<str>,
    stream: u64,
}

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.nodes.close(self.node, self.stream);
    }
}

const MAX_REPORT: usize = 4 << 20;
/// Kubernetes' largest nodes have some hundreds.
const MAX_PODS: usize = 10_000;
