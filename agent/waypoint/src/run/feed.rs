//! What a waypoint asks its control plane for, and what it makes of the answers.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use weir_discovery::on_demand::Asker;
use weir_model::Workload;
use weir_proto::{l7, type_url};

use super::Serving;
use super::names::{Families, Names};
use super::told::{Told, Wants};
use crate::balance::{Cluster, Own};
use crate::upstream::Authorities;

/// Asks for a Gateway's resources and has them served.
pub struct Feed(Told);

/// Tells a feed where its waypoint is.
pub struct Place(Told);

impl Feed {
    /// For a Gateway (namespace/name).
    pub fn new(gateway: &str, serving: Arc<Serving>) -> Self {
        Self::trusting(gateway, serving, Authorities::default())
    }

    /// The same, where not the system but these authorities sign servers' certificates of which nothing else is said.
    pub fn trusting(gateway: &str, serving: Arc<Serving>, authorities: Authorities) -> Self {
        Self(Told::new(gateway, serving, authorities))
    }

    /// To be told where the waypoint is.
    pub fn place(&self) -> Place {
        Place(self.0.clone())
    }

    /// What the names of endpoints lead to.
    pub fn names(&self) -> Names {
        Names::new(self.0.clone())
    }
}

impl Asker for Feed {
    fn put(&mut self, type_url: &'static str, name: &str, body: &Bytes) -> Result<(), String> {
        if type_url == type_url::BACKEND {
            check(body)?;
        }
        self.0.with(|told| told.put(type_url, name, body))
    }

    fn remove(&mut self, type_url: &'static str, name: &str) {
        self.0.with(|told| told.remove(type_url, name));
    }

    fn settle(&mut self) -> Vec<(&'static str, BTreeSet<String>)> {
        let Wants { gateway, wanted, labels } = self.0.with(|told| told.settle());
        vec![
            (type_url::WAYPOINT, BTreeSet::from([gateway])),
            (type_url::FRONTEND, wanted.frontends),
            (type_url::BACKEND, wanted.backends.clone()),
            (type_url::ENDPOINTS, wanted.backends),
            (type_url::SECRET, wanted.secrets),
            (type_url::LABELS, labels),
        ]
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        let serving = self.0.with(|told| told.serving());
        async move { serving.clients.news().await }
    }

    fn refused(&mut self, refused: &mut dyn Iterator<Item = (&'static str, &str, &str)>) {
        let refused = refused.map(|(url, name, _)| (url, name.to_owned())).collect();
        self.0.with(|told| told.refused(refused));
    }
}

impl Place {
    /// It is this workload's.
    pub fn is(&self, workload: &Workload) {
        let at = &workload.locality;
        let parts = [&at.region, &at.zone, &at.subzone];
        let known = parts.iter().take_while(|part| !part.is_empty());
        let locality = known.map(|part| part.to_string()).collect::<Vec<_>>().join("/");
        let (cluster, node) = (workload.cluster_id.to_string(), workload.node.to_string());
        let own = Own { locality, cluster, node, ..Own::default() };
        let families = Families {
            v4: !workload.addresses.iter().all(IpAddr::is_ipv6),
            v6: !workload.addresses.iter().all(IpAddr::is_ipv4),
        };
        // Of one without addresses nothing is known.
        let families = if workload.addresses.is_empty() { Families::default() } else { families };
        self.0.with(|told| told.locate(&workload.uid, own, families));
    }
}

/// A backend whose clusters cannot be served is refused when it comes, so that the control plane hears of it.
fn check(body: &[u8]) -> Result<(), String> {
    let backend = l7::Backend::decode(body).map_err(|error| error.to_string())?;
    for (place, form) in backend.clusters.iter().enumerate() {
        Cluster::new(form, &Own::default(), Instant::now())
            .map_err(|rejection| format!("clusters[{place}].{rejection}"))?;
    }
    Ok(())
}
