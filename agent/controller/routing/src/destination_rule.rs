//! DestinationRule.
//!
//! ```text
//!   JSON --read--> DestinationRule --lookup order, merge--> levels for a port and subset --> l7::Cluster
//!                                                                                        '-> l4::PortPolicy, without a waypoint
//! ```

mod backend;
mod cluster;
mod connections;
mod hash;
mod level;
mod load_balancer;
mod locality;
mod outlier;
mod pool;
mod selection;
mod shares;
mod spec;
mod tls;
mod warmup;

use std::collections::BTreeSet;

use serde_json::Value;
use weir_resources::{Labels, Meta};

pub use backend::{Destinations, Subset, backend};
pub use connections::{Connections, connections};
pub use shares::Shares;

use crate::export_to::ExportTo;
use crate::part::{Part, Place, part, without_nulls};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::is_host;
use crate::{Kind, Lookup, Mesh, ObjectRef, Service, ServicePort};
use spec::{Spec, TrafficPolicy};

/// A DestinationRule that has been read; what of it cannot be understood is known.
#[derive(Debug, Clone)]
pub struct DestinationRule {
    meta: Meta,
    object: ObjectRef,
    /// As it is written.
    host: String,
    export_to: ExportTo,
    policy: Part<TrafficPolicy>,
    subsets: Vec<OwnSubset>,
    read: Problems,
}

/// A subset that can be used.
#[derive(Debug, Clone)]
struct OwnSubset {
    /// `spec.subsets[0]`.
    field: String,
    name: String,
    labels: Labels,
    policy: Part<TrafficPolicy>,
}

impl DestinationRule {
    /// Reads a `spec`.
    pub fn read(meta: &Meta, spec: &Value) -> Self {
        let mut read = Problems::default();
        let refused = |field| Place { field, effect: Effect::Refused };
        let spec: Part<Spec> = part(&without_nulls(spec));
        let spec = spec.get(&refused("spec"), &mut read).cloned().unwrap_or_default();
        // Reported.
        let _ = spec.unknown.report(&refused("spec"), &mut read);
        let host = spec.host.get(&refused("spec.host"), &mut read).cloned().unwrap_or_default();
        if !read.refused() && !is_host(&host) {
            let message = if host.is_empty() {
                "is missing".to_owned()
            } else {
                format!("{} is not a host", quoted(&host))
            };
            read.add("spec.host", Reason::Invalid, Effect::Refused, message);
        }
        let export_to = spec.export_to.get(&refused("spec.exportTo"), &mut read).cloned().unwrap_or_default();
        let export_to = ExportTo::read(&export_to, meta, &mut read);
        if spec.workload_selector.is_there() {
            let message = "chooses among clients' sidecars, and a waypoint is nobody's";
            read.add("spec.workloadSelector", Reason::UnsupportedValue, Effect::Refused, message);
        }
        let object = ObjectRef::new(Kind::DestinationRule, meta);
        let subsets = subsets(&spec.subsets, &mut read);
        Self { meta: meta.clone(), object, host, export_to, policy: spec.traffic_policy, subsets, read }
    }

    /// Which resource it is.
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The host that it is for, in full; it may be a wildcard.
    pub fn host(&self, mesh: &Mesh) -> String {
        mesh.resolve(&self.host, &self.meta.namespace)
    }

    /// Everything that is wrong with it for itself.
    pub fn problems(&self, lookup: &dyn Lookup, mesh: &Mesh) -> Problems {
        let mut problems = self.read.clone();
        if self.read.refused() {
            return problems;
        }
        let host = self.host(mesh);
        let service = lookup.service(&host, &self.meta.namespace);
        if service.is_none() && !host.starts_with('*') {
            let message = format!("there is no host {}", quoted(&host));
            problems.add("spec.host", Reason::BackendNotFound, Effect::Notice, message);
        }
        // Without a service, as if there were one with all ports that are named.
        let service = service.unwrap_or_else(|| Service {
            hostname: host,
            ports: self.named_ports(),
            ..Service::default()
        });
        backend::of_one(self, &service, lookup, mesh, &mut problems);
        problems
    }

    /// Names of the credentials that its TLS names, wherever that is written.
    pub fn credentials(&self) -> BTreeSet<&str> {
        let subsets = self.subsets.iter().map(|subset| &subset.policy);
        [&self.policy].into_iter().chain(subsets).flat_map(level::credentials).collect()
    }

    fn named_ports(&self) -> Vec<ServicePort> {
        let policies = [&self.policy].into_iter().chain(self.subsets.iter().map(|subset| &subset.policy));
        let mut ports: BTreeSet<u16> = policies.flat_map(level::ports).collect();
        ports.insert(80);
        ports.into_iter().map(|number| ServicePort { number, ..ServicePort::default() }).collect()
    }
}

fn subsets(parts: &Part<Vec<Part<spec::Subset>>>, read: &mut Problems) -> Vec<OwnSubset> {
    let parts = parts.get(&Place { field: "spec.subsets", effect: Effect::Refused }, read);
    let mut subsets: Vec<OwnSubset> = Vec::new();
    for (i, part) in parts.into_iter().flatten().enumerate() {
        let field = format!("spec.subsets[{i}]");
        let place = Place { field: &field, effect: Effect::ClusterRefused };
        let Some(given) = part.get(&place, read) else { continue };
        let mut sound = given.unknown.report(&place, read).is_ok();
        let labels = given.labels.try_get(&Place { field: &format!("{field}.labels"), ..place }, read);
        sound &= labels.is_ok();
        let mut wrong = |effect, message: &str| {
            read.add(format!("{field}.name"), Reason::Invalid, effect, message);
            sound = false;
        };
        if given.name.is_empty() {
            wrong(Effect::ClusterRefused, "is missing");
        } else if subsets.iter().any(|other| other.name == given.name) {
            wrong(Effect::Ignored, "is the name of another subset, which counts");
        }
        let labels = labels.ok().flatten().into_iter().flatten();
        let labels = labels.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if sound {
            subsets.push(OwnSubset {
                field,
                name: given.name.clone(),
                labels,
                policy: given.traffic_policy.clone(),
            });
        }
    }
    subsets
}
