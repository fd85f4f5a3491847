//! What Kubernetes, or the agent of a node, would have written, as far as it needs several objects to know.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use weir_resources::{
    Gateway, GatewayAddressStatus, Key, Kind, Labels, Meta, Namespace, Object, Pod, ServiceAccount,
};

use super::claims::Claims;
use super::file::Entry;

/// Namespaces and service accounts that are only spoken of, which pods are in the mesh, and where waypoints are.
#[derive(Debug, Default)]
pub(super) struct Derived {
    /// Service accounts, and how many objects run as each.
    accounts: HashMap<Key, usize>,
    /// Of the names of services.
    domain: Arc<str>,
}

impl Derived {
    pub(super) fn new(domain: Arc<str>) -> Self {
        Self { domain, ..Self::default() }
    }

    /// Adds to those of which a file says something else all that follows from them. `told` is what was told of an
    /// object after this was last asked.
    pub(super) fn follow<'a>(
        &mut self,
        touched: &mut BTreeSet<Key>,
        claims: &Claims,
        told: impl Fn(&Key) -> Option<&'a Entry>,
    ) {
        let spoken_of: BTreeSet<&Arc<str>> = touched.iter().map(|key| &key.namespace).collect();
        let spoken_of = spoken_of.into_iter().filter(|name| !name.is_empty());
        let spoken_of: Vec<Key> = spoken_of.map(namespace).collect();
        touched.extend(spoken_of);
        let services = touched.iter().filter(|key| key.kind == Kind::Service);
        let gateways: Vec<Key> = services.map(|key| Key { kind: Kind::Gateway, ..key.clone() }).collect();
        touched.extend(gateways.into_iter().filter(|key| claims.in_force(key).is_some()));
        let joined_or_left: Vec<Arc<str>> = touched
            .iter()
            .filter(|key| key.kind == Kind::Namespace)
            .filter(|key| told(key).is_some_and(is_ambient) != claims.in_force(key).is_some_and(is_ambient))
            .map(|key| Arc::clone(&key.name))
            .collect();
        touched.extend(joined_or_left.iter().flat_map(|name| claims.of(Kind::Pod, name)).cloned());
        let mut accounts = Vec::new();
        for key in &*touched {
            let (before, now) = (told(key).and_then(account), claims.in_force(key).and_then(account));
            if before != now {
                before.iter().for_each(|account| self.leave(account));
                now.iter().for_each(|account| *self.accounts.entry(account.clone()).or_default() += 1);
                accounts.extend(before.into_iter().chain(now));
            }
        }
        touched.extend(accounts);
    }

    fn leave(&mut self, account: &Key) {
        if let Some(count) = self.accounts.get_mut(account) {
            *count -= 1;
            if *count == 0 {
                self.accounts.remove(account);
            }
        }
    }

    /// What is to be told of an object. What a file says is not made up, also not if it cannot be read.
    pub(super) fn entry(&self, key: &Key, claims: &Claims) -> Option<Entry> {
        let Some(entry) = claims.in_force(key) else { return self.made(key, claims) };
        if let Some(Object::Gateway(gateway)) = object(entry) {
            return Some(self.placed(gateway, claims).unwrap_or_else(|| entry.clone()));
        }
        let Some(Object::Pod(pod)) = object(entry) else { return Some(entry.clone()) };
        let is_ambient = || claims.in_force(&namespace(&key.namespace)).is_some_and(is_ambient);
        Some(if is_enrolled(pod, is_ambient) { enrolled(pod) } else { entry.clone() })
    }

    /// In a cluster the controller says where a waypoint is that it has made: at the service of its name. `None`: a file
    /// says so, or there is no such service.
    fn placed(&self, gateway: &Gateway, claims: &Claims) -> Option<Entry> {
        if !gateway.addresses.is_empty() || !WAYPOINTS.contains(&&*gateway.class) {
            return None;
        }
        let (namespace, name) = (Arc::clone(&gateway.meta.namespace), Arc::clone(&gateway.meta.name));
        let host = format!("{name}.{namespace}.svc.{}", self.domain);
        let Object::Service(service) =
            object(claims.in_force(&Key { kind: Kind::Service, namespace, name })?)?
        else {
            return None;
        };
        let ips = service.cluster_ips.iter().map(|ip| GatewayAddressStatus::Ip(*ip));
        let host = (!self.domain.is_empty()).then(|| GatewayAddressStatus::Hostname(host.into()));
        let gateway = Gateway { addresses: ips.chain(host).collect(), ..gateway.clone() };
        Some(Entry::Object(Arc::new(Object::Gateway(gateway))))
    }

    fn made(&self, key: &Key, claims: &Claims) -> Option<Entry> {
        let (namespace, name) = (Arc::clone(&key.namespace), Arc::clone(&key.name));
        let object = match key.kind {
            Kind::Namespace if claims.speak_of(&key.name) => {
                let labels = [("kubernetes.io/metadata.name", Arc::clone(&name))].into_iter().collect();
                Object::Namespace(Namespace { meta: Meta { name, labels, ..Meta::default() } })
            }
            Kind::ServiceAccount if self.accounts.contains_key(key) => {
                Object::ServiceAccount(ServiceAccount { meta: Meta { namespace, name, ..Meta::default() } })
            }
            _ => return None,
        };
        Some(Entry::Object(Arc::new(object)))
    }
}

fn object(entry: &Entry) -> Option<&Object> {
    match entry {
        Entry::Object(object) => Some(object),
        Entry::Invalid(_) => None,
    }
}

fn namespace(name: &Arc<str>) -> Key {
    Key { kind: Kind::Namespace, namespace: Arc::default(), name: Arc::clone(name) }
}

/// As whom it runs.
fn account(entry: &Entry) -> Option<Key> {
    let (namespace, name) = match object(entry)? {
        Object::Pod(pod) => (&pod.meta.namespace, &pod.service_account),
        Object::WorkloadEntry(entry) => (&entry.meta.namespace, &entry.spec.service_account),
        _ => return None,
    };
    Some(Key { kind: Kind::ServiceAccount, namespace: Arc::clone(namespace), name: Arc::clone(name) })
}

fn is_ambient(entry: &Entry) -> bool {
    matches!(object(entry), Some(Object::Namespace(Namespace { meta })) if meta.labels.get(MODE) == Some("ambient"))
}

fn is_enrolled(pod: &Pod, is_namespace_ambient: impl FnOnce() -> bool) -> bool {
    let meta = &pod.meta;
    let is_asked = || match meta.labels.get(MODE) {
        Some("ambient") => true,
        Some("none") => false,
        _ => is_namespace_ambient(),
    };
    !pod.host_network
        && meta.annotations.get("sidecar.istio.io/status").is_none()
        && meta.annotations.get(REDIRECTION).is_none()
        && is_asked()
}

/// In a cluster the agent of the node says so when it has taken the pod.
fn enrolled(pod: &Pod) -> Entry {
    let mut pod = pod.clone();
    let annotations = pod.meta.annotations.iter().chain([(REDIRECTION, "enabled")]);
    pod.meta.annotations = annotations.collect::<Labels>();
    Entry::Object(Arc::new(Object::Pod(pod)))
}

/// Classes of gateways that are waypoints.
const WAYPOINTS: [&str; 2] = ["weir-waypoint", "istio-waypoint"];
const MODE: &str = "istio.io/dataplane-mode";
const REDIRECTION: &str = "ambient.istio.io/redirection";
