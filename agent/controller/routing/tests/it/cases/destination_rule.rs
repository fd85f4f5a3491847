//! Traffic policies.

use rstest::rstest;
use weir_proto::l7;

use super::told;
use crate::text::line;
use crate::world::World;

const SERVICES: &str = r#"
{kind: Service, metadata: {name: a}, spec: {ports: [{name: http, port: 80}, {name: web, port: 81}, {name: grpc, port: 82}, {name: tcp, port: 83}]}}
---
{kind: Secret, metadata: {name: pair}, stringData: {tls.crt: C, tls.key: K, ca.crt: A}}
---
{kind: Secret, metadata: {name: lonely}, stringData: {tls.crt: C, tls.key: K}}
---
{kind: Secret, metadata: {name: ca}, stringData: {ca.crt: A, ca.crl: R}}
---
{kind: Secret, metadata: {name: old, annotations: {doubt: is over}}, stringData: {tls.crt: C, ca.crt: A}}
---
{kind: Secret, metadata: {name: stale, annotations: {stale: is no PEM}}, stringData: {tls.crt: C, ca.crt: A}}
---
{kind: Secret, metadata: {name: broken, annotations: {unusable: is no PEM}}}
---
{kind: Secret, metadata: {name: coming, annotations: {awaited: ''}}}
---
{kind: Secret, metadata: {name: there, namespace: elsewhere}, stringData: {ca.crt: A}}
"#;

fn of(policy: &str) -> World {
    World::new(&format!(
        "{SERVICES}---\n{{kind: DestinationRule, metadata: {{}}, spec: {{host: a, trafficPolicy: {policy}}}}}"
    ))
}

fn cluster(policy: &str, port: u32) -> l7::Cluster {
    let world = of(policy);
    assert_eq!(world.check(), Ok(()));
    let clusters = world.backend(&world.services[0]).form.clusters;
    clusters.into_iter().find(|cluster| cluster.port == port).unwrap()
}

fn problems_of(policy: &str) -> String {
    let world = of(policy);
    told(world.destination_rules[0].problems(&world, &world.mesh).iter())
}

#[rstest]
#[case::none("{}", "LeastRequest({})")]
#[case::unspecified("{simple: UNSPECIFIED}", "LeastRequest({})")]
#[case::least_request("{simple: LEAST_REQUEST}", "LeastRequest({})")]
#[case::least_connections("{simple: LEAST_CONN}", "LeastRequest({})")]
#[case::round_robin("{simple: ROUND_ROBIN}", "RoundRobin(RoundRobin)")]
#[case::random("{simple: RANDOM}", "Random(Random)")]
#[case::passthrough("{simple: PASSTHROUGH}", "Passthrough(Passthrough)")]
#[case::header("{consistentHash: {httpHeaderName: X-A}}", r#"ConsistentHash({key: Header("x-a")})"#)]
#[case::cookie(
    "{consistentHash: {httpCookie: {name: a, ttl: 1m}}}",
    r#"ConsistentHash({key: Cookie({name: "a", ttl: {seconds: 60}})})"#
)]
#[case::cookie_without_ttl(
    "{consistentHash: {httpCookie: {name: a, path: /b}}}",
    r#"ConsistentHash({key: Cookie({name: "a", path: "/b"})})"#
)]
#[case::source("{consistentHash: {useSourceIp: true}}", "ConsistentHash({key: SourceIp(true)})")]
#[case::query(
    "{consistentHash: {httpQueryParameterName: q}}",
    r#"ConsistentHash({key: QueryParameter("q")})"#
)]
#[case::ring(
    "{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 9}}}",
    "ConsistentHash({key: SourceIp(true), table: MinimumRingSize(9)})"
)]
#[case::old_ring(
    "{consistentHash: {useSourceIp: true, minimumRingSize: 9}}",
    "ConsistentHash({key: SourceIp(true), table: MinimumRingSize(9)})"
)]
#[case::maglev(
    "{consistentHash: {useSourceIp: true, maglev: {tableSize: 251}}}",
    "ConsistentHash({key: SourceIp(true), table: MaglevTableSize(251)})"
)]
#[case::maglev_default(
    "{consistentHash: {useSourceIp: true, maglev: {}}}",
    "ConsistentHash({key: SourceIp(true), table: MaglevTableSize(0)})"
)]
fn algorithms(#[case] balancer: &str, #[case] expected: &str) {
    let cluster = cluster(&format!("{{loadBalancer: {balancer}}}"), 80);
    let found = cluster.load_balancer.unwrap().algorithm.unwrap();
    assert_eq!(line(&found), expected);
}

#[rstest]
#[case::warmup(
    "{simple: ROUND_ROBIN, warmup: {duration: 10s}}",
    "{duration: {seconds: 10}, minimum_percent: 10, aggression_permille: 1000}"
)]
#[case::all(
    "{warmup: {duration: 10s, minimumPercent: 33.4, aggression: 2.5}}",
    "{duration: {seconds: 10}, minimum_percent: 33, aggression_permille: 2500}"
)]
#[case::old(
    "{warmupDurationSecs: 10s}",
    "{duration: {seconds: 10}, minimum_percent: 10, aggression_permille: 1000}"
)]
fn warmup(#[case] balancer: &str, #[case] expected: &str) {
    let cluster = cluster(&format!("{{loadBalancer: {balancer}}}"), 80);
    assert_eq!(line(&cluster.load_balancer.unwrap().warmup.unwrap()), expected);
}

#[rstest]
#[case::nothing("{}", "", "{}")]
#[case::ejection_alone("{}", "outlierDetection: {}", "{enabled: true}")]
#[case::off("{localityLbSetting: {enabled: false}}", "outlierDetection: {}", "{}")]
#[case::failover(
    "{localityLbSetting: {failover: [{from: a, to: b}]}}",
    "outlierDetection: {}",
    r#"{enabled: true, failover: [{from: "a", to: "b"}]}"#
)]
#[case::failover_without_ejection("{localityLbSetting: {failover: [{from: a, to: b}]}}", "", "{}")]
#[case::priority(
    "{localityLbSetting: {failoverPriority: [a]}}",
    "outlierDetection: {}",
    r#"{enabled: true, failover_priority: ["a"]}"#
)]
#[case::distribute(
    "{localityLbSetting: {distribute: [{from: a/b, to: {a/b: 100}}]}}",
    "",
    r#"{enabled: true, distribute: [{from: "a/b", to: {"a/b": 100}}]}"#
)]
#[case::both(
    "{localityLbSetting: {distribute: [{from: a, to: {a: 100}}], failover: [{from: a, to: b}]}}",
    "outlierDetection: {}",
    r#"{enabled: true, distribute: [{from: "a", to: {"a": 100}}]}"#
)]
fn localities(#[case] balancer: &str, #[case] more: &str, #[case] expected: &str) {
    let cluster = cluster(&format!("{{loadBalancer: {balancer}, {more}}}"), 80);
    assert_eq!(line(&cluster.load_balancer.unwrap().locality.unwrap()), expected);
}

#[rstest]
#[case::nothing("{}", "{}")]
#[case::max_connections("{tcp: {maxConnections: 5}}", "{max_connections: 5}")]
#[case::most("{tcp: {maxConnections: 2147483647}}", "{max_connections: 2147483647}")]
#[case::connect_timeout("{tcp: {connectTimeout: 1s}}", "{connect_timeout: {seconds: 1}}")]
#[case::keepalive("{tcp: {tcpKeepalive: {time: 1s}}}", "{tcp_keepalive: {time: {seconds: 1}}}")]
#[case::duration("{tcp: {maxConnectionDuration: 1h}}", "{max_connection_duration: {seconds: 3600}}")]
#[case::tcp_idle("{tcp: {idleTimeout: 1m}}", "{idle_timeout: {seconds: 60}}")]
#[case::http_idle("{tcp: {idleTimeout: 1m}, http: {idleTimeout: 2m}}", "{idle_timeout: {seconds: 120}}")]
#[case::pending("{http: {http1MaxPendingRequests: 1}}", "{max_pending_requests: 1}")]
#[case::requests("{http: {http2MaxRequests: 1}}", "{max_requests: 1}")]
#[case::per_connection("{http: {maxRequestsPerConnection: 1}}", "{max_requests_per_connection: 1}")]
#[case::retries("{http: {maxRetries: 1}}", "{max_retries: 1}")]
#[case::streams("{http: {maxConcurrentStreams: 1}}", "{max_concurrent_streams: 1}")]
#[case::http2(
    "{http: {http2KeepAlive: {interval: 1s, timeout: 2s}}}",
    "{http2_keepalive: {interval: {seconds: 1}, timeout: {seconds: 2}}}"
)]
#[case::by_protobuf(
    "{tcp: {max_connections: 5}, http: {http1_max_pending_requests: 6}}",
    "{max_connections: 5, max_pending_requests: 6}"
)]
fn pools(#[case] pool: &str, #[case] expected: &str) {
    assert_eq!(line(&cluster(&format!("{{connectionPool: {pool}}}"), 80).connection_pool.unwrap()), expected);
}

#[rstest]
#[case::http("{}", 80, "UpstreamHttp1")]
#[case::unknown("{}", 81, "Same")]
#[case::grpc("{}", 82, "UpstreamHttp2")]
#[case::tcp("{}", 83, "Same")]
#[case::upgrade("{h2UpgradePolicy: UPGRADE}", 80, "UpstreamHttp2")]
#[case::default("{h2UpgradePolicy: DEFAULT}", 80, "UpstreamHttp1")]
#[case::no_upgrade("{h2UpgradePolicy: DO_NOT_UPGRADE}", 80, "UpstreamHttp1")]
#[case::no_upgrade_of_grpc("{h2UpgradePolicy: DO_NOT_UPGRADE}", 82, "UpstreamHttp2")]
#[case::client("{useClientProtocol: true}", 80, "Same")]
#[case::client_of_grpc("{useClientProtocol: true}", 82, "Same")]
#[case::upgrade_of_tcp("{h2UpgradePolicy: UPGRADE}", 83, "Same")]
fn protocols(#[case] http: &str, #[case] port: u32, #[case] expected: &str) {
    let cluster = cluster(&format!("{{connectionPool: {{http: {http}}}}}"), port);
    assert_eq!(format!("{:?}", cluster.protocol()), expected);
}

#[rstest]
#[case::defaults("{}", "{consecutive_5xx: 5, max_ejection_percent: 10}")]
#[case::off("{consecutive5xxErrors: 0}", "{max_ejection_percent: 10}")]
#[case::gateway(
    "{consecutiveGatewayErrors: 2}",
    "{consecutive_5xx: 5, consecutive_gateway_errors: 2, max_ejection_percent: 10}"
)]
#[case::old("{consecutiveErrors: 2}", "{consecutive_gateway_errors: 2, max_ejection_percent: 10}")]
#[case::old_of_nothing("{consecutiveErrors: 0}", "{consecutive_5xx: 5, max_ejection_percent: 10}")]
#[case::old_and_new(
    "{consecutiveErrors: 2, consecutive5xxErrors: 3}",
    "{consecutive_5xx: 3, consecutive_gateway_errors: 2, max_ejection_percent: 10}"
)]
#[case::local(
    "{splitExternalLocalOriginErrors: true}",
    "{consecutive_5xx: 5, consecutive_local_failures: 5, split_local_failures: true, max_ejection_percent: 10}"
)]
#[case::local_off(
    "{splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0}",
    "{consecutive_5xx: 5, split_local_failures: true, max_ejection_percent: 10}"
)]
#[case::times(
    "{interval: 1s, baseEjectionTime: 2m}",
    "{consecutive_5xx: 5, interval: {seconds: 1}, base_ejection_time: {seconds: 120}, max_ejection_percent: 10}"
)]
#[case::percents(
    "{maxEjectionPercent: 100, minHealthPercent: 50}",
    "{consecutive_5xx: 5, max_ejection_percent: 100, min_health_percent: 50}"
)]
#[case::codes(
    "{outlierDetectionHttpErrorCodes: [502, 500, 501, 404]}",
    "{consecutive_5xx: 5, max_ejection_percent: 10, error_statuses: [{first: 404, last: 404}, {first: 500, last: 502}]}"
)]
fn outliers(#[case] detection: &str, #[case] expected: &str) {
    let cluster = cluster(&format!("{{outlierDetection: {detection}}}"), 80);
    assert_eq!(line(&cluster.outlier_detection.unwrap()), expected);
}

#[rstest]
#[case::off("{mode: DISABLE}", "{mode: Plaintext}")]
#[case::not_said("{}", "{mode: Plaintext}")]
#[case::mesh("{mode: ISTIO_MUTUAL}", "{mode: Mesh}")]
#[case::mesh_names(
    "{mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://a/b'], sni: c}",
    r#"{mode: Mesh, sni: "c", subject_alt_names: ["spiffe://a/b"]}"#
)]
#[case::simple("{mode: SIMPLE}", "{mode: Simple}")]
#[case::simple_system("{mode: SIMPLE, caCertificates: system}", "{mode: Simple}")]
#[case::simple_ca("{mode: SIMPLE, credentialName: ca}", r#"{mode: Simple, secret: "default/ca"}"#)]
#[case::mutual("{mode: MUTUAL, credentialName: pair}", r#"{mode: Mutual, secret: "default/pair"}"#)]
#[case::by_the_system(
    "{mode: MUTUAL, credentialName: lonely}",
    r#"{mode: Mutual, secret: "default/lonely"}"#
)]
#[case::on_its_way("{mode: MUTUAL, credentialName: coming}", r#"{mode: Mutual, secret: "default/coming"}"#)]
#[case::old("{mode: MUTUAL, credentialName: old}", r#"{mode: Mutual, secret: "default/old"}"#)]
#[case::stale("{mode: SIMPLE, credentialName: stale}", r#"{mode: Simple, secret: "default/stale"}"#)]
#[case::names(
    "{mode: SIMPLE, sni: a.example, subjectAltNames: [b.example, 10.0.0.1, 'spiffe://a/b']}",
    r#"{mode: Simple, sni: "a.example", subject_alt_names: ["b.example", "10.0.0.1", "spiffe://a/b"]}"#
)]
#[case::unverified("{mode: SIMPLE, insecureSkipVerify: true}", "{mode: Simple, insecure_skip_verify: true}")]
fn tls(#[case] given: &str, #[case] expected: &str) {
    let cluster = cluster(&format!("{{tls: {given}}}"), 80);
    assert_eq!((line(&cluster.tls.unwrap()).as_str(), cluster.refused.as_str()), (expected, ""));
}

#[rstest]
#[case::mode(
    "{tls: {mode: MAYBE}}",
    "tls.mode: unknown variant `MAYBE`, expected one of `DISABLE`, `SIMPLE`, `MUTUAL`, `ISTIO_MUTUAL`"
)]
#[case::unknown(
    "{tls: {mode: SIMPLE, cert: a}}",
    "tls.cert: unknown field `cert`, expected one of `mode`, `clientCertificate`, `privateKey`, `caCertificates`, `credentialName`, `subjectAltNames`, `sni`, `insecureSkipVerify`, `caCrl`"
)]
#[case::mutual_without("{tls: {mode: MUTUAL}}", "tls.credentialName: is missing: MUTUAL needs a certificate")]
#[case::mutual_ca(
    "{tls: {mode: MUTUAL, credentialName: ca}}",
    "tls.credentialName: Secret default/ca has no certificate and key"
)]
#[case::simple_shows_nothing(
    "{tls: {mode: SIMPLE, credentialName: lonely}}",
    "tls.credentialName: Secret default/lonely has no ca.crt, for which SIMPLE uses it"
)]
#[case::broken("{tls: {mode: SIMPLE, credentialName: broken}}", "tls.credentialName: is no PEM")]
#[case::of_a_gateway(
    "{tls: {mode: SIMPLE, credentialName: elsewhere/there}}",
    "tls.credentialName: \"elsewhere/there\" is no name of a Secret"
)]
#[case::sni("{tls: {mode: SIMPLE, sni: '*.a.example'}}", "tls.sni: \"*.a.example\" is no name of a server")]
#[case::san(
    "{tls: {mode: SIMPLE, subjectAltNames: [a.example, 'b c']}}",
    "tls.subjectAltNames: \"b c\" is neither a name nor an address nor a URI"
)]
#[case::gone(
    "{tls: {mode: SIMPLE, credentialName: gone}}",
    "tls.credentialName: there is no Secret default/gone"
)]
#[case::file(
    "{tls: {mode: SIMPLE, caCertificates: /a.pem}}",
    "tls.caCertificates: is a file of a sidecar, and there is none; use credentialName"
)]
#[case::crl(
    "{tls: {mode: SIMPLE, caCrl: /a.pem}}",
    "tls.caCrl: is a file of a sidecar, and there is none; use credentialName"
)]
#[case::tunnel(
    "{tunnel: {targetHost: a, targetPort: 1}}",
    "tunnel: tunnels through another proxy cannot be made"
)]
fn clusters_are_refused(#[case] policy: &str, #[case] expected: &str) {
    assert_eq!(problems_of(policy), format!("spec.trafficPolicy.{expected} (nothing is sent there: 503)"));
    assert!(!cluster(policy, 80).refused.is_empty());
}

#[rstest]
#[case::unknown("{loadbalancer: {}}", "loadbalancer: is not a field that is known here (ignored)")]
#[case::simple(
    "{loadBalancer: {simple: FAST}}",
    "loadBalancer.simple: unknown variant `FAST`, expected one of `UNSPECIFIED`, `LEAST_CONN`, `RANDOM`, `PASSTHROUGH`, `ROUND_ROBIN`, `LEAST_REQUEST` (ignored)"
)]
#[case::hash_of_nothing(
    "{loadBalancer: {consistentHash: {}}}",
    "loadBalancer.consistentHash: says nothing that could be hashed (ignored)"
)]
#[case::hash_of_two(
    "{loadBalancer: {consistentHash: {useSourceIp: true, httpHeaderName: a}}}",
    "loadBalancer.consistentHash: more than one thing to hash is named (ignored)"
)]
#[case::tables(
    "{loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {}, maglev: {}}}}",
    "loadBalancer.consistentHash.maglev: ringHash and maglev exclude each other (ignored)"
)]
#[case::prime(
    "{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 1000}}}}",
    "loadBalancer.consistentHash.maglev.tableSize: 1000 is no prime (ignored)"
)]
#[case::one(
    "{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 1}}}}",
    "loadBalancer.consistentHash.maglev.tableSize: 1 is no prime (ignored)"
)]
#[case::large_table(
    "{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 5000039}}}}",
    "loadBalancer.consistentHash.maglev.tableSize: 5000039 is more than 5000011 (ignored)"
)]
#[case::large_ring(
    "{loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 99999999}}}}",
    "loadBalancer.consistentHash.ringHash: 99999999 is more than 8388608 (ignored)"
)]
#[case::cookie(
    "{loadBalancer: {consistentHash: {httpCookie: {}}}}",
    "loadBalancer.consistentHash.httpCookie.name: is missing (ignored)"
)]
#[case::warmup("{loadBalancer: {warmup: {}}}", "loadBalancer.warmup: duration is missing (ignored)")]
#[case::warmup_of_random(
    "{loadBalancer: {simple: RANDOM, warmup: {duration: 1s}}}",
    "loadBalancer.warmup: is for ROUND_ROBIN and LEAST_REQUEST only (ignored)"
)]
#[case::aggression(
    "{loadBalancer: {warmup: {duration: 1s, aggression: 0.5}}}",
    "loadBalancer.warmup: aggression must be 1 to 1000 (ignored)"
)]
#[case::old_warmup(
    "{loadBalancer: {warmupDurationSecs: 1s}}",
    "loadBalancer.warmupDurationSecs: is deprecated; warmup is its name now"
)]
#[case::zone(
    "{loadBalancer: {zoneAwareLbSetting: {}}}",
    "loadBalancer.zoneAwareLbSetting: localities are by localityLbSetting only (ignored)"
)]
#[case::distribution(
    "{loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 99}}]}}}",
    "loadBalancer.localityLbSetting.distribute[0]: the weights are 99 together, and must be 100 (ignored)"
)]
#[case::locality(
    "{loadBalancer: {localityLbSetting: {distribute: [{from: a/*/b, to: {b: 100}}]}}}",
    "loadBalancer.localityLbSetting.distribute[0]: \"a/*/b\" is not region/zone/subzone, of which the rest may be * (ignored)"
)]
#[case::failover(
    "{loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}}",
    "loadBalancer.localityLbSetting: has no effect without outlierDetection: nobody would know when to fail over"
)]
#[case::limit(
    "{connectionPool: {tcp: {maxConnections: -1}}}",
    "connectionPool.tcp.maxConnections: -1 is not a limit; expected 0 to 4294967295 (ignored)"
)]
#[case::limit_text(
    "{connectionPool: {http: {maxRetries: many}}}",
    "connectionPool.http.maxRetries: invalid type: string \"many\", expected i64 (ignored)"
)]
#[case::unknown_tcp(
    "{connectionPool: {tcp: {keepalive: {}}}}",
    "connectionPool.tcp.keepalive: is not a field that is known here (ignored)"
)]
#[case::unknown_pool(
    "{connectionPool: {udp: {}}}",
    "connectionPool.udp: is not a field that is known here (ignored)"
)]
#[case::both_protocols(
    "{connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
    "connectionPool.http.h2UpgradePolicy: has no effect beside useClientProtocol"
)]
#[case::detection(
    "{outlierDetection: {interval: 1}}",
    "outlierDetection.interval: invalid type: integer `1`, expected a string (ignored)"
)]
#[case::percent(
    "{outlierDetection: {maxEjectionPercent: 101}}",
    "outlierDetection.maxEjectionPercent: 101 is not a percentage; expected 0 to 100 (ignored)"
)]
#[case::old_errors(
    "{outlierDetection: {consecutiveErrors: 1}}",
    "outlierDetection.consecutiveErrors: is deprecated; it is taken for consecutiveGatewayErrors, which it became"
)]
#[case::unsplit(
    "{outlierDetection: {consecutiveLocalOriginFailures: 1}}",
    "outlierDetection.consecutiveLocalOriginFailures: has no effect without splitExternalLocalOriginErrors"
)]
#[case::http_of_2018(
    "{outlierDetection: {http: {consecutiveErrors: 1}}}",
    "outlierDetection.http: is not a field that is known here (ignored)"
)]
#[case::code(
    "{outlierDetection: {outlierDetectionHttpErrorCodes: [99]}}",
    "outlierDetection.outlierDetectionHttpErrorCodes[0]: 99 is not a status (ignored)"
)]
#[case::own_certificates(
    "{tls: {mode: ISTIO_MUTUAL, credentialName: pair}}",
    "tls.mode: uses no certificates but the mesh's: those that are named have no effect"
)]
#[case::over(
    "{tls: {mode: MUTUAL, credentialName: old}}",
    "tls.credentialName: Secret default/old: is over (done all the same)"
)]
#[case::newest(
    "{tls: {mode: SIMPLE, credentialName: stale}}",
    "tls.credentialName: the newest version of Secret default/stale is of no use: is no PEM; the one before stays in force (ignored)"
)]
#[case::by_the_system(
    "{tls: {mode: MUTUAL, credentialName: lonely}}",
    "tls.credentialName: Secret default/lonely has no ca.crt: the system's authorities count"
)]
#[case::names_of_the_mesh(
    "{tls: {mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://a/b']}}",
    "tls: each endpoint has to have the identity that the mesh knows it by: names have no effect"
)]
#[case::proxy_protocol(
    "{proxyProtocol: {version: V3}}",
    "proxyProtocol.version: unknown variant `V3`, expected `V1` or `V2` (ignored)"
)]
#[case::port("{portLevelSettings: [{tls: {}}]}", "portLevelSettings[0].port: is missing (ignored)")]
#[case::port_number(
    "{portLevelSettings: [{port: {number: 0}}]}",
    "portLevelSettings[0].port.number: 0 is not a port; expected 1 to 65535 (ignored)"
)]
#[case::port_tunnel(
    "{portLevelSettings: [{port: {number: 80}, tunnel: {}}]}",
    "portLevelSettings[0].tunnel: is not a field that is known here (ignored)"
)]
#[case::cookie_name(
    "{loadBalancer: {consistentHash: {httpCookie: {name: 'a b'}}}}",
    "loadBalancer.consistentHash.httpCookie.name: \"a b\" is not a name of HTTP (ignored)"
)]
#[case::cookie_path(
    "{loadBalancer: {consistentHash: {httpCookie: {name: a, path: '/;b'}}}}",
    "loadBalancer.consistentHash.httpCookie.path: \"/;b\" cannot be a part of a cookie (ignored)"
)]
#[case::pseudo_header(
    "{loadBalancer: {consistentHash: {httpHeaderName: ':path'}}}",
    "loadBalancer.consistentHash.httpHeaderName: \":path\" is no header (ignored)"
)]
fn the_rest_holds(#[case] policy: &str, #[case] expected: &str) {
    assert_eq!(problems_of(policy), format!("spec.trafficPolicy.{expected}"));
    assert_eq!(cluster(policy, 80).refused, "");
}

#[test]
fn a_secret_does_not_leave_its_namespace() {
    let world = World::new(
        "{kind: Service, metadata: {name: a, namespace: back}, spec: {ports: [{name: http, port: 80}]}}
---
{kind: Secret, metadata: {name: ca, namespace: back}, stringData: {ca.crt: A}}
---
{kind: DestinationRule, metadata: {name: a, namespace: back}, spec: {host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: ca}}}}",
    );
    let refused =
        "waypoints of namespace default, which serve a.back.svc.cluster.local, are not given Secret back/ca";
    let found = world.backend(&world.services[0]);
    let field = "spec.trafficPolicy.tls.credentialName";
    assert_eq!(found.form.clusters[0].refused, format!("{field}: {refused}"));
    let told = told(found.remarks.iter().map(|remark| &remark.problem));
    assert_eq!(told, format!("{field}: {refused} (nothing is sent there: 503)"));
    assert!(world.destination_rules[0].problems(&world, &world.mesh).is_empty(), "it is right by itself");
}

#[test]
fn credentials_are_found_wherever_they_are_named() {
    let world = of(
        "{tls: {mode: SIMPLE, credentialName: a}, portLevelSettings: [{port: {number: 80}, tls: {mode: MUTUAL, credentialName: b}}, {port: {number: 81}, tls: {mode: DISABLE, credentialName: c}}]}, subsets: [{name: v1, trafficPolicy: {tls: {mode: SIMPLE, credentialName: d}}}]",
    );
    assert_eq!(world.destination_rules[0].credentials(), ["a", "b", "d"].into());
}
