//! Who owns a name: several objects may say that they are one service.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::index::Owner;

/// An object's wish to be the service of a name. The smallest wins: Kubernetes' own, then the oldest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    /// It is not a Kubernetes service.
    pub(crate) foreign: bool,
    /// Seconds since 1970; `i64::MAX` if not said.
    pub(crate) created: i64,
    /// Who it is.
    pub(crate) owner: Owner,
    /// Only clients of its own namespace see it.
    pub(crate) private: bool,
}

/// Claims by `namespace/hostname`, and the namespaces of a host name.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    names: HashMap<Arc<str>, BTreeSet<Claim>>,
    hosts: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
}

impl Claims {
    /// Adds a claim and answers with the other owners whose resources may be others now.
    pub(crate) fn insert(&mut self, name: &Arc<str>, claim: Claim) -> Vec<Owner> {
        let owner = claim.owner.clone();
        self.names.entry(name.clone()).or_default().insert(claim);
        if let Some(host) = host(name) {
            if !self.hosts.contains_key(host) {
                self.hosts.insert(host.into(), BTreeSet::new());
            }
            if let Some(names) = self.hosts.get_mut(host) {
                names.insert(name.clone());
            }
        }
        self.rivals(name, &owner)
    }

    /// Removes an owner's claim and answers with the other owners whose resources may be others now.
    pub(crate) fn remove(&mut self, name: &str, owner: &Owner) -> Vec<Owner> {
        let rivals = self.rivals(name, owner);
        let Some(claims) = self.names.get_mut(name) else { return rivals };
        claims.retain(|claim| claim.owner != *owner);
        if claims.is_empty() {
            self.names.remove(name);
            if let Some(host) = host(name)
                && let Some(names) = self.hosts.get_mut(host)
            {
                names.remove(name);
                if names.is_empty() {
                    self.hosts.remove(host);
                }
            }
        }
        rivals
    }

    /// Who is the service of this name.
    pub(crate) fn winner(&self, name: &str) -> Option<&Owner> {
        self.names.get(name)?.first().map(|claim| &claim.owner)
    }

    /// Whether the winner of this name is the one of its host name that clients of other namespaces should prefer:
    /// each Kubernetes service is; of the others it is the oldest that everybody sees, if no Kubernetes service has the
    /// host name.
    pub(crate) fn is_canonical(&self, name: &str) -> bool {
        let Some(claim) = self.names.get(name).and_then(BTreeSet::first) else { return false };
        if !claim.foreign {
            return true;
        }
        let winners = host(name).and_then(|host| self.hosts.get(host)).into_iter().flatten();
        let winners = winners.filter_map(|name| self.names.get(name)?.first());
        winners.filter(|claim| !claim.private).min() == Some(claim)
    }

    /// The service that a host name means in a namespace: its own, else Kubernetes', else the oldest that everybody sees.
    pub(crate) fn seen_from(&self, host: &str, namespace: &str) -> Option<Arc<str>> {
        let own = format!("{namespace}/{host}");
        if let Some((own, _)) = self.names.get_key_value(&*own) {
            return Some(own.clone());
        }
        let names = self.hosts.get(host)?.iter();
        let winners = names.filter_map(|name| Some((self.names.get(name)?.first()?, name)));
        let (_, name) = winners.filter(|(claim, _)| !claim.private).min()?;
        Some(name.clone())
    }

    /// All host names.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &Arc<str>> {
        self.hosts.keys()
    }

    /// The names of a host.
    pub(crate) fn names_of(&self, host: &str) -> impl Iterator<Item = &Arc<str>> {
        self.hosts.get(host).into_iter().flatten()
    }

    fn rivals(&self, name: &str, owner: &Owner) -> Vec<Owner> {
        let names = host(name).and_then(|host| self.hosts.get(host)).into_iter().flatten();
        let claims = names.filter_map(|name| self.names.get(name)).flatten();
        claims.map(|claim| &claim.owner).filter(|rival| *rival != owner).cloned().collect()
    }
}

fn host(name: &str) -> Option<&str> {
    name.split_once('/').map(|(_, host)| host)
}
