//! Matches and connections as the tables write them.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use crate::policy::{Match, ServiceAccountMatch, StringMatch};
use crate::{Connection, Identity};

/// A [`Connection`] that owns its peer.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) peer: Option<Identity>,
    pub(super) source_ip: IpAddr,
    pub(super) destination: SocketAddr,
}

impl Visit {
    pub(super) fn borrow(&self) -> Connection<'_> {
        let (source_ip, destination) = (self.source_ip, self.destination);
        Connection { peer: self.peer.as_ref(), source_ip, destination }
    }
}

/// The connections that the tables name.
pub(super) static WORLD: LazyLock<[(&'static str, Visit); 6]> = LazyLock::new(|| {
    [
        ("web", visit("cluster.local/ns/shop/sa/web", "10.0.1.5", "10.0.2.7:8080")),
        ("db", visit("cluster.local/ns/data/sa/db", "10.0.3.1", "10.0.2.7:9090")),
        ("far", visit("example.org/ns/shop/sa/web", "10.9.0.1", "10.0.2.8:8080")),
        ("six", visit("cluster.local/ns/shop-2/sa/web-2", "2001:db8::5", "[2001:db8:1::7]:8080")),
        ("plain", visit("", "10.0.1.5", "10.0.2.7:8080")),
        ("plain6", visit("", "2001:db8::6", "[2001:db8:1::7]:443")),
    ]
});

fn visit(principal: &str, source: &str, destination: &str) -> Visit {
    let peer = Some(principal).filter(|p| !p.is_empty());
    Visit {
        peer: peer.map(|p| format!("spiffe://{p}").parse().unwrap()),
        source_ip: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

/// A match written as `kind=value,value; kind=value`.
pub(super) fn read(text: &str) -> Match {
    let mut made = Match::default();
    for (kind, values) in text.split(';').filter_map(|part| part.trim().split_once('=')) {
        let values = || values.split(',');
        let strings = || values().map(string).collect();
        let nets = || values().map(|net| net.parse().unwrap()).collect();
        let ports = || values().map(|port| port.parse::<u16>().unwrap()).collect();
        let accounts = || values().map(account).collect();
        match kind {
            "namespaces" => made.namespaces = strings(),
            "not_namespaces" => made.not_namespaces = strings(),
            "principals" => made.principals = strings(),
            "not_principals" => made.not_principals = strings(),
            "src" => made.source_ips = nets(),
            "not_src" => made.not_source_ips = nets(),
            "dst" => made.destination_ips = nets(),
            "not_dst" => made.not_destination_ips = nets(),
            "ports" => made.destination_ports = ports(),
            "not_ports" => made.not_destination_ports = ports(),
            "accounts" => made.service_accounts = accounts(),
            "not_accounts" => made.not_service_accounts = accounts(),
            other => panic!("no kind {other}"),
        }
    }
    made
}

/// As in the YAML: `*` is presence, `x*` a prefix, `*x` a suffix.
fn string(text: &str) -> StringMatch {
    match text {
        "*" => StringMatch::Presence,
        text if text.starts_with('*') => StringMatch::Suffix(text[1..].into()),
        text => text
            .strip_suffix('*')
            .map_or_else(|| StringMatch::Exact(text.into()), |prefix| StringMatch::Prefix(prefix.into())),
    }
}

fn account(text: &str) -> ServiceAccountMatch {
    let (namespace, service_account) = text.split_once('/').unwrap();
    ServiceAccountMatch { namespace: namespace.into(), service_account: service_account.into() }
}
