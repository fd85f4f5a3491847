//! What waypoints are told.

use std::collections::BTreeMap;

use prost::Message;
use weir_proto::l7::{Backend, Endpoints, Frontend, Waypoint};

use super::Mesh;
use crate::{Changes, Layer7, scoped};

mod changes;
mod connections;
mod endpoints;
mod fresh;
mod labels;
mod policies;
mod routes;
mod secrets;
mod statuses;

const WEB: &str = "shop/web.shop.svc.cluster.local";
const DB: &str = "bank/db.bank.svc.cluster.local";

const NAMESPACE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/use-waypoint: wp}}
---
";

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: wp, namespace: shop}
spec:
  gatewayClassName: weir-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE}]
---
";

/// A service of the namespace's waypoint, and one that has none.
const SERVICES: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: bank}
spec: {clusterIP: 10.96.0.2, selector: {app: db}, ports: [{name: http, port: 80}]}
---
";

/// All requests for web go to db.
const TO_DB: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http: [{route: [{destination: {host: db.bank.svc.cluster.local}}]}]
---
";

/// Half to each of two subsets.
const TO_SUBSETS: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http:
  - route:
    - {destination: {host: web, subset: v1}, weight: 50}
    - {destination: {host: web, subset: v2}, weight: 50}
---
";

const SUBSETS: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: shop}
spec:
  host: web
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
";

/// A mesh with a waypoint that has a service.
fn mesh(more: &str) -> Mesh {
    let mut mesh = Mesh::new();
    mesh.apply(&[NAMESPACE, GATEWAY, SERVICES, more].concat());
    mesh
}

impl Mesh {
    fn told<M: Message + Default>(&self, kind: Layer7, name: &str) -> Option<M> {
        let snapshot = self.index.snapshot();
        let resource = snapshot.layer7(kind, &scoped("shop", name))?;
        Some(M::decode(resource.body.clone()).expect("what we encode can be decoded"))
    }

    fn waypoint(&self) -> Option<Waypoint> {
        self.told(Layer7::Waypoint, "shop/wp")
    }

    fn frontend(&self, name: &str) -> Option<Frontend> {
        self.told(Layer7::Frontend, name)
    }

    fn backend(&self, name: &str) -> Option<Backend> {
        self.told(Layer7::Backend, name)
    }

    fn endpoints(&self, name: &str) -> Option<Endpoints> {
        self.told(Layer7::Endpoints, name)
    }
}

/// Kinds and names of what changed, with a minus if it is gone.
fn news(changes: &Changes) -> Vec<String> {
    let mut all = BTreeMap::new();
    for (kind, list) in changes.layer7.iter() {
        for change in list {
            let sign = if change.resource.is_some() { "" } else { "-" };
            all.insert((kind, change.name.clone()), format!("{sign}{kind:?} {}", change.name));
        }
    }
    all.into_values().collect()
}

/// The backends of the first rule of the first port: weight, host and subset.
fn shares(frontend: &Frontend) -> Vec<String> {
    use weir_proto::l7::rule::Action;
    use weir_proto::l7::weighted_backend::Target;
    let Some(rule) = frontend.ports[0].http.first().and_then(|set| set.rules.first()) else {
        return Vec::new();
    };
    let Some(Action::Forward(forward)) = &rule.action else { panic!("{rule:?}") };
    let share = |backend: &weir_proto::l7::WeightedBackend| match backend.target.as_ref().unwrap() {
        Target::Backend(to) => format!("{} {} {}", backend.weight, to.hostname, to.subset),
        Target::Unavailable(why) => format!("{} {}", backend.weight, why.status),
    };
    forward.backends.iter().map(share).collect()
}
