//! Labels of clients and endpoints that rules ask for: others are not told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_proto::l7;

use super::unit::Unit;

/// Which labels are asked for, and by whom.
#[derive(Debug, Default)]
pub(super) struct LabelsAsked {
    by: HashMap<Unit, BTreeSet<Arc<str>>>,
    counts: BTreeMap<Arc<str>, usize>,
    changed: bool,
}

impl LabelsAsked {
    /// What a unit asks for now.
    pub(super) fn set(&mut self, unit: &Unit, now: BTreeSet<Arc<str>>) {
        let before = match now.is_empty() {
            true => self.by.remove(unit),
            false => self.by.insert(unit.clone(), now.clone()),
        };
        let before = before.unwrap_or_default();
        for label in now.difference(&before) {
            let count = self.counts.entry(label.clone()).or_default();
            *count += 1;
            self.changed |= *count == 1;
        }
        for label in before.difference(&now) {
            if let Some(count) = self.counts.get_mut(label) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(label);
                    self.changed = true;
                }
            }
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        self.counts.keys()
    }

    /// Whether there are others than at the last call.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}

/// The labels of clients that the rules of a frontend ask for.
pub(super) fn of_clients(form: &l7::Frontend) -> BTreeSet<Arc<str>> {
    let of_port = |port: &l7::FrontendPort| {
        let rules = port.http.iter().flat_map(|set| &set.rules).flat_map(|rule| &rule.matches);
        let routes = port.tls.iter().chain(&port.tcp).flat_map(|route| &route.matches);
        let sources = rules.filter_map(|one| one.source.as_ref());
        let sources = sources.chain(routes.filter_map(|one| one.source.as_ref()));
        sources.flat_map(|source| source.labels.keys()).map(|label| label.as_str().into()).collect::<Vec<_>>()
    };
    form.ports.iter().flat_map(of_port).collect()
}
