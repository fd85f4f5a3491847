//! What a server of the control plane is called, and whom it asks for a certificate.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use weir_identity::ca::ServerNames;

/// What a server of the control plane is called and speaks.
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// What clients dial.
    pub names: ServerNames,
    /// Protocols by preference (`h2` for gRPC).
    pub alpn: Vec<Vec<u8>>,
    /// Clients may prove themselves with certificates of this trust domain. `None`: nobody is asked for one (the API
    /// server has one of another CA).
    pub clients: Option<Arc<str>>,
    /// How long a certificate of the server lives.
    pub lifetime: Duration,
}

impl TlsConfig {
    /// For gRPC to the mesh's clients.
    pub fn grpc(names: ServerNames, trust_domain: &str) -> Self {
        let alpn = vec![b"h2".to_vec()];
        Self { names, alpn, clients: Some(trust_domain.into()), lifetime: LIFETIME }
    }

    /// For webhooks, which the API server calls over HTTP/1.1.
    pub fn webhook(names: ServerNames) -> Self {
        Self { names, alpn: vec![b"http/1.1".to_vec()], clients: None, lifetime: LIFETIME }
    }
}

/// The names of a Service of the control plane, from its short name to the full one, and this machine.
pub fn service_names(service: &str, namespace: &str, cluster_domain: &str) -> ServerNames {
    let dns = [
        service.to_owned(),
        format!("{service}.{namespace}"),
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.{cluster_domain}"),
        "localhost".to_owned(),
    ];
    ServerNames { dns: dns.into(), ips: vec![[127, 0, 0, 1].into(), Ipv6Addr::LOCALHOST.into()] }
}

/// As long as a workload's.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
