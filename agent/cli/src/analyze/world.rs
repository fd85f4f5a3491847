//! What the checks ask about.

use serde_json::Value;
use weir_index::Config;

use crate::objects::{Item, Objects};

/// All objects, and the names in them.
pub(super) struct World<'a> {
    pub(super) objects: &'a Objects,
    pub(super) config: &'a Config,
    /// Hosts of services, with their namespaces.
    hosts: Vec<(String, &'a str)>,
}

impl<'a> World<'a> {
    pub(super) fn new(objects: &'a Objects, config: &'a Config) -> Self {
        let mut hosts = Vec::new();
        for item in objects.of_kind("Service") {
            hosts.push((
                format!("{}.{}.svc.{}", item.name(), item.namespace(), config.cluster_domain),
                item.namespace(),
            ));
        }
        for item in objects.of_kind("ServiceEntry") {
            let names =
                item.object["spec"]["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str);
            hosts.extend(names.map(|name| (name.to_lowercase(), item.namespace())));
        }
        Self { objects, config, hosts }
    }

    /// A host as a rule in a namespace means it: a name without a dot is that of a service beside it.
    pub(super) fn full(&self, host: &str, namespace: &str) -> String {
        let host = host.to_lowercase();
        match host.contains('.') || host.starts_with('*') {
            true => host,
            false => format!("{host}.{namespace}.svc.{}", self.config.cluster_domain),
        }
    }

    /// Whether there is something of this host.
    pub(super) fn has_host(&self, full: &str) -> bool {
        self.hosts.iter().any(|(known, _)| match (known.strip_prefix('*'), full.strip_prefix('*')) {
            (Some(suffix), None) => full.ends_with(suffix),
            (None, Some(suffix)) => known.ends_with(suffix),
            _ => known == full,
        })
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = &'a Item> {
        self.objects.of_kind("Pod")
    }

    /// Whether anything says which pods there are; files often do not.
    pub(super) fn knows_pods(&self) -> bool {
        self.pods().next().is_some()
    }

    pub(super) fn namespace(&self, name: &str) -> Option<&'a Item> {
        self.objects.of_kind("Namespace").find(|item| item.name() == name)
    }

    /// Whether a pod is to be in the mesh.
    pub(super) fn is_enrolled(&self, pod: &Item) -> bool {
        let own = pod.meta("labels", MODE);
        let inherited =
            || self.namespace(pod.namespace()).and_then(|namespace| namespace.meta("labels", MODE));
        own.or_else(inherited) == Some("ambient")
    }
}

/// Whether labels are selected by `matchLabels`.
pub(super) fn selects(selector: &Value, item: &Item) -> bool {
    let wanted = selector.as_object().into_iter().flatten();
    wanted.into_iter().all(|(name, value)| item.object["metadata"]["labels"][name] == *value)
}

/// The label of enrolment.
pub(super) const MODE: &str = "istio.io/dataplane-mode";
