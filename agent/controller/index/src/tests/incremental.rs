//! However it came about, the result is that of reading what is there now.

use std::collections::BTreeMap;

use proptest::prelude::*;
use weir_resources::{Event, Key, Kind};

use super::{Mesh, objects};
use crate::{Config, Index};

/// Objects that depend on each other, in several versions; versions of one object have one key.
const OBJECTS: &[&str] = &[
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/use-waypoint: wp, team: a}}",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra}}",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra, team: a}}",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: weir-system, labels: {topology.istio.io/network: east}}",
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-canary: wp, istio.io/use-waypoint-canary-namespace: infra, istio.io/ingress-use-waypoint: 'true', team: b}, annotations: {istio.io/use-waypoint-canary-weight: '20', networking.istio.io/traffic-distribution: PreferClose}}",
    "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {topology.kubernetes.io/zone: z1}}",
    "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {topology.kubernetes.io/zone: z2}}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: shop}\nspec: {gatewayClassName: weir-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: shop, labels: {istio.io/waypoint-for: all}}\nspec: {gatewayClassName: weir-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}\nstatus: {addresses: [{type: IPAddress, value: 10.96.1.1}]}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: shop, annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY/15088}}\nspec: {gatewayClassName: other, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}\nstatus: {addresses: [{type: Hostname, value: wp.shop.svc.cluster.local}]}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: other, labels: {istio.io/waypoint-for: workload}}\nspec: {controllerName: x.example.com/c}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: infra}\nspec: {gatewayClassName: weir-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}}]}\nstatus: {addresses: [{type: Hostname, value: wp.infra.svc.cluster.local}]}",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: wp}}\nspec: {clusterIP: 10.96.0.1, selector: {app: db}, ports: [{name: http, port: 80, targetPort: http}]}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: infra}\nspec: {gatewayClassName: weir-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: Selector, selector: {matchExpressions: [{key: team, operator: NotIn, values: [a]}]}}}}]}\nstatus: {addresses: [{type: Hostname, value: wp.infra.svc.cluster.local}]}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: wp, namespace: shop}\nspec: {gatewayClassName: weir-waypoint, listeners: [{name: mesh, port: 70000, protocol: HBONE}]}\nstatus: {addresses: [{type: IPAddress, value: 10.96.1.1}]}",
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: weir-waypoint, labels: {istio.io/waypoint-for: all}, annotations: {ambient.istio.io/waypoint-inbound-binding: NONE/15099}}\nspec: {controllerName: x.example.com/c}",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, labels: {istio.io/use-waypoint: wp, istio.io/use-waypoint-namespace: infra, istio.io/use-waypoint-canary: wp}, annotations: {istio.io/use-waypoint-canary-weight: '50'}}\nspec: {clusterIP: None, selector: {app: web}, publishNotReadyAddresses: true, ports: [{name: http, port: 80, targetPort: http}]}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: shop, labels: {app: web}}\nspec: {nodeName: n1, hostNetwork: true}\nstatus: {phase: Running, podIP: 10.0.0.1}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: c, namespace: shop, labels: {app: db, istio.io/use-waypoint: wp}, deletionTimestamp: '2026-01-01T00:00:00Z'}\nspec: {nodeName: n2}\nstatus: {phase: Running, podIP: 10.0.0.1}",
    "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm, namespace: shop, labels: {topology.istio.io/network: south, istio.io/use-waypoint: wp}}\nspec: {network: east}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: g, namespace: infra, creationTimestamp: '2005-01-01T00:00:00Z', annotations: {istio.io/connect-strategy: RACE_FIRST_TCP_CONNECT}}\nspec: {hosts: [x.example.com, web.shop.svc.cluster.local], addresses: [10.9.0.0/16], ports: [{number: 80, name: http, protocol: HTTP}], resolution: NONE}",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}",
    "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {type: ExternalName, externalName: example.com}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: web}}\nspec: {nodeName: n1, containers: [{name: c, ports: [{name: http, containerPort: 9090}]}]}\nstatus: {phase: Running, podIP: 10.0.0.1}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: db, istio.io/use-waypoint: none}}\nspec: {nodeName: n2}\nstatus: {phase: Running, podIP: 10.0.0.2}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop, labels: {app: db}}\nspec: {nodeName: n1}\nstatus: {phase: Failed, podIP: 10.0.0.2}",
    "apiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: shop, labels: {app: web, gateway.networking.k8s.io/gateway-name: wp}}\nspec: {nodeName: n1}\nstatus: {phase: Running, podIP: 10.0.0.2}",
    "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm, namespace: shop}\nspec: {address: 10.0.0.1, labels: {app: web}, ports: {http: 7070}}",
    "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: vm, namespace: shop}\nspec: {address: vm.example.com, labels: {app: db}}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: shop, creationTimestamp: '2020-01-01T00:00:00Z'}\nspec: {hosts: [web.shop.svc.cluster.local, x.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, workloadSelector: {labels: {app: web}}}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: e, namespace: shop, creationTimestamp: '2020-01-01T00:00:00Z'}\nspec: {hosts: [x.example.com], exportTo: ['.'], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: f, namespace: shop, creationTimestamp: '2010-01-01T00:00:00Z'}\nspec: {hosts: [x.example.com], ports: [{number: 81, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.9}, {address: 10.0.0.8}]}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: f, namespace: shop, creationTimestamp: '2010-01-01T00:00:00Z'}\nspec: {hosts: [x.example.com], exportTo: ['~'], ports: [{number: 81, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.9}]}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: f, namespace: shop}\nspec: {hosts: [x.example.com], resolution: NO_SUCH}",
    "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: g, namespace: infra, creationTimestamp: '2015-01-01T00:00:00Z'}\nspec: {hosts: [x.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{name: http, port: 6060}]\nendpoints: [{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a, namespace: shop}}, {addresses: [10.7.7.7], nodeName: n1}]",
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{name: http, port: 6061}]\nendpoints: [{addresses: [10.0.0.2], targetRef: {kind: Pod, name: b, namespace: shop}}]",
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: shop}\nspec: {host: web, trafficPolicy: {connectionPool: {tcp: {maxConnections: 1}}}}",
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: shop}\nspec: {host: '*.shop.svc.cluster.local', exportTo: [infra], trafficPolicy: {outlierDetection: {}, loadBalancer: {simple: RANDOM}}}",
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: r, namespace: infra}\nspec: {host: x.example.com, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1s}}}}",
    "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: all, namespace: weir-system}\nspec: {host: '*', trafficPolicy: {connectionPool: {tcp: {maxConnections: 100}}}}",
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, rules: [{from: [{source: {namespaces: [x]}}]}]}",
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: shop}\nspec: {selector: {matchLabels: {app: db}}, action: DENY, rules: [{}]}",
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: weir-system}\nspec: {selector: {matchLabels: {app: db}}}",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: default, namespace: shop}\nspec: {mtls: {mode: STRICT}}",
    "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: w, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: PERMISSIVE}}}",
];

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Step {
    Apply(usize),
    Delete(usize),
    /// The kind of an object is listed anew; the list may be given up and begun again, and some objects are not in it.
    List(usize, u32),
    Commit,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..OBJECTS.len()).prop_map(Step::Apply),
        2 => (0..OBJECTS.len()).prop_map(Step::Delete),
        1 => (0..OBJECTS.len(), any::<u32>()).prop_map(|(n, mask)| Step::List(n, mask)),
        1 => Just(Step::Commit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn changes_add_up_to_what_is_there(steps in prop::collection::vec(step(), 1..60)) {
        let mut mesh = Mesh::new();
        let mut there = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for step in steps.into_iter().chain([Step::Commit]) {
            match step {
                Step::Apply(n) => {
                    let event = objects(OBJECTS[n]).remove(0);
                    there.insert(key(&event), event.clone());
                    mesh.index.apply(event);
                }
                Step::Delete(n) => {
                    let key = key(&objects(OBJECTS[n])[0]);
                    there.remove(&key);
                    mesh.index.apply(Event::Delete(key));
                }
                Step::List(n, mask) => {
                    let kind = key(&objects(OBJECTS[n])[0]).kind;
                    list(&mut mesh.index, &mut there, &mut seen, kind, mask);
                }
                Step::Commit => follow(&mut seen, &mesh.index.commit()),
            }
        }
        let mut fresh = Index::new(Config::default());
        there.into_values().for_each(|event| fresh.apply(event));
        fresh.commit();
        prop_assert_eq!(picture(&mesh.index), picture(&fresh));
        prop_assert_eq!(&seen, &picture(&fresh).bodies, "a follower of the changes sees the same");
        prop_assert_eq!(by_key(&mesh.index), by_key(&fresh));
        for name in fresh.snapshot().addresses().map(|resource| resource.name.clone()) {
            let message: weir_proto::workload::Address =
                prost::Message::decode(fresh.snapshot().address(&name).unwrap().body.clone()).unwrap();
            prop_assert!(weir_discovery::convert::address(message).is_ok());
        }
    }
}

/// Lists a kind: those of its objects that have a bit in the mask. What the list does not name is gone with its end.
fn list(index: &mut Index, there: &mut BTreeMap<Key, Event>, seen: &mut Bodies, kind: Kind, mask: u32) {
    let keys: Vec<Key> = there.keys().filter(|key| key.kind == kind).cloned().collect();
    let named = |n: &usize| mask & (1 << (n % 16)) != 0;
    // A first page that came and was forgotten.
    if mask & (1 << 31) != 0 {
        index.apply(Event::Relist(kind));
        if let Some(first) = keys.first() {
            index.apply(there[first].clone());
        }
    }
    index.apply(Event::Relist(kind));
    for (_, key) in keys.iter().enumerate().filter(|(n, _)| named(n)) {
        index.apply(there[key].clone());
    }
    if mask & (1 << 30) != 0 {
        follow(seen, &index.commit());
    }
    index.apply(Event::Synced(kind));
    for (_, key) in keys.iter().enumerate().filter(|(n, _)| !named(n)) {
        there.remove(key);
    }
}

fn key(event: &Event) -> Key {
    match event {
        Event::Apply(object) => object.key(),
        Event::Invalid(invalid) => invalid.key.clone().expect("a name"),
        _ => panic!("an object"),
    }
}

/// Resources by name.
type Bodies = BTreeMap<String, Vec<u8>>;

fn follow(seen: &mut Bodies, changes: &crate::Changes) {
    for change in changes.addresses.iter().chain(&changes.authorizations) {
        match &change.resource {
            Some(resource) => drop(seen.insert(change.name.to_string(), resource.body.to_vec())),
            None => assert!(seen.remove(&*change.name).is_some(), "{} was never there", change.name),
        }
    }
}

/// All that a reader can see.
#[derive(Debug, PartialEq)]
struct Picture {
    bodies: Bodies,
    links: Vec<(String, Vec<String>)>,
    pods: Vec<bool>,
}

fn picture(index: &Index) -> Picture {
    let snapshot = index.snapshot();
    let resources: Vec<_> = snapshot.addresses().chain(snapshot.authorizations()).cloned().collect();
    let bodies: BTreeMap<_, _> = resources.iter().map(|r| (r.name.to_string(), r.body.to_vec())).collect();
    let text = |names: Vec<std::sync::Arc<str>>| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut links = Vec::new();
    for ip in ["10.0.0.1", "10.0.0.2", "10.0.0.8", "10.0.0.9", "10.96.0.1", "10.7.7.7", "10.9.0.0/16"] {
        for network in ["", "east", "south"] {
            links.push((ip.to_owned(), text(snapshot.names(&format!("{network}/{ip}")))));
        }
    }
    for name in bodies.keys() {
        links.push((name.clone(), text(snapshot.members(name).cloned().collect())));
    }
    for node in ["n1", "n2"] {
        links.push((node.to_owned(), text(snapshot.on_node(node).cloned().collect())));
    }
    let pods = ["a", "b", "c"].iter().flat_map(|pod| {
        let runs = ["n1", "n2"].map(|node| snapshot.runs(node, "shop", "default"));
        [snapshot.pod("shop", pod).is_some(), runs[0], runs[1], snapshot.has_node("n1")]
    });
    Picture { bodies, links, pods: pods.collect() }
}

fn by_key(index: &Index) -> BTreeMap<Key, crate::StatusUpdate> {
    index.statuses().into_iter().map(|update| (update.key.clone(), update)).collect()
}
