//! A mesh out of a file: services, grants, secrets, and the resources that are translated.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_proto::l7::Protocol;
use weir_resources::Meta;
use weir_routing::{
    Connections, Credential, DestinationRule, GatewayKind, Grant, Lookup, Material, Mesh, Objects, Outcome,
    Route, Service, ServicePort, VirtualService, backend, connections, frontend,
};

/// Namespace of the waypoint.
pub(crate) const WAYPOINT: &str = "default";

#[derive(Default)]
pub(crate) struct World {
    pub(crate) mesh: Mesh,
    pub(crate) services: Vec<Service>,
    pub(crate) virtual_services: Vec<VirtualService>,
    pub(crate) destination_rules: Vec<DestinationRule>,
    pub(crate) routes: Vec<Route>,
    grants: Vec<Value>,
    gateways: BTreeMap<(String, String), GatewayKind>,
    entries: BTreeMap<(String, String), Vec<String>>,
    secrets: BTreeMap<(String, String), Credential>,
}

impl World {
    pub(crate) fn new(yaml: &str) -> Self {
        let objects = weir_resources::documents(yaml).map(|one| one.unwrap().1);
        Self::of(objects.collect())
    }

    pub(crate) fn of(objects: Vec<Value>) -> Self {
        let mut world = Self::default();
        objects.into_iter().for_each(|object| world.add(&object));
        world
    }

    fn add(&mut self, object: &Value) {
        let meta = meta(object);
        let (namespace, name) = (meta.namespace.to_string(), meta.name.to_string());
        let spec = object.get("spec").unwrap_or(&Value::Null);
        match object["kind"].as_str().unwrap() {
            "Service" => {
                let hostname = self.mesh.service_host(&namespace, &name);
                self.services.push(service(namespace, hostname, spec));
            }
            "ServiceEntry" => {
                let hosts: Vec<String> = serde_json::from_value(spec["hosts"].clone()).unwrap();
                for host in &hosts {
                    self.services.push(service(namespace.clone(), host.clone(), spec));
                }
                self.entries.insert((namespace, name), hosts);
            }
            "VirtualService" => self.virtual_services.push(VirtualService::read(&meta, spec)),
            "DestinationRule" => self.destination_rules.push(DestinationRule::read(&meta, spec)),
            "HTTPRoute" => self.routes.push(Route::http(&meta, spec)),
            "GRPCRoute" => self.routes.push(Route::grpc(&meta, spec)),
            "ReferenceGrant" => self.grants.push(object.clone()),
            "Gateway" => {
                let is_waypoint = spec["gatewayClassName"] == "weir-waypoint";
                let kind = if is_waypoint { GatewayKind::Waypoint } else { GatewayKind::Ingress };
                self.gateways.insert((namespace, name), kind);
            }
            "Secret" => {
                let has = |key: &str| object["stringData"][key].is_string();
                let said = |key: &str| object["metadata"]["annotations"][key].as_str().map(str::to_owned);
                let material = Material {
                    has_certificate: has("tls.crt"),
                    has_authorities: has("ca.crt"),
                    stale: said("stale"),
                    doubt: said("doubt"),
                };
                let credential = match said("awaited") {
                    Some(_) => Credential::Awaited,
                    None => said("unusable").map_or(Credential::There(material), Credential::Unusable),
                };
                self.secrets.insert((namespace, name), credential);
            }
            other => panic!("the tests know no {other}"),
        }
    }

    pub(crate) fn find(&self, hostname: &str) -> &Service {
        self.services.iter().find(|service| service.hostname == hostname).unwrap()
    }

    pub(crate) fn frontend(&self, service: &Service) -> Outcome {
        let objects = Objects { virtual_services: &self.virtual_services, routes: &self.routes };
        frontend(service, WAYPOINT, &objects, self, &self.mesh)
    }

    /// Whether a waypoint takes all of it: it would refuse a service as a whole for one field.
    pub(crate) fn check(&self) -> Result<(), String> {
        for service in &self.services {
            weir_waypoint::route::Frontend::compile(&self.frontend(service).form)
                .map_err(|why| why.to_string())?;
            for cluster in self.backend(service).form.clusters {
                let (own, now) = (weir_waypoint::balance::Own::default(), std::time::Instant::now());
                weir_waypoint::balance::Cluster::new(&cluster, &own, now).map_err(|why| why.to_string())?;
            }
        }
        Ok(())
    }

    pub(crate) fn connections(&self, service: &Service) -> Connections {
        let rules: Vec<_> = self.destination_rules.iter().collect();
        connections(service, &rules, &self.mesh)
    }

    pub(crate) fn backend(&self, service: &Service) -> weir_routing::Destinations {
        backend(service, WAYPOINT, &self.destination_rules, self, &self.mesh)
    }
}

impl Lookup for World {
    fn service(&self, hostname: &str, from: &str) -> Option<Service> {
        let named = || self.services.iter().filter(|service| service.hostname == hostname);
        named().find(|service| service.namespace == from).or_else(|| named().next()).cloned()
    }

    fn has_subset(&self, service: &Service, subset: &str) -> bool {
        self.backend(service).subsets.iter().any(|one| one.name == subset)
    }

    fn service_entry(&self, namespace: &str, name: &str) -> Option<Vec<String>> {
        self.entries.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    fn is_granted(&self, grant: &Grant<'_>) -> bool {
        self.grants.iter().any(|object| {
            let from = object["spec"]["from"].as_array().unwrap();
            object["metadata"]["namespace"] == grant.to_namespace
                && from
                    .iter()
                    .any(|from| from["kind"] == grant.from_kind && from["namespace"] == grant.from_namespace)
        })
    }

    fn gateway(&self, namespace: &str, name: &str) -> Option<GatewayKind> {
        self.gateways.get(&(namespace.to_owned(), name.to_owned())).copied()
    }

    fn credential(&self, namespace: &str, name: &str) -> Credential {
        let found = self.secrets.get(&(namespace.to_owned(), name.to_owned())).cloned();
        found.unwrap_or_else(|| Credential::Missing(format!("there is no Secret {namespace}/{name}")))
    }
}

fn meta(object: &Value) -> Meta {
    let metadata = &object["metadata"];
    let text = |key: &str, default: &str| metadata[key].as_str().unwrap_or(default).into();
    Meta {
        namespace: text("namespace", "default"),
        name: text("name", "x"),
        generation: metadata["generation"].as_i64().unwrap_or(1),
        // A number is enough for who comes first.
        created: metadata["created"].as_i64(),
        ..Meta::default()
    }
}

fn service(namespace: String, hostname: String, spec: &Value) -> Service {
    let port = |port: &Value| ServicePort {
        number: u16::try_from(port["port"].as_u64().or(port["number"].as_u64()).unwrap()).unwrap(),
        name: port["name"].as_str().unwrap_or_default().to_owned(),
        protocol: protocol(port["name"].as_str().unwrap_or_default()),
    };
    let ports = spec["ports"].as_array().map(|ports| ports.iter().map(port).collect());
    let address = spec["clusterIP"].as_str().and_then(|ip| ip.parse().ok());
    Service {
        namespace,
        hostname,
        ports: ports.unwrap_or_default(),
        addresses: address.into_iter().collect(),
        subject_alt_names: serde_json::from_value(spec["subjectAltNames"].clone()).unwrap_or_default(),
        ..Service::default()
    }
}

fn protocol(name: &str) -> Protocol {
    match name.split('-').next().unwrap() {
        "http" => Protocol::Http,
        "http2" => Protocol::Http2,
        "grpc" => Protocol::Grpc,
        "tls" | "https" => Protocol::Tls,
        "tcp" => Protocol::Tcp,
        _ => Protocol::Detect,
    }
}
