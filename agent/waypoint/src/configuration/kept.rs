//! What a backend needs beside itself: credentials that its clusters name, and the addresses of its endpoints' names.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use weir_proto::l7;

use super::ByName;
use crate::upstream::Credential;

/// Credentials and addresses, by name.
#[derive(Debug, Default)]
pub(super) struct Kept {
    credentials: ByName<Held>,
    addresses: ByName<Resolved>,
}

/// `None`: what came could not be understood, and nothing came before it.
type Held = Option<Arc<Credential>>;

/// What DNS has said of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These, in the order of the answer.
    Addresses(Vec<IpAddr>),
    /// There is no such name, or it has no address: as certain as an address is.
    None(String),
    /// Nobody knows: what was known before stays.
    Failed(String),
}

/// What is known of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Resolved {
    addresses: Vec<IpAddr>,
    /// Why there are none, or why these are old.
    problem: Option<String>,
}

impl Kept {
    /// Takes a credential in the place of the one before.
    pub(super) fn put(&mut self, name: &str, credential: Credential) {
        self.credentials.insert(name.into(), Some(Arc::new(credential)));
    }

    /// What came in its place is of no use. What was there stays in force.
    pub(super) fn refuse(&mut self, name: &str) {
        self.credentials.entry(name.into()).or_default();
    }

    pub(super) fn answer(&mut self, name: &str, answer: Answer) {
        let kept = self.addresses.entry(name.into()).or_default();
        *kept = match answer {
            Answer::Addresses(addresses) => Resolved { addresses, problem: None },
            Answer::None(why) => Resolved { addresses: Vec::new(), problem: Some(why) },
            Answer::Failed(why) => Resolved { problem: Some(why), ..std::mem::take(kept) },
        };
    }

    /// Forgets whatever nobody names any more.
    pub(super) fn retain(&mut self, secrets: impl Fn(&str) -> bool, names: impl Fn(&str) -> bool) {
        self.credentials.retain(|name, _| secrets(name));
        self.addresses.retain(|name, _| names(name));
    }

    /// Whether there is nothing to wait for.
    pub(super) fn has_all(&self, backend: &l7::Backend, endpoints: &l7::Endpoints) -> bool {
        secrets(backend).all(|name| self.credentials.contains_key(name))
            && names(endpoints).all(|name| self.addresses.contains_key(name))
    }

    /// The credentials that a backend names, as far as they are there.
    pub(super) fn credentials(&self, backend: &l7::Backend) -> ByName<Arc<Credential>> {
        let named = secrets(backend).filter_map(|name| self.credentials.get_key_value(name));
        named.filter_map(|(name, held)| Some((name.clone(), held.clone()?))).collect()
    }

    /// Endpoints with addresses in the place of names, and names without an address with the reason.
    pub(super) fn resolve(&self, endpoints: &Arc<l7::Endpoints>) -> (Arc<l7::Endpoints>, ByName<String>) {
        if names(endpoints).next().is_none() {
            return (endpoints.clone(), ByName::new());
        }
        let mut missing = BTreeMap::new();
        let mut all = Vec::new();
        for endpoint in &endpoints.endpoints {
            if !is_name(endpoint) {
                all.push(endpoint.clone());
                continue;
            }
            let (known, nothing) = (self.addresses.get(&*endpoint.hostname), Resolved::default());
            let known = known.unwrap_or(&nothing);
            if let (true, Some(problem)) = (known.addresses.is_empty(), &known.problem) {
                missing.insert(endpoint.hostname.as_str().into(), problem.clone());
            }
            let count = if endpoint.one_address { 1 } else { usize::MAX };
            all.extend(known.addresses.iter().take(count).map(|ip| at(endpoint, *ip)));
        }
        (Arc::new(l7::Endpoints { endpoints: all, ..(**endpoints).clone() }), missing)
    }
}

/// Secrets that a backend's clusters name.
pub(super) fn secrets(backend: &l7::Backend) -> impl Iterator<Item = &str> {
    let named = backend.clusters.iter().filter_map(|cluster| cluster.tls.as_ref());
    named.map(|tls| tls.secret.as_str()).filter(|name| !name.is_empty())
}

/// Names that endpoints have in the place of addresses.
pub(super) fn names(endpoints: &l7::Endpoints) -> impl Iterator<Item = &str> {
    endpoints.endpoints.iter().filter(|endpoint| is_name(endpoint)).map(|endpoint| &*endpoint.hostname)
}

fn is_name(endpoint: &l7::Endpoint) -> bool {
    endpoint.addresses.is_empty() && !endpoint.hostname.is_empty()
}

fn at(endpoint: &l7::Endpoint, ip: IpAddr) -> l7::Endpoint {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    l7::Endpoint { addresses: vec![bytes], ..endpoint.clone() }
}
