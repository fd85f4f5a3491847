//! A service as something to call, from the waypoints of a namespace.

use std::collections::BTreeSet;

use weir_proto::l7::{self, load_balancer::Algorithm};
use weir_routing::{Remark, Subset};

use super::unit::{At, Dep};
use super::view::{Scene, View};

/// What came of it.
pub(super) struct Made {
    pub(super) form: l7::Backend,
    pub(super) chosen: Chosen,
    pub(super) remarks: Vec<Remark>,
}

/// What is asked of the endpoints.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Chosen {
    pub(super) subsets: Vec<Subset>,
    /// Labels that make an endpoint nearer.
    pub(super) labels: BTreeSet<String>,
}

/// `None` if there is no such service. What was asked on the way is always said.
pub(super) fn make(scene: Scene<'_>, at: &At) -> (Option<Made>, BTreeSet<Dep>) {
    let view = View::new(scene, &at.reader);
    let made = view.named(&at.service).map(|service| {
        let rules = view.rules(&service.hostname);
        let mesh = &scene.world.routings.mesh;
        let mut found = weir_routing::backend(&service, &at.reader, &rules, &view, mesh);
        if scene.is_passthrough(&at.service) {
            found.form.clusters.iter_mut().for_each(pass_through);
        }
        let labels = found.form.clusters.iter().flat_map(labels).collect();
        let chosen = Chosen { subsets: found.subsets, labels };
        Made { form: found.form, chosen, remarks: found.remarks }
    });
    (made, view.into_asked())
}

/// There are no endpoints to choose from: what was dialled is where it goes.
fn pass_through(cluster: &mut l7::Cluster) {
    let algorithm = Some(Algorithm::Passthrough(l7::Passthrough {}));
    cluster.load_balancer = Some(l7::LoadBalancer { algorithm, ..l7::LoadBalancer::default() });
}

fn labels(cluster: &l7::Cluster) -> impl Iterator<Item = String> {
    let locality = cluster.load_balancer.as_ref().and_then(|balancer| balancer.locality.as_ref());
    let entries = locality.into_iter().flat_map(|locality| &locality.failover_priority);
    entries.map(|entry| entry.split_once('=').map_or(&**entry, |(label, _)| label).to_owned())
}
