//! What Kubernetes, or the agent of a node, would have written, as far as it needs several objects to know.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use weir_resources::{Key, Labels, Meta, Namespace, Object, Pod, ServiceAccount};

use super::file::Entry;

/// Adds namespaces and service accounts that are only spoken of, and says which pods are in the mesh.
pub(super) fn derive(all: &mut BTreeMap<Key, Entry>) {
    namespaces(all);
    service_accounts(all);
    enrolment(all);
}

fn namespaces(all: &mut BTreeMap<Key, Entry>) {
    let spoken_of: BTreeSet<Arc<str>> =
        all.keys().map(|key| key.namespace.clone()).filter(|n| !n.is_empty()).collect();
    for name in spoken_of {
        let labels = [("kubernetes.io/metadata.name", Arc::clone(&name))].into_iter().collect();
        let meta = Meta { name, labels, ..Meta::default() };
        add(all, Object::Namespace(Namespace { meta }));
    }
}

fn service_accounts(all: &mut BTreeMap<Key, Entry>) {
    let of = |entry: &Entry| match entry {
        Entry::Object(object) => match &**object {
            Object::Pod(pod) => Some((pod.meta.namespace.clone(), pod.service_account.clone())),
            Object::WorkloadEntry(entry) => {
                Some((entry.meta.namespace.clone(), entry.spec.service_account.clone()))
            }
            _ => None,
        },
        Entry::Invalid(_) => None,
    };
    let spoken_of: BTreeSet<(Arc<str>, Arc<str>)> = all.values().filter_map(of).collect();
    for (namespace, name) in spoken_of {
        add(
            all,
            Object::ServiceAccount(ServiceAccount { meta: Meta { namespace, name, ..Meta::default() } }),
        );
    }
}

/// Does not touch what a file says, also not if it cannot be read.
fn add(all: &mut BTreeMap<Key, Entry>, object: Object) {
    all.entry(object.key()).or_insert_with(|| Entry::Object(Arc::new(object)));
}

/// In a cluster the agent of the node says so when it has taken the pod.
fn enrolment(all: &mut BTreeMap<Key, Entry>) {
    let ambient: HashSet<Arc<str>> = all.values().filter_map(ambient_namespace).collect();
    for entry in all.values_mut() {
        let Entry::Object(object) = entry else { continue };
        let Object::Pod(pod) = &**object else { continue };
        if is_enrolled(pod, &ambient) {
            let mut pod = pod.clone();
            let others = pod.meta.annotations.iter().chain([(REDIRECTION, "enabled")]);
            pod.meta.annotations = others.collect::<Labels>();
            *entry = Entry::Object(Arc::new(Object::Pod(pod)));
        }
    }
}

fn ambient_namespace(entry: &Entry) -> Option<Arc<str>> {
    let Entry::Object(object) = entry else { return None };
    let Object::Namespace(Namespace { meta }) = &**object else { return None };
    (meta.labels.get(MODE) == Some("ambient")).then(|| meta.name.clone())
}

fn is_enrolled(pod: &Pod, ambient: &HashSet<Arc<str>>) -> bool {
    let meta = &pod.meta;
    let asked = match meta.labels.get(MODE) {
        Some("ambient") => true,
        Some("none") => false,
        _ => ambient.contains(&meta.namespace),
    };
    asked
        && !pod.host_network
        && meta.annotations.get("sidecar.istio.io/status").is_none()
        && meta.annotations.get(REDIRECTION).is_none()
}

const MODE: &str = "istio.io/dataplane-mode";
const REDIRECTION: &str = "ambient.istio.io/redirection";
