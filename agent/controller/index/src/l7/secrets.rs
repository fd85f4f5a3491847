//! Secrets that were read, and the credentials that they make.
//!
//! A credential `x` is the Secret `x`, and the authorities of the Secret `x-cacert` if there is one. A version that
//! nobody can use does not take the place of the one before it: that stays in force, and whoever names it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::l7;
use weir_resources::{Key, Kind, Problem, Secret};
use weir_routing::{Credential, Material};

use super::unit::Gateway as Name;

/// All of them, or (of a cluster) those that something names.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// `None`: it is known that there is none.
    held: BTreeMap<Name, Option<Held>>,
    /// What is not here is not there.
    complete: bool,
    /// The time as it was last said, in seconds since 1970.
    now: i64,
}

/// One Secret.
#[derive(Debug, Default)]
struct Held {
    in_force: Option<Secret>,
    /// What is wrong with the newest version.
    problem: Option<String>,
}

impl Secrets {
    /// A version came, of use or not; `None`: there is none.
    pub(crate) fn set(&mut self, name: &Name, new: Option<Result<Secret, Problem>>) {
        let before = self.held.remove(name).flatten().unwrap_or_default();
        let now = new.map(|new| match new {
            Ok(secret) => Held { in_force: Some(secret), problem: None },
            Err(problem) => Held { problem: Some(problem.to_string()), ..before },
        });
        self.held.insert(name.clone(), now);
    }

    /// What is not known is not there.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// Nobody names others any more, and nobody will tell when they change.
    pub(crate) fn retain(&mut self, named: impl Fn(&Name) -> bool) {
        if !self.complete {
            self.held.retain(|name, _| named(name));
        }
    }

    /// Those that are there.
    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        let there = self.held.iter().filter(|(_, held)| held.is_some());
        there.map(|((namespace, name), _)| Key::new(Kind::Secret, namespace, name)).collect()
    }

    /// The time. Answers with those whose time is over since it was said last.
    pub(crate) fn at(&mut self, now: i64) -> Vec<Name> {
        let before = std::mem::replace(&mut self.now, now);
        let ended = |held: &Option<Held>| {
            let end = held.as_ref().and_then(|held| held.in_force.as_ref()?.not_after);
            end.is_some_and(|end| (end < before) != (end < now))
        };
        self.held.iter().filter(|(_, held)| ended(held)).map(|(name, _)| name.clone()).collect()
    }

    /// What is known of a credential.
    pub(super) fn credential(&self, namespace: &str, name: &str) -> Credential {
        let (own, authorities) = (self.find(namespace, name), self.find(namespace, &of_authorities(name)));
        let (Some(own), Some(authorities)) = (own, authorities) else { return Credential::Awaited };
        let both: Vec<&Held> = [own, authorities].into_iter().flatten().collect();
        let problem = both.iter().find_map(|held| held.problem.clone());
        let Some(form) = self.form(namespace, name) else {
            return match problem {
                Some(problem) => {
                    Credential::Unusable(format!("Secret {namespace}/{name} is of no use: {problem}"))
                }
                None => Credential::Missing(format!("there is no Secret {namespace}/{name}")),
            };
        };
        let end = own.and_then(|held| held.in_force.as_ref()?.not_after).filter(|end| *end < self.now);
        Credential::There(Material {
            has_certificate: !form.certificate_chain.is_empty(),
            has_authorities: !form.ca_certificates.is_empty(),
            stale: problem,
            doubt: end.map(|_| "the time of its certificate is over, and servers refuse it".to_owned()),
        })
    }

    /// A credential as waypoints are told it. Half of one might be trusted less, or more, than it should be: if one of its
    /// Secrets is there and of no use, there is none.
    pub(super) fn form(&self, namespace: &str, name: &str) -> Option<l7::Secret> {
        let found = [self.find(namespace, name)?, self.find(namespace, &of_authorities(name))?];
        if found.iter().flatten().any(|held| held.in_force.is_none()) {
            return None;
        }
        let [own, authorities] = found.map(|held| held.and_then(|held| held.in_force.as_ref()));
        own.or(authorities)?;
        let either = |part: fn(&Secret) -> &Vec<u8>| {
            let mut parts = [authorities, own].into_iter().flatten().map(part);
            parts.find(|part| !part.is_empty()).cloned().unwrap_or_default()
        };
        Some(l7::Secret {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            certificate_chain: own.map(|own| own.certificate.clone()).unwrap_or_default(),
            private_key: own.map(|own| own.private_key.clone()).unwrap_or_default(),
            ca_certificates: either(|secret| &secret.ca_certificates),
            crl: either(|secret| &secret.crl),
        })
    }

    /// `None`: it has not been read; `Some(None)`: there is none.
    fn find(&self, namespace: &str, name: &str) -> Option<Option<&Held>> {
        match self.held.get(&(namespace.into(), name.into())) {
            Some(held) => Some(held.as_ref()),
            None => self.complete.then_some(None),
        }
    }
}

/// The name of the Secret with a credential's authorities.
pub(crate) fn of_authorities(name: &str) -> Arc<str> {
    format!("{name}-cacert").into()
}
