//! Services that are served.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::l7;

use super::ByName;
use super::named::{self, Reference};
use super::picture::Served;

/// By name.
#[derive(Debug, Default)]
pub(super) struct Frontends(BTreeMap<Arc<str>, Entry>);

#[derive(Debug)]
struct Entry {
    newest: Form,
    /// All of whose backends are known.
    in_force: Option<Form>,
    served: Option<Arc<Served>>,
}

#[derive(Debug, Clone)]
struct Form {
    frontend: Arc<l7::Frontend>,
    /// What it names, itself first: asked at every change of whatever, and found out once.
    backends: Arc<[String]>,
    references: Arc<[Reference]>,
    /// Whether its routes look at the labels of clients.
    asks_labels: bool,
}

impl Frontends {
    pub(super) fn put(&mut self, name: &str, frontend: l7::Frontend) {
        let newest = Form::new(frontend);
        match self.0.get_mut(name) {
            Some(entry) => entry.newest = newest,
            None => {
                self.0.insert(name.into(), Entry { newest, in_force: None, served: None });
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Backends that the newest routes name, and those that are in force until then.
    pub(super) fn backends_of(&self, name: &str) -> Vec<String> {
        let Some(entry) = self.0.get(name) else { return Vec::new() };
        let forms = [Some(&entry.newest), entry.in_force.as_ref()];
        forms.into_iter().flatten().flat_map(|form| form.backends.iter().cloned()).collect()
    }

    /// Whether the newest routes, or those that are in force until then, look at the labels of clients.
    pub(super) fn asks_labels(&self, name: &str) -> bool {
        let Some(entry) = self.0.get(name) else { return false };
        entry.newest.asks_labels || entry.in_force.as_ref().is_some_and(|form| form.asks_labels)
    }

    /// Puts into force whatever can be, and forgets what is not `wanted`. What replaces other routes also waits for each port
    /// and subset; what replaces nothing serves what can be served.
    pub(super) fn settle(
        &mut self,
        wanted: &BTreeSet<String>,
        is_known: impl Fn(&str) -> bool,
        has: impl Fn(&Reference) -> bool,
    ) {
        self.0.retain(|name, _| wanted.contains(&**name));
        for entry in self.0.values_mut() {
            let newest = &entry.newest;
            let is_same =
                entry.in_force.as_ref().is_some_and(|form| Arc::ptr_eq(&form.frontend, &newest.frontend));
            let is_whole = || entry.in_force.is_none() || newest.references.iter().all(&has);
            if !is_same && newest.backends.iter().all(|backend| is_known(backend)) && is_whole() {
                entry.in_force = Some(newest.clone());
            }
        }
    }

    /// What is in force. What is the same as before stays the same.
    pub(super) fn served(&mut self, waypoint: &Arc<l7::Waypoint>) -> ByName<Arc<Served>> {
        let one = |(name, entry): (&Arc<str>, &mut Entry)| Some((name.clone(), entry.serve(waypoint)?));
        self.0.iter_mut().filter_map(one).collect()
    }

    /// Whose newest routes wait, and for what.
    pub(super) fn waiting(
        &self,
        is_known: impl Fn(&str) -> bool,
        has: impl Fn(&Reference) -> bool,
    ) -> ByName<String> {
        let one = |(name, entry): (&Arc<str>, &Entry)| {
            let missing = entry.newest.backends.iter().find(|backend| !is_known(backend));
            let part = || entry.newest.references.iter().find(|reference| !has(reference));
            let missing = missing.or_else(|| part().map(|reference| &reference.backend))?;
            Some((name.clone(), missing.clone()))
        };
        self.0.iter().filter_map(one).collect()
    }
}

impl Form {
    fn new(frontend: l7::Frontend) -> Self {
        let references: Arc<[Reference]> = named::references(&frontend).collect();
        let named = references.iter().map(|reference| reference.backend.clone());
        let backends = std::iter::once(named::own(&frontend)).chain(named).collect();
        let asks_labels = named::asks_labels(&frontend);
        Self { backends, references, asks_labels, frontend: frontend.into() }
    }
}

impl Entry {
    fn serve(&mut self, waypoint: &Arc<l7::Waypoint>) -> Option<Arc<Served>> {
        let (routes, newest) = (self.in_force.as_ref()?.frontend.clone(), &self.newest.frontend);
        let is_same = |old: &Arc<Served>| {
            Arc::ptr_eq(&old.routes, &routes)
                && Arc::ptr_eq(&old.newest, newest)
                && Arc::ptr_eq(&old.waypoint, waypoint)
        };
        let served = match self.served.take().filter(is_same) {
            Some(same) => same,
            None => Served { routes, newest: newest.clone(), waypoint: waypoint.clone() }.into(),
        };
        self.served = Some(served.clone());
        Some(served)
    }
}
