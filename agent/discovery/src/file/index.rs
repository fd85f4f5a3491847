//! Who is who in the file: workloads by uid and by name, and the clashes between them.

use std::collections::HashMap;

use serde_saphyr::Spanned;
use weir_model::DEFAULT_CLUSTER;

use super::place::{Problems, clip};
use super::schema::{Document, Text, Workload};

/// Workloads by what other parts of the file call them; the values are places in `workloads`.
pub(super) struct Index {
    by_uid: HashMap<String, usize>,
    by_name: HashMap<(String, String), usize>,
}

impl Index {
    /// Reports uids that are used twice.
    pub(super) fn new(document: &Document, problems: &mut Problems) -> Self {
        let mut index = Self { by_uid: HashMap::new(), by_name: HashMap::new() };
        for (place, entry) in document.workloads.iter().enumerate() {
            let workload = &entry.value;
            let name = (workload.namespace.value.clone(), workload.name.value.clone());
            index.by_name.entry(name).or_insert(place);
            let uid = uid(workload);
            if let Some(first) = index.by_uid.get(&uid) {
                let line = document.workloads[*first].referenced.line();
                let (at, field) = match &workload.uid {
                    Some(given) => (given.referenced, "uid"),
                    None => (workload.name.referenced, "name"),
                };
                let message = format!("uid '{}' is already that of the workload in line {line}", clip(&uid));
                problems.at(at, format_args!("workloads[{place}].{field}"), message);
                continue;
            }
            index.by_uid.insert(uid, place);
        }
        index
    }

    /// The workload that `text` means in `namespace`: a uid, a name there, or `namespace/name`.
    pub(super) fn find(&self, text: &str, namespace: &str) -> Option<usize> {
        let by_name = |ns: &str, name: &str| self.by_name.get(&(ns.to_owned(), name.to_owned())).copied();
        let uid = self.by_uid.get(text).copied();
        let elsewhere = || text.split_once('/').and_then(|(ns, name)| by_name(ns, name));
        uid.or_else(|| by_name(namespace, text)).or_else(elsewhere)
    }
}

/// The given uid, or that of a pod.
pub(super) fn uid(workload: &Workload) -> String {
    if let Some(uid) = &workload.uid {
        return uid.value.clone();
    }
    let cluster = text(&workload.cluster_id);
    let cluster = if cluster.is_empty() { DEFAULT_CLUSTER } else { cluster };
    format!("{cluster}//Pod/{}/{}", workload.namespace.value, workload.name.value)
}

/// The text of an optional field, empty if it is not there.
pub(super) fn text(value: &Text) -> &str {
    value.as_ref().map_or("", |spanned: &Spanned<String>| &spanned.value)
}
