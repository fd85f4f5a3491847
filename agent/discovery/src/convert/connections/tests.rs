//! The extension, well formed and not.

use rstest::rstest;

use super::*;
use crate::convert::service;

fn of(audiences: Vec<l4::Audience>) -> proto::Extension {
    let value = l4::TrafficPolicy { audiences }.encode_to_vec();
    let config = prost_types::Any { type_url: type_url::TRAFFIC_POLICY.into(), value };
    proto::Extension { name: TRAFFIC_POLICY.into(), config: Some(config) }
}

fn of_port(port: l4::PortPolicy) -> Vec<proto::Extension> {
    vec![of(vec![l4::Audience { namespaces: vec!["web".into()], ports: vec![port] }])]
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

fn read(extensions: Vec<proto::Extension>) -> Result<weir_model::Service, String> {
    let message = proto::Service {
        namespace: "shop".into(),
        hostname: "db".into(),
        extensions,
        ..proto::Service::default()
    };
    service(message).map_err(|rejection| rejection.to_string())
}

#[test]
fn all_of_it() {
    let outlier =
        l4::OutlierDetection { consecutive_failures: 3, interval: seconds(5), ..Default::default() };
    let port = l4::PortPolicy {
        port: 80,
        origin: "DestinationRule/shop/db".into(),
        max_connections: 7,
        connect_timeout: seconds(2),
        keepalive: Some(l4::Keepalive { probes: 0, time: seconds(60), interval: seconds(0) }),
        outlier_detection: Some(outlier),
    };
    let mut others = of_port(port);
    others.push(proto::Extension { name: "somebody.else/s".into(), config: None });
    let found = read(others).unwrap();
    let second = Duration::from_secs(1);
    let expected = ConnectionPolicy {
        origin: "DestinationRule/shop/db".into(),
        max_connections: Some(7),
        connect_timeout: Some(2 * second),
        keepalive: Some(Keepalive { probes: None, time: Some(60 * second), interval: None }),
        outlier: Some(OutlierPolicy {
            consecutive_failures: 3,
            interval: 5 * second,
            base_ejection_time: 30 * second,
            max_ejection_percent: 0,
            min_health_percent: 0,
        }),
    };
    assert_eq!(found.policy(80, "web").map(|policy| &**policy), Some(&expected));
    assert_eq!((found.policy(81, "web"), found.policy(80, "shop")), (None, None));
    assert!(read(Vec::new()).unwrap().audiences.is_empty());
}

/// Nothing of it is guessed: the service as a whole is refused.
#[rstest]
#[case::no_port(l4::PortPolicy::default(), "port: 0 is not a port")]
#[case::port(l4::PortPolicy { port: 65536, ..Default::default() }, "port: 65536 is not a port")]
#[case::time(
    l4::PortPolicy { port: 1, connect_timeout: seconds(-1), ..Default::default() },
    "connect_timeout: -1 s and 0 ns are not a length of time"
)]
#[case::keepalive(
    l4::PortPolicy {
        port: 1,
        keepalive: Some(l4::Keepalive { time: seconds(i64::MAX), ..Default::default() }),
        ..Default::default()
    },
    "keepalive.time: 9223372036854775807 s and 0 ns are not a length of time"
)]
#[case::never(
    l4::PortPolicy { port: 1, outlier_detection: Some(Default::default()), ..Default::default() },
    "outlier_detection.consecutive_failures: 0 is not one of 1 and more"
)]
#[case::percent(
    l4::PortPolicy {
        port: 1,
        outlier_detection: Some(l4::OutlierDetection {
            consecutive_failures: 1,
            max_ejection_percent: 101,
            ..Default::default()
        }),
        ..Default::default()
    },
    "outlier_detection.max_ejection_percent: 101 is not one of 0 to 100"
)]
fn what_means_nothing_is_refused(#[case] port: l4::PortPolicy, #[case] expected: &str) {
    let place = "resource \"shop/db\" is refused: extensions[0].audiences[0].ports[0].";
    assert_eq!(read(of_port(port)).unwrap_err(), format!("{place}{expected}"));
}

#[test]
fn what_is_no_such_message_is_refused() {
    let good = of(Vec::new());
    let config = good.config.clone().unwrap();
    let with = |config| vec![proto::Extension { config, ..good.clone() }];
    let bytes = prost_types::Any { value: vec![0xff; 3], ..config.clone() };
    let other = prost_types::Any { type_url: "type.googleapis.com/other".into(), ..config };
    let said = |extensions| read(extensions).unwrap_err();
    assert!(said(with(Some(bytes))).contains("extensions[0].config: cannot be decoded: "));
    assert!(
        said(with(Some(other)))
            .contains("extensions[0].config.type_url: \"type.googleapis.com/other\" is not")
    );
    assert!(said(with(None)).ends_with("extensions[0].config: is missing"));
    assert!(said(vec![good.clone(), good.clone()]).ends_with("extensions[1]: is there twice"));
}
