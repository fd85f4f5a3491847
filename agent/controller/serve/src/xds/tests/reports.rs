//! Reports of nodes, over real connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::{Routes, interceptor::InterceptedService};
use tonic::{Request, Status};
use weir_proto::node::NodeReport;
use weir_proto::node::node_client::NodeClient;

use super::hostile::is_closed;
use super::wire::Server;
use super::wire::small_mesh;
use crate::Limits;
use crate::auth::{Caller, PodRef};
use crate::ca::{CaConfig, NodeAgents, Placement, PodPlace};
use crate::nodes::{NodeService, Nodes, PodTeller, Told};

/// A report is answered when it ends, and must not end because nothing was answered.
#[tokio::test]
async fn a_report_outlives_the_time_to_prove_oneself() {
    let mesh = small_mesh();
    let (ready, mut nodes_that_are) = mpsc::unbounded_channel();
    let nodes = Nodes::new(mesh.store.clone(), Arc::new(Ready(ready)));
    let config = CaConfig {
        trusted_node_accounts: [("weir-system".into(), "weir-agent".into())].into(),
        ..CaConfig::default()
    };
    let service = NodeService::new(nodes, NodeAgents::new(Arc::new(OneNode), config)).into_server();
    let limits = Limits { unproven: Duration::from_millis(300), ..Limits::default() };
    let server = Server::of_services(Routes::new(InterceptedService::new(service, agent)), limits).await;
    let (reports, queue) = mpsc::channel(2);
    let mut client = NodeClient::new(server.channel().await);
    let call = tokio::spawn(async move { client.report(ReceiverStream::new(queue)).await });
    reports.send(NodeReport { pods: vec![], ready: true }).await.unwrap();
    assert_eq!(nodes_that_are.recv().await.unwrap(), "a");
    // Whoever came after it and proved nothing was cut, so its own time is over.
    is_closed(&mut server.tls().await.unwrap()).await;
    reports.send(NodeReport { pods: vec![], ready: true }).await.unwrap();
    assert_eq!(nodes_that_are.recv().await.unwrap(), "a");
    assert!(!call.is_finished());
}

fn agent(mut request: Request<()>) -> Result<Request<()>, Status> {
    let pod = PodRef { name: "weir-agent-1".into(), uid: "1".into() };
    request.extensions_mut().insert(Caller { pod: Some(pod), ..Caller::new("weir-system", "weir-agent") });
    Ok(request)
}

struct Ready(mpsc::UnboundedSender<String>);

impl PodTeller for Ready {
    fn tell(&self, _: Told) {}

    fn ready(&self, node: &str) {
        let _ = self.0.send(node.to_owned());
    }
}

struct OneNode;

impl Placement for OneNode {
    fn is_ready(&self) -> bool {
        true
    }

    fn pod(&self, _: &str, _: &str) -> Option<PodPlace> {
        Some(PodPlace { uid: "1".into(), service_account: "weir-agent".into(), node: "a".into() })
    }

    fn runs(&self, _: &str, _: &str, _: &str) -> bool {
        false
    }
}
