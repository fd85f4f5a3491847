//! PeerAuthentication: which mode each workload ends up with.
//!
//! The level that is nearest to the workload decides: one that selects it, then its namespace, then the mesh; a
//! level that says UNSET leaves it to the next. DISABLE takes plaintext, as PERMISSIVE does: a node cannot
//! forbid the tunnel.

use std::collections::{BTreeMap, HashMap};

use serde_saphyr::Spanned;
use weir_model::MtlsMode;

use super::Entry;
use super::index::Index;
use super::place::{Problems, clip};
use super::schema::{self, Document, PeerAuthentication};

/// Sets `peer_authentication` of every workload.
pub(super) fn resolve(
    document: &Document,
    index: &Index,
    workloads: &mut [Option<Entry>],
    problems: &mut Problems,
) {
    let levels = Levels::new(document, index, problems);
    for (place, entry) in workloads.iter_mut().enumerate() {
        let Some(Entry { workload, .. }) = entry else { continue };
        let own = levels.by_workload.get(&place).copied();
        let namespace = levels.by_namespace.get(&*workload.namespace).copied();
        let mesh = levels.by_namespace.get("").copied();
        let said = [own, namespace, mesh].into_iter().flatten().find_map(|rule| mode(rule.mode));
        workload.peer_authentication.mode = said.unwrap_or_default();
        workload.peer_authentication.ports = own.map(exceptions).unwrap_or_default();
    }
}

/// Rules by what they hold for.
#[derive(Default)]
struct Levels<'a> {
    /// By place in `workloads`.
    by_workload: HashMap<usize, &'a PeerAuthentication>,
    /// The mesh is the empty namespace.
    by_namespace: HashMap<&'a str, &'a PeerAuthentication>,
}

impl<'a> Levels<'a> {
    fn new(document: &'a Document, index: &Index, problems: &mut Problems) -> Self {
        let mut levels = Self::default();
        for (place, entry) in document.peer_authentication.iter().enumerate() {
            let (rule, at) = (&entry.value, format!("peerAuthentication[{place}]"));
            check_ports(rule, &at, problems);
            if rule.workloads.is_empty() {
                levels.add_namespace(entry, &at, problems);
            }
            for (n, name) in rule.workloads.iter().enumerate() {
                levels.add_workload(rule, name, index, &format!("{at}.workloads[{n}]"), problems);
            }
        }
        levels
    }

    fn add_namespace(&mut self, entry: &'a Spanned<PeerAuthentication>, at: &str, problems: &mut Problems) {
        let rule = &entry.value;
        if let Some(port) = rule.port_level_mtls.values().next() {
            let message = "needs `workloads`: a port is a port of a workload";
            problems.at(port.referenced, format_args!("{at}.portLevelMtls"), message);
        }
        if let Some(other) = self.by_namespace.insert(&rule.namespace, rule) {
            let scope = if rule.namespace.is_empty() { "the mesh".to_owned() } else { clip(&rule.namespace) };
            let (name, line) = (clip(&other.name.value), other.name.referenced.line());
            problems.at(
                entry.referenced,
                at,
                format_args!("'{name}' in line {line} already holds for all of {scope}"),
            );
        }
    }

    fn add_workload(
        &mut self,
        rule: &'a PeerAuthentication,
        name: &Spanned<String>,
        index: &Index,
        at: &str,
        problems: &mut Problems,
    ) {
        let text = clip(&name.value);
        let Some(place) = index.find(&name.value, &rule.namespace) else {
            let namespace = clip(&rule.namespace);
            let message = format!(
                "no workload '{text}'; expected a uid, a name in namespace '{namespace}', or namespace/name"
            );
            return problems.at(name.referenced, at, message);
        };
        if let Some(other) = self.by_workload.insert(place, rule) {
            let (other, line) = (clip(&other.name.value), other.name.referenced.line());
            problems.at(
                name.referenced,
                at,
                format_args!("'{other}' in line {line} already selects workload '{text}'"),
            );
        }
    }
}

fn check_ports(rule: &PeerAuthentication, at: &str, problems: &mut Problems) {
    for (port, value) in &rule.port_level_mtls {
        if port.parse::<u16>().is_err() || port == "0" {
            let field = format!("{at}.portLevelMtls.{}", clip(port));
            problems.at(value.referenced, field, "the key is not a port; expected 1 to 65535");
        }
    }
}

fn exceptions(rule: &PeerAuthentication) -> BTreeMap<u16, MtlsMode> {
    let pairs = rule.port_level_mtls.iter();
    pairs.filter_map(|(port, value)| Some((port.parse().ok()?, mode(value.value)?))).collect()
}

fn mode(mode: schema::MtlsMode) -> Option<MtlsMode> {
    match mode {
        schema::MtlsMode::Unset => None,
        schema::MtlsMode::Disable | schema::MtlsMode::Permissive => Some(MtlsMode::Permissive),
        schema::MtlsMode::Strict => Some(MtlsMode::Strict),
    }
}
