//! What pods are told of themselves and nodes of their agent, in a cluster: the serving side says it, the sources write it.

use std::sync::Arc;

use tokio::sync::mpsc;
use weir_resources::Condition;
use weir_serve::nodes::{PodTeller, Told};
use weir_sources::{Cluster, PodPatch, PodWriter, Untaint};

use crate::backing::Tasks;

/// Writes to the cluster.
struct Teller {
    writer: PodWriter,
    untaint: Option<mpsc::UnboundedSender<String>>,
}

/// Who writes to this cluster; `untaint`: also which nodes may have pods.
pub(crate) fn teller(cluster: &Cluster, untaint: bool, tasks: &mut Tasks) -> Arc<dyn PodTeller> {
    let writer = PodWriter::new(cluster);
    let work = writer.clone().run();
    tasks.spawn(async move {
        work.await;
        anyhow::anyhow!("telling pods whether they are captured ended")
    });
    let untaint = untaint.then(|| {
        let (nodes, untaint) = Untaint::new(cluster, TAINT);
        tasks.spawn(async move {
            untaint.run().await;
            anyhow::anyhow!("taking taints from nodes ended")
        });
        nodes
    });
    Arc::new(Teller { writer, untaint })
}

impl PodTeller for Teller {
    fn tell(&self, told: Told) {
        self.writer.apply(patch(told));
    }

    fn ready(&self, node: &str) {
        if let Some(nodes) = &self.untaint {
            let _ = nodes.send(node.to_owned());
        }
    }
}

fn patch(told: Told) -> PodPatch {
    let Told { namespace, name, uid, announced, captured } = told;
    let remove = if captured.is_none() { vec![CAPTURED] } else { Vec::new() };
    let condition = captured.map(|captured| Condition {
        kind: CAPTURED.into(),
        status: if captured.is { "True" } else { "False" }.into(),
        reason: captured.reason,
        message: captured.message,
        observed_generation: 0,
    });
    let annotations = vec![(REDIRECTION, announced.then_some("enabled"))];
    PodPatch { namespace, name, uid, annotations, conditions: condition.into_iter().collect(), remove }
}

/// Istio's, by which others know that they may use the tunnel.
const REDIRECTION: &str = "ambient.istio.io/redirection";
const CAPTURED: &str = "weir.dev/Captured";
const TAINT: &str = "weir.dev/agent-not-ready";
