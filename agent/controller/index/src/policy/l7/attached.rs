//! All policies that are attached to something, by what they are attached to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::l7::{Action, Authorization};

use super::AtWaypoints;
use crate::policy::target::{Target, TargetKind};

/// All policies that are attached to something.
#[derive(Debug, Default)]
pub(in crate::policy) struct Attached {
    root: Arc<str>,
    policies: BTreeMap<Name, AtWaypoints>,
    by_target: BTreeMap<Target, BTreeSet<Name>>,
    /// Those that may be for all of a namespace, by that.
    elsewhere: BTreeMap<Arc<str>, BTreeSet<Name>>,
    changed: Reattached,
    standings: BTreeMap<Target, Standing>,
    /// Targets that nobody said anything about since they, or their waypoint, changed.
    unjudged: BTreeSet<Target>,
}

/// Namespace and name of a policy.
type Name = (Arc<str>, Arc<str>);

/// What has other policies than before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reattached {
    pub(crate) targets: BTreeSet<Target>,
    /// All in these namespaces.
    pub(crate) namespaces: BTreeSet<Arc<str>>,
    /// All there is.
    pub(crate) everything: bool,
}

/// How a target stands to waypoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    NotFound,
    /// It has no waypoint, and why.
    NotBound(String),
    Bound,
}

impl Attached {
    pub(in crate::policy) fn new(root: &Arc<str>) -> Self {
        Self { root: root.clone(), ..Self::default() }
    }

    /// Puts a policy in its place; `None`: it is for no waypoint.
    pub(in crate::policy) fn replace(&mut self, name: &Name, now: Option<&AtWaypoints>) {
        if self.policies.get(name) == now {
            return;
        }
        if let Some(before) = self.policies.remove(name) {
            self.unlink(name, &before);
            self.note(name, &before);
        }
        if let Some(now) = now {
            self.link(name, now);
            self.note(name, now);
            self.policies.insert(name.clone(), now.clone());
        }
    }

    /// What holds for a target, in the order of the names.
    pub(in crate::policy) fn of(&self, target: &Target) -> Vec<Authorization> {
        let named = self.by_target.get(target).into_iter().flatten();
        let everywhere = [&target.namespace, &self.root].into_iter().collect::<BTreeSet<_>>();
        let elsewhere =
            everywhere.into_iter().filter_map(|namespace| self.elsewhere.get(namespace)).flatten();
        let names: BTreeSet<&Name> = named.chain(elsewhere).collect();
        let policies = names.into_iter().filter_map(|name| self.policies.get(name));
        let forms = policies.filter_map(|policy| match policy.targets.contains(target) {
            true => Some(&policy.policy),
            false => policy.elsewhere.as_ref(),
        });
        forms.map(|form| Authorization::clone(form)).collect()
    }

    /// Whether anything that is enforced holds for a target.
    pub(in crate::policy) fn demands(&self, target: &Target) -> bool {
        let enforced = |form: &Authorization| !form.dry_run && form.action() != Action::Audit;
        let named = self.by_target.get(target).into_iter().flatten();
        let everywhere = [&target.namespace, &self.root].into_iter().filter_map(|ns| self.elsewhere.get(ns));
        named.filter_map(|name| self.policies.get(name)).any(|policy| enforced(&policy.policy))
            || everywhere
                .flatten()
                .filter_map(|name| self.policies.get(name)?.elsewhere.as_ref())
                .any(|form| enforced(form))
    }

    /// Whether there is no policy at all.
    pub(in crate::policy) fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// What has other policies since the last call.
    pub(in crate::policy) fn take_changed(&mut self) -> Reattached {
        std::mem::take(&mut self.changed)
    }

    /// A target, or what binds it to a waypoint, is another.
    pub(in crate::policy) fn touch(&mut self, kind: TargetKind, namespace: &Arc<str>, name: &Arc<str>) {
        if self.by_target.is_empty() {
            return;
        }
        let target = Target { kind, namespace: namespace.clone(), name: name.clone() };
        if self.by_target.contains_key(&target) {
            self.unjudged.insert(target);
        }
    }

    /// Targets whose standing is asked for.
    pub(in crate::policy) fn take_unjudged(&mut self) -> BTreeSet<Target> {
        std::mem::take(&mut self.unjudged)
    }

    /// How a target stands. Answers with the policies that name it, if that is news.
    pub(in crate::policy) fn judge(&mut self, target: Target, standing: Standing) -> Vec<Name> {
        let Some(names) = self.by_target.get(&target) else { return Vec::new() };
        match self.standings.get(&target) == Some(&standing) {
            true => Vec::new(),
            false => {
                let names = names.iter().cloned().collect();
                self.standings.insert(target, standing);
                names
            }
        }
    }

    pub(in crate::policy) fn standing(&self, target: &Target) -> Standing {
        self.standings.get(target).cloned().unwrap_or_default()
    }

    fn link(&mut self, name: &Name, policy: &AtWaypoints) {
        for target in &policy.targets {
            self.by_target.entry(target.clone()).or_default().insert(name.clone());
            self.unjudged.insert(target.clone());
        }
        if policy.elsewhere.is_some() {
            self.elsewhere.entry(name.0.clone()).or_default().insert(name.clone());
        }
    }

    fn unlink(&mut self, name: &Name, policy: &AtWaypoints) {
        for target in &policy.targets {
            if take(&mut self.by_target, target, name) {
                self.standings.remove(target);
                self.unjudged.remove(target);
            }
        }
        take(&mut self.elsewhere, &name.0, name);
    }

    fn note(&mut self, (namespace, _): &Name, policy: &AtWaypoints) {
        self.changed.targets.extend(policy.targets.iter().cloned());
        match (&policy.elsewhere, *namespace == self.root) {
            (None, _) => {}
            (Some(_), true) => self.changed.everything = true,
            (Some(_), false) => drop(self.changed.namespaces.insert(namespace.clone())),
        }
    }
}

/// Takes a name away; whether it was the last one there.
fn take<K: Ord>(of: &mut BTreeMap<K, BTreeSet<Name>>, place: &K, name: &Name) -> bool {
    let Some(names) = of.get_mut(place) else { return false };
    names.remove(name);
    names.is_empty() && of.remove(place).is_some()
}
