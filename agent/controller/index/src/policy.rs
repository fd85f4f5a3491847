//! AuthorizationPolicy and PeerAuthentication, and what becomes of them.
//!
//! Both become `istio.security.Authorization`, which node proxies enforce on the side of the destination. What cannot be
//! enforced or read is never let through: the policy is closed as far as that goes, and its status says so.
//!
//! ```text
//!   AuthorizationPolicy --spec--> head + rules --[ rule: parts --> terms ]--> Converted --> Published "namespace/name"
//!   PeerAuthentication  --spec--> mode, ports --> Peers (who has effect where) --strict--> Published
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_proto::security::Authorization;
use weir_resources::{Invalid, Key, Kind, Labels, Policy};

use crate::{Config, StatusUpdate};

mod affected;
mod authorization;
mod authorizations;
mod check;
mod condition;
mod connection;
mod consequence;
mod finding;
mod head;
mod l7;
mod mode;
mod path;
mod peer_authentication;
mod peers;
mod published;
mod read;
mod rule;
mod selector;
mod status;
mod strict;
mod target;
mod term;
mod value;

pub(crate) use affected::Affected;
pub(crate) use check::{check, warnings};
pub(crate) use l7::{Reattached, Standing};
pub(crate) use target::{Target, TargetKind};

use authorizations::{Authorizations, Record};
use l7::Attached;
use peer_authentication::{Level, PeerAuthentication};
use peers::{Peer, Peers};
use published::Published;
use status::Told;

/// All policies.
pub(crate) struct Policies {
    config: Config,
    authorizations: Authorizations,
    attached: Attached,
    peers: Peers,
    /// Statuses of PeerAuthentications.
    told: BTreeMap<Key, Told>,
    published: Published,
    /// Whose status may have changed since somebody asked.
    touched: BTreeSet<Key>,
}

impl Policies {
    /// No policies yet.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            authorizations: Authorizations::new(&config.root_namespace),
            attached: Attached::new(&config.root_namespace),
            peers: Peers::new(&config.root_namespace),
            told: BTreeMap::new(),
            published: Published::default(),
            touched: BTreeSet::new(),
        }
    }

    /// A policy is there, or (`None`) is gone.
    pub(crate) fn apply(&mut self, policy: Option<&Policy>, key: &Key) -> Affected {
        let told = policy.map(|policy| Told::by(&policy.meta));
        match key.kind {
            Kind::AuthorizationPolicy => {
                let converted = policy.map(|policy| authorization::convert(policy, &self.config));
                self.authorization(key, converted.zip(told))
            }
            Kind::PeerAuthentication => {
                let asks = policy.map(|policy| peer_authentication::read(policy, &self.config));
                let created = policy.and_then(|policy| policy.meta.created);
                self.peer(key, asks.map(|asks| self::peer(key, asks, created)).zip(told))
            }
            _ => Affected::Nothing,
        }
    }

    /// A policy is there and cannot be read.
    pub(crate) fn invalid(&mut self, invalid: &Invalid) -> Affected {
        let Some(key) = &invalid.key else { return Affected::Nothing };
        let told = Told::by(&invalid.meta);
        match key.kind {
            Kind::AuthorizationPolicy => {
                let converted = authorization::unreadable(invalid, &self.config);
                self.authorization(key, Some((converted, told)))
            }
            Kind::PeerAuthentication => {
                let asks = PeerAuthentication::unreadable(&invalid.problem);
                self.peer(key, Some((peer(key, asks, invalid.meta.created), told)))
            }
            _ => Affected::Nothing,
        }
    }

    /// The policies that a workload must name, in order.
    pub(crate) fn keys_for(&self, namespace: &str, labels: &Labels) -> Vec<Arc<str>> {
        let mut keys: Vec<Arc<str>> = self.authorizations.keys_for(namespace, labels).cloned().collect();
        keys.extend(self.peers.key_for(namespace, labels));
        keys.sort_unstable();
        keys
    }

    /// What changed of the published policies since the last call, by `namespace/name`.
    pub(crate) fn take_changed(&mut self) -> Vec<(Arc<str>, Option<Authorization>)> {
        self.published.take_changed()
    }

    /// The policies of a target that its waypoint enforces: those that name it, and those that may have been meant to.
    pub(crate) fn policies_for_target(
        &self,
        kind: TargetKind,
        namespace: &str,
        name: &str,
    ) -> Vec<weir_proto::l7::Authorization> {
        self.attached.of(&Target { kind, namespace: namespace.into(), name: name.into() })
    }

    /// Whether a target's waypoint enforces anything: who goes around it goes around that.
    pub(crate) fn demands(&self, kind: TargetKind, namespace: &str, name: &str) -> bool {
        self.attached.demands(&Target { kind, namespace: namespace.into(), name: name.into() })
    }

    /// Whether no waypoint enforces anything.
    pub(crate) fn is_nothing_attached(&self) -> bool {
        self.attached.is_empty()
    }

    /// What has other policies at its waypoint since the last call.
    pub(crate) fn take_reattached(&mut self) -> Reattached {
        self.attached.take_changed()
    }

    /// Something that may be a target, or what binds it to a waypoint, changed.
    pub(crate) fn touch_target(&mut self, kind: TargetKind, namespace: &Arc<str>, name: &Arc<str>) {
        self.attached.touch(kind, namespace, name);
    }

    /// Targets of policies of which somebody must say again how they stand.
    pub(crate) fn take_unjudged(&mut self) -> BTreeSet<Target> {
        self.attached.take_unjudged()
    }

    /// How a target stands to waypoints.
    pub(crate) fn judge(&mut self, target: Target, standing: Standing) {
        let names = self.attached.judge(target, standing).into_iter();
        let key = |(namespace, name)| Key { kind: Kind::AuthorizationPolicy, namespace, name };
        self.touched.extend(names.map(key));
    }

    /// The status of a policy, if the object has another.
    pub(crate) fn status_of(&self, key: &Key) -> Option<StatusUpdate> {
        if let Some(record) = self.authorizations.get(key) {
            return record.told.update(
                key,
                status::of_authorization(&record.converted, |target| self.attached.standing(target)),
            );
        }
        let told = self.told.get(key)?;
        let peer = self.peers.get(&key.namespace, &key.name)?;
        let older = self.peers.speaker(&key.namespace).map(|(name, _)| name);
        let older = older.filter(|name| **name != key.name && peer.asks.level == Level::Namespace);
        let older = older.map(|name| format!("{}/{name}", key.namespace));
        told.update(key, status::of_peer(peer, older.as_deref()))
    }

    /// The statuses that changed since the last call, if the objects have others.
    pub(crate) fn take_status(&mut self) -> Vec<StatusUpdate> {
        let touched = std::mem::take(&mut self.touched);
        touched.iter().filter_map(|key| self.status_of(key)).collect()
    }

    fn authorization(&mut self, key: &Key, now: Option<(authorization::Converted, Told)>) -> Affected {
        let sent = now.as_ref().and_then(|(converted, _)| converted.sent.clone());
        let at_waypoints = now.as_ref().and_then(|(converted, _)| converted.at_waypoints.as_ref());
        self.attached.replace(&(key.namespace.clone(), key.name.clone()), at_waypoints);
        let now = now.map(|(converted, told)| Record::new(key, converted, told));
        self.touched.insert(key.clone());
        let (wire_key, affected) = self.authorizations.replace(key, now);
        self.published.set(&wire_key, sent);
        affected
    }

    fn peer(&mut self, key: &Key, now: Option<(Peer, Told)>) -> Affected {
        let (peer, told) = now.unzip();
        match told {
            Some(told) => self.told.insert(key.clone(), told),
            None => self.told.remove(key),
        };
        self.touched.insert(key.clone());
        let effective_before = self.peers.effective(&key.namespace);
        let before = self.peers.replace(&key.namespace, &key.name, peer.clone());
        if before == peer {
            return Affected::Nothing;
        }
        // Which of those for the whole namespace is the oldest may be another one now.
        let others = self.peers.of(&key.namespace).filter(|(_, other)| other.asks.level == Level::Namespace);
        self.touched.extend(others.map(|(name, _)| Key { name: name.clone(), ..key.clone() }));
        let inherited_changed = effective_before != self.peers.effective(&key.namespace);
        self.publish_peers(key, inherited_changed);
        let selectors = [&before, &peer].map(|peer| peer.as_ref().and_then(|peer| peer.asks.selector()));
        match (inherited_changed, *key.namespace == *self.config.root_namespace) {
            (true, true) => Affected::Everything,
            (true, false) => Affected::all_of(&key.namespace),
            (false, true) => Affected::Nothing,
            (false, false) => Affected::selected(&key.namespace, selectors),
        }
    }

    /// Publishes what stands for a PeerAuthentication, and what inherits from it.
    fn publish_peers(&mut self, key: &Key, inherited_changed: bool) {
        let everywhere = (!self.peers.is_empty()).then(|| strict::everywhere(&self.config.root_namespace));
        let strict_key = self.peers.strict_key().clone();
        self.published.set(&strict_key, everywhere);
        let own_key = strict::own_key(&key.namespace, &key.name);
        self.published.set(&own_key, self.peers.own_policy(&key.namespace, &key.name));
        if !inherited_changed {
            return;
        }
        let is_root = *key.namespace == *self.config.root_namespace;
        let heirs = self.peers.namespaces().filter(|namespace| is_root || **namespace == key.namespace);
        for namespace in heirs {
            for (name, peer) in self.peers.of(namespace) {
                self.published.set(&peer.key, self.peers.own_policy(namespace, name));
            }
        }
    }
}

fn peer(key: &Key, asks: PeerAuthentication, created: Option<i64>) -> Peer {
    Peer { asks, created, key: strict::own_key(&key.namespace, &key.name) }
}

#[cfg(test)]
mod tests;
