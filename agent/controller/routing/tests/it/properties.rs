//! What holds whatever anybody writes.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::describe;
use crate::world::World;

/// JSON that has the names of fields where they hurt.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2i64..70000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(WORDS.to_vec()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 96, 6, |inner| {
        let name =
            prop_oneof![9 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn object(kind: &'static str) -> impl Strategy<Value = Value> {
    let of = move |(spec, namespace, name, created): (Value, &str, &str, Option<i64>)| json!({"kind": kind, "metadata": {"namespace": namespace, "name": name, "created": created}, "spec": spec});
    let namespace = prop::sample::select(vec!["default", "back", "other", "weir-system"]);
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let spec = (json(), shaped(kind)).prop_map(|(any, shaped)| merge(shaped, any));
    (spec, namespace, name, prop::option::of(0i64..3)).prop_map(of)
}

/// What makes a resource concern a service, most of the time.
fn shaped(kind: &'static str) -> impl Strategy<Value = Value> {
    (prop::collection::vec(json(), 0..4), any::<bool>()).prop_map(move |(rules, whole)| match (kind, whole) {
        (_, false) => json!({}),
        ("VirtualService", _) => json!({"hosts": ["web.default.svc.cluster.local"], "http": rules}),
        ("DestinationRule", _) => json!({"host": "web.default.svc.cluster.local", "subsets": rules}),
        _ => json!({
            "parentRefs": [{"group": "", "kind": "Service", "name": "web", "namespace": "default"}],
            "rules": rules,
        }),
    })
}

fn merge(shaped: Value, any: Value) -> Value {
    match (shaped, any) {
        (Value::Object(shaped), Value::Object(mut any)) => {
            any.extend(shaped);
            Value::Object(any)
        }
        (Value::Object(shaped), any) if shaped.is_empty() => any,
        (shaped, _) => shaped,
    }
}

fn objects() -> impl Strategy<Value = Vec<Value>> {
    let one = prop_oneof![
        object("VirtualService"),
        object("DestinationRule"),
        object("HTTPRoute"),
        object("GRPCRoute")
    ];
    prop::collection::vec(one, 0..5)
}

fn world(objects: Vec<Value>) -> World {
    let services = weir_resources::documents(crate::cases::SERVICES).map(|one| one.unwrap().1);
    World::of(services.chain(objects).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Nothing that can be written brings the controller down, and what it says of it fits into a status.
    #[test]
    fn nothing_panics(objects in objects()) {
        let world = world(objects);
        describe(&world);
        prop_assert_eq!(world.check(), Ok(()));
        for route in &world.routes {
            for parent in route.status(&[], &world, &world.mesh) {
                prop_assert!(parent.conditions.iter().all(|condition| condition.message.len() < 32768));
            }
        }
    }

    /// The order in which resources become known does not matter.
    #[test]
    fn order_does_not_matter(objects in objects(), seed in any::<prop::sample::Index>()) {
        // Names are unique in a cluster.
        let mut objects = objects;
        objects.sort_by_key(key);
        objects.dedup_by_key(|object| key(object));
        let mut turned = objects.clone();
        if !turned.is_empty() {
            turned.rotate_left(seed.index(objects.len()));
            turned.reverse();
        }
        let (a, b) = (world(objects), world(turned));
        for service in &a.services {
            prop_assert_eq!(a.frontend(service), b.frontend(service));
            prop_assert_eq!(a.backend(service), b.backend(service));
        }
    }
}

fn key(object: &Value) -> String {
    format!("{} {} {}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
}

const WORDS: [&str; 40] = [
    "host",
    ":authority",
    "connection",
    "https",
    "ISTIO_MUTUAL",
    "a;b",
    "b c",
    "[::1]:80",
    "/%zz",
    "ReplaceFullPath",
    "web",
    "web.default.svc.cluster.local",
    "*",
    "mesh",
    "/a",
    "(",
    "5s",
    "-1s",
    "Exact",
    "PathPrefix",
    "RegularExpression",
    "RequestRedirect",
    "URLRewrite",
    "RequestMirror",
    "CORS",
    "Service",
    "",
    "default",
    "GET",
    "RANDOM",
    "SIMPLE",
    "UPGRADE",
    "5xx,503",
    "v1",
    "a:b",
    "%START_TIME%",
    "10.0.0.0/8",
    "ReplacePrefixMatch",
    "ä",
    ".",
];

const NAMES: [&str; 96] = [
    "hosts",
    "gateways",
    "http",
    "tls",
    "tcp",
    "exportTo",
    "match",
    "route",
    "redirect",
    "directResponse",
    "delegate",
    "rewrite",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrors",
    "mirrorPercentage",
    "corsPolicy",
    "headers",
    "name",
    "uri",
    "scheme",
    "method",
    "authority",
    "port",
    "sourceLabels",
    "queryParams",
    "withoutHeaders",
    "sourceNamespace",
    "exact",
    "prefix",
    "regex",
    "destination",
    "host",
    "subset",
    "number",
    "weight",
    "request",
    "response",
    "set",
    "add",
    "remove",
    "attempts",
    "perTryTimeout",
    "retryOn",
    "backoff",
    "delay",
    "abort",
    "percentage",
    "value",
    "fixedDelay",
    "httpStatus",
    "sniHosts",
    "destinationSubnets",
    "parentRefs",
    "rules",
    "matches",
    "filters",
    "backendRefs",
    "timeouts",
    "retry",
    "path",
    "type",
    "group",
    "kind",
    "namespace",
    "requestRedirect",
    "urlRewrite",
    "requestMirror",
    "backendRef",
    "cors",
    "requestHeaderModifier",
    "statusCode",
    "hostname",
    "replacePrefixMatch",
    "service",
    "trafficPolicy",
    "subsets",
    "labels",
    "loadBalancer",
    "simple",
    "consistentHash",
    "httpHeaderName",
    "localityLbSetting",
    "distribute",
    "warmup",
    "connectionPool",
    "maxConnections",
    "outlierDetection",
    "interval",
    "portLevelSettings",
    "mode",
    "credentialName",
    "tunnel",
    "allowOrigins",
];
