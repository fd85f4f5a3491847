//! All PeerAuthentications: which of them has effect where, and what node proxies are told.
//!
//! The mode of a workload is that of the object that selects it, else of its namespace, else of the mesh; of several at one
//! level the oldest counts. mTLS is demanded by a policy that denies peers without identity: one for all workloads that
//! must, or one of the object's own if ports are exempt.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_proto::security::Authorization;
use weir_resources::Labels;

use super::mode::Mode;
use super::peer_authentication::{Level, PeerAuthentication};
use super::strict;

/// All PeerAuthentications, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Peers {
    root: Arc<str>,
    by_namespace: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Peer>>,
    strict_key: Arc<str>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) asks: PeerAuthentication,
    /// Seconds since 1970.
    pub(super) created: Option<i64>,
    /// Key of the policy of its own, if it has one.
    pub(super) key: Arc<str>,
}

/// What holds in a namespace for workloads that no object selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effective {
    /// Never [`Mode::Unset`].
    mode: Mode,
    /// No object for single workloads changes that.
    forced: bool,
}

impl Peers {
    pub(super) fn new(root: &Arc<str>) -> Self {
        let strict_key = strict::key(root, strict::STATIC);
        Self { root: root.clone(), by_namespace: BTreeMap::new(), strict_key }
    }

    /// Puts an object in its place, and answers with the one that was there.
    pub(super) fn replace(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        peer: Option<Peer>,
    ) -> Option<Peer> {
        if let Some(peer) = peer {
            return self.by_namespace.entry(namespace.clone()).or_default().insert(name.clone(), peer);
        }
        let peers = self.by_namespace.get_mut(namespace)?;
        let gone = peers.remove(name);
        if peers.is_empty() {
            self.by_namespace.remove(namespace);
        }
        gone
    }

    pub(super) fn get(&self, namespace: &str, name: &str) -> Option<&Peer> {
        self.by_namespace.get(namespace)?.get(name)
    }

    /// The objects of a namespace.
    pub(super) fn of(&self, namespace: &str) -> impl Iterator<Item = (&Arc<str>, &Peer)> {
        self.by_namespace.get(namespace).into_iter().flatten()
    }

    pub(super) fn namespaces(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_namespace.keys()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_namespace.is_empty()
    }

    /// Key of the policy for all workloads that must have mTLS.
    pub(super) fn strict_key(&self) -> &Arc<str> {
        &self.strict_key
    }

    /// What holds in a namespace.
    pub(super) fn effective(&self, namespace: &str) -> Effective {
        let mesh = self.mode_said(&self.root).or(Mode::Permissive);
        let said = if *namespace == *self.root { mesh } else { self.mode_said(namespace).or(mesh) };
        let forced = self.forces(&self.root) || self.forces(namespace);
        Effective { mode: if forced { Mode::Strict } else { said }, forced }
    }

    /// The object that speaks for a whole namespace; in the root namespace for the mesh.
    pub(super) fn speaker(&self, namespace: &str) -> Option<(&Arc<str>, &Peer)> {
        oldest(self.of(namespace).filter(|(_, peer)| peer.asks.level == Level::Namespace))
    }

    /// The policy that a workload must name.
    pub(super) fn key_for(&self, namespace: &str, labels: &Labels) -> Option<Arc<str>> {
        let effective = self.effective(namespace);
        let strict = |mode| (mode == Mode::Strict).then(|| self.strict_key.clone());
        if effective.forced {
            return strict(Mode::Strict);
        }
        let selects =
            |peer: &Peer| matches!(&peer.asks.level, Level::Workloads(wanted) if labels.contains_all(wanted));
        match oldest(self.of(namespace).filter(|(_, peer)| selects(peer))) {
            None => strict(effective.mode),
            Some((_, peer)) if strict::has_exceptions(&peer.asks, effective.mode) => Some(peer.key.clone()),
            Some((_, peer)) => strict(peer.asks.mode.or(effective.mode)),
        }
    }

    /// The policy of an object's own, if it needs one.
    pub(super) fn own_policy(&self, namespace: &str, name: &str) -> Option<Authorization> {
        let peer = self.get(namespace, name)?;
        matches!(peer.asks.level, Level::Workloads(_)).then_some(())?;
        strict::with_exceptions(namespace, name, &peer.asks, self.effective(namespace).mode)
    }

    fn mode_said(&self, namespace: &str) -> Mode {
        self.speaker(namespace).map_or(Mode::Unset, |(_, peer)| peer.asks.mode)
    }

    fn forces(&self, namespace: &str) -> bool {
        self.of(namespace).any(|(_, peer)| peer.asks.level == Level::Forced)
    }
}

/// One that does not say when it was made is younger than all that do; of two of the same age the first by name counts.
fn oldest<'p>(peers: impl Iterator<Item = (&'p Arc<str>, &'p Peer)>) -> Option<(&'p Arc<str>, &'p Peer)> {
    peers.min_by_key(|(name, peer)| (peer.created.is_none(), peer.created, *name))
}
