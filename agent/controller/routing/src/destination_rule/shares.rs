//! Which fields node agents enforce where there is no waypoint, and which nobody does there.

use super::DestinationRule;
use super::spec::{ConnectionPool, LoadBalancer, OutlierDetection, PortPolicy, Tls, TlsMode, TrafficPolicy};
use crate::part::Part;

/// Fields of a DestinationRule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shares {
    /// What node agents enforce by themselves.
    pub agents: Vec<String>,
    /// What only a waypoint would.
    pub waypoint: Vec<String>,
}

impl DestinationRule {
    /// Its fields, by who could do what they say. Those that cannot be read are nobody's, and have been told.
    pub fn shares(&self) -> Shares {
        let mut shares = Shares::default();
        if let Part::Read(policy) = &self.policy {
            shares.add_policy(policy, "trafficPolicy");
        }
        for subset in &self.subsets {
            shares.waypoint.push(subset.field.trim_start_matches("spec.").to_owned());
        }
        shares
    }
}

/// What a rule and its ports both may say.
struct Common<'a> {
    pool: &'a Part<ConnectionPool>,
    outlier: &'a Part<OutlierDetection>,
    balancer: &'a Part<LoadBalancer>,
    tls: &'a Part<Tls>,
}

impl Shares {
    fn add_policy(&mut self, policy: &TrafficPolicy, field: &str) {
        self.add_common(
            &Common {
                pool: &policy.connection_pool,
                outlier: &policy.outlier_detection,
                balancer: &policy.load_balancer,
                tls: &policy.tls,
            },
            field,
        );
        self.waypoint(field, "tunnel", policy.tunnel.is_there());
        self.waypoint(field, "proxyProtocol", policy.proxy_protocol.is_there());
        self.waypoint(field, "retryBudget", policy.retry_budget.is_there());
        let Part::Read(ports) = &policy.port_level_settings else { return };
        for (i, port) in ports.iter().enumerate() {
            if let Part::Read(port) = port {
                self.add_port(port, &format!("{field}.portLevelSettings[{i}]"));
            }
        }
    }

    fn add_port(&mut self, port: &PortPolicy, field: &str) {
        let common = Common {
            pool: &port.connection_pool,
            outlier: &port.outlier_detection,
            balancer: &port.load_balancer,
            tls: &port.tls,
        };
        self.add_common(&common, field);
    }

    fn add_common(&mut self, common: &Common<'_>, field: &str) {
        self.waypoint(field, "loadBalancer", common.balancer.is_there());
        if let Part::Read(pool) = common.pool {
            self.add_pool(pool, &format!("{field}.connectionPool"));
        }
        if let Part::Read(outlier) = common.outlier {
            self.agents(field, "outlierDetection", true);
            let statuses = outlier.outlier_detection_http_error_codes.is_there();
            self.waypoint(field, "outlierDetection.outlierDetectionHttpErrorCodes", statuses);
        }
        // What is asked for by DISABLE is what agents do: nothing of the user's.
        let asks = matches!(common.tls, Part::Read(tls) if tls.mode != TlsMode::Disable);
        self.waypoint(field, "tls", asks);
    }

    fn add_pool(&mut self, pool: &ConnectionPool, field: &str) {
        self.waypoint(field, "http", pool.http.is_there());
        let Part::Read(tcp) = &pool.tcp else { return };
        self.agents(field, "tcp.maxConnections", tcp.max_connections.is_there());
        self.agents(field, "tcp.connectTimeout", tcp.connect_timeout.is_there());
        self.agents(field, "tcp.tcpKeepalive", tcp.tcp_keepalive.is_there());
        self.waypoint(field, "tcp.maxConnectionDuration", tcp.max_connection_duration.is_there());
        self.waypoint(field, "tcp.idleTimeout", tcp.idle_timeout.is_there());
    }

    fn agents(&mut self, field: &str, name: &str, is_there: bool) {
        self.agents.extend(is_there.then(|| format!("{field}.{name}")));
    }

    fn waypoint(&mut self, field: &str, name: &str, is_there: bool) {
        self.waypoint.extend(is_there.then(|| format!("{field}.{name}")));
    }
}
