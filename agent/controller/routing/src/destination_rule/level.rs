//! Levels of a traffic policy: the destination's, those of its ports, the subset's, those of its ports.

use super::spec::{
    ConnectionPool, LoadBalancer, OutlierDetection, PortPolicy, ProxyProtocol, RetryBudget, Tls, TlsMode,
    TrafficPolicy,
};
use crate::part::{Part, Place};
use crate::problem::{Effect, Problems, Reason};

/// What holds for one port of the service or of a subset, each part with its path.
#[derive(Clone, Default)]
pub(super) struct Level<'a> {
    pub(super) load_balancer: At<'a, LoadBalancer>,
    pub(super) connection_pool: At<'a, ConnectionPool>,
    pub(super) outlier_detection: At<'a, OutlierDetection>,
    pub(super) tls: At<'a, Tls>,
    pub(super) tunnel: At<'a, serde_json::Value>,
    pub(super) proxy_protocol: At<'a, ProxyProtocol>,
    pub(super) retry_budget: At<'a, RetryBudget>,
    /// A level cannot be read, so that nobody knows whether it asks for TLS.
    pub(super) unreadable: bool,
}

/// A part and where it is written; `None` if no level has it.
pub(super) type At<'a, T> = Option<(&'a Part<T>, String)>;

impl<'a> Level<'a> {
    /// This level, with what `policy` at `field` says for a port in its place.
    pub(super) fn with(
        self,
        policy: &'a Part<TrafficPolicy>,
        field: &str,
        port: u16,
        problems: &mut Problems,
    ) -> Self {
        let place = Place { field, effect: Effect::ClusterRefused };
        let policy = match policy.try_get(&place, problems) {
            Ok(Some(policy)) => policy,
            Ok(None) => return self,
            Err(_) => return Self { unreadable: true, ..self },
        };
        // Reported.
        let _ = policy.unknown.report(&Place { field, effect: Effect::Ignored }, problems);
        let level = Self {
            load_balancer: at(&policy.load_balancer, field, "loadBalancer").or(self.load_balancer),
            connection_pool: at(&policy.connection_pool, field, "connectionPool").or(self.connection_pool),
            outlier_detection: at(&policy.outlier_detection, field, "outlierDetection")
                .or(self.outlier_detection),
            tls: at(&policy.tls, field, "tls").or(self.tls),
            tunnel: at(&policy.tunnel, field, "tunnel").or(self.tunnel),
            proxy_protocol: at(&policy.proxy_protocol, field, "proxyProtocol").or(self.proxy_protocol),
            retry_budget: at(&policy.retry_budget, field, "retryBudget").or(self.retry_budget),
            unreadable: self.unreadable,
        };
        match port_level(policy, field, port, problems) {
            Some((policy, field)) => level.at_port(policy, &field),
            None => level,
        }
    }

    /// A port's settings take the place of what stands above them, also where they say nothing.
    fn at_port(self, policy: &'a PortPolicy, field: &str) -> Self {
        Self {
            load_balancer: at(&policy.load_balancer, field, "loadBalancer"),
            connection_pool: at(&policy.connection_pool, field, "connectionPool"),
            outlier_detection: at(&policy.outlier_detection, field, "outlierDetection"),
            tls: at(&policy.tls, field, "tls"),
            ..self
        }
    }
}

fn at<'a, T>(part: &'a Part<T>, field: &str, name: &str) -> At<'a, T> {
    part.is_there().then(|| (part, format!("{field}.{name}")))
}

/// The settings of a port, the first that names it.
fn port_level<'a>(
    policy: &'a TrafficPolicy,
    field: &str,
    port: u16,
    problems: &mut Problems,
) -> Option<(&'a PortPolicy, String)> {
    let field = format!("{field}.portLevelSettings");
    let effect = Effect::Ignored;
    let list = policy.port_level_settings.get(&Place { field: &field, effect }, problems)?;
    let mut found = None;
    for (i, part) in list.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let Some(given) = part.get(&Place { field: &field, effect }, problems) else { continue };
        // Reported.
        let _ = given.unknown.report(&Place { field: &field, effect }, problems);
        let path = format!("{field}.port");
        match given.port.try_get(&Place { field: &path, effect }, problems) {
            Ok(Some(selector)) if selector.number.0 == port => found = found.or(Some((given, field))),
            Ok(None) => problems.add(path, Reason::Invalid, effect, "is missing"),
            Ok(Some(_)) | Err(_) => {}
        }
    }
    found
}

/// The ports that a policy names.
pub(super) fn ports(policy: &Part<TrafficPolicy>) -> Vec<u16> {
    let Part::Read(TrafficPolicy { port_level_settings: Part::Read(list), .. }) = policy else {
        return Vec::new();
    };
    let named = list.iter().filter_map(|part| match part {
        Part::Read(PortPolicy { port: Part::Read(selector), .. }) => Some(selector.number.0),
        _ => None,
    });
    named.collect()
}

/// The credentials that a policy names, and those that its ports do.
pub(super) fn credentials(policy: &Part<TrafficPolicy>) -> Vec<&str> {
    let Part::Read(policy) = policy else { return Vec::new() };
    let ports = match &policy.port_level_settings {
        Part::Read(ports) => ports.as_slice(),
        Part::Absent | Part::Wrong(_) => &[],
    };
    let of_ports = ports.iter().filter_map(|part| match part {
        Part::Read(port) => Some(&port.tls),
        Part::Absent | Part::Wrong(_) => None,
    });
    let named = [&policy.tls].into_iter().chain(of_ports).filter_map(|part| match part {
        Part::Read(tls) if matches!(tls.mode, TlsMode::Simple | TlsMode::Mutual) => {
            Some(&*tls.credential_name)
        }
        _ => None,
    });
    named.filter(|name| !name.is_empty()).collect()
}
