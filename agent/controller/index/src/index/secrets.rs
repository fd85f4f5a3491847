//! TLS material of users: which Secrets have to be read, and whom a change of one concerns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use weir_resources::{Problem, Secret};

use super::Index;
use crate::l7::{Dep, secret_of_authorities};

impl Index {
    /// Secrets that something names (namespace, name): a source that does not read all of them has to read these.
    pub fn wanted_secrets(&self) -> BTreeSet<(Arc<str>, Arc<str>)> {
        let named = self.world.routings.credentials();
        let both = named.flat_map(|(namespace, name)| {
            [(namespace.clone(), name.clone()), (namespace.clone(), secret_of_authorities(name))]
        });
        both.collect()
    }

    /// Says what time it is. True: something is to be told by it.
    pub fn at(&mut self, now: SystemTime) -> bool {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let ended = self.world.secrets.at(i64::try_from(seconds).unwrap_or(i64::MAX));
        let is_news = !ended.is_empty();
        ended.into_iter().for_each(|(namespace, name)| self.l7.touch(&Dep::Secret(namespace, name)));
        is_news
    }

    pub(super) fn change_secret(
        &mut self,
        name: &(Arc<str>, Arc<str>),
        new: Option<Result<Secret, Problem>>,
    ) {
        self.world.secrets.set(name, new);
        self.l7.touch(&Dep::Secret(name.0.clone(), name.1.clone()));
    }

    /// All Secrets are known.
    pub(super) fn complete_secrets(&mut self) {
        self.world.secrets.complete();
        for (namespace, name) in self.wanted_secrets() {
            self.l7.touch(&Dep::Secret(namespace, name));
        }
    }

    /// Forgets those that nothing names any more.
    pub(super) fn forget_secrets(&mut self) {
        let wanted = self.wanted_secrets();
        self.world.secrets.retain(|name| wanted.contains(name));
    }
}
