//! What is held of one type of resource, by name: enough to tell the control plane after a reconnect.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use weir_proto::discovery::DeltaDiscoveryRequest;

use super::apply::Kind;
use super::version::Version;

/// One type on the stream, and what is remembered of it between streams.
#[derive(Debug)]
pub(crate) struct Subscription {
    kind: Kind,
    /// Versions of what is held. The names are those of the model: one copy.
    held: HashMap<Arc<str>, Version>,
    /// Held, but not told to the control plane of this stream: if its first batch does not bring them, they are gone.
    untold: HashSet<Arc<str>>,
    /// What was refused last, and why. Not all of it if there is much.
    rejected: BTreeMap<Arc<str>, String>,
    /// A whole batch came in, on this stream or an earlier one.
    complete: bool,
    /// A whole batch was acknowledged.
    acknowledged: bool,
    /// Something came in on this stream.
    answered: bool,
}

impl Subscription {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            held: HashMap::new(),
            untold: HashSet::new(),
            rejected: BTreeMap::new(),
            complete: false,
            acknowledged: false,
            answered: false,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The request that opens the type on a new stream: everything (no names), but for what is held already.
    pub(crate) fn open(&mut self) -> DeltaDiscoveryRequest {
        self.answered = false;
        self.untold.clear();
        let (mut told, mut bytes) = (BTreeMap::new(), 0);
        for (name, version) in &self.held {
            let version = version.to_string();
            bytes += name.len() + version.len() + FRAMING;
            if bytes > MOST_TOLD {
                self.untold.insert(name.clone());
            } else {
                told.insert(name.to_string(), version);
            }
        }
        DeltaDiscoveryRequest {
            type_url: self.kind.type_url().to_owned(),
            initial_resource_versions: told,
            ..DeltaDiscoveryRequest::default()
        }
    }

    /// `name` came in and is in force.
    pub(crate) fn took(&mut self, name: Arc<str>, version: Version) {
        self.untold.remove(&name);
        self.rejected.remove(&name);
        self.held.insert(name, version);
    }

    /// `name` came in and was refused. If something is in force under that name all the same, it must be heard of again
    /// after a reconnect: it may be good then, or gone.
    pub(crate) fn refused(&mut self, name: Arc<str>, why: &str, something_in_force: bool) {
        self.untold.remove(&name);
        if something_in_force {
            self.held.insert(name.clone(), Version::None);
        } else {
            self.held.remove(&name);
        }
        if self.rejected.len() < MOST_REJECTED || self.rejected.contains_key(&name) {
            self.rejected.insert(name, why.to_owned());
        }
    }

    /// `name` is gone.
    pub(crate) fn removed(&mut self, name: &str) {
        self.untold.remove(name);
        self.rejected.remove(name);
        self.held.remove(name);
    }

    /// A response is through. Gives what is gone because a whole batch did not bring it.
    pub(crate) fn batch(&mut self, whole: bool, acknowledged: bool) -> Vec<Arc<str>> {
        self.answered = true;
        if !whole {
            return Vec::new();
        }
        self.complete = true;
        self.acknowledged |= acknowledged;
        let gone: Vec<_> = self.untold.drain().collect();
        for name in &gone {
            self.held.remove(name);
            self.rejected.remove(name);
        }
        gone
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledged
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn rejected(&self) -> &BTreeMap<Arc<str>, String> {
        &self.rejected
    }
}

/// Control planes take no message of more than 4 MiB; the rest of a large mesh is sent again.
pub(super) const MOST_TOLD: usize = 3 << 20;
/// Bytes around an entry of the map on the wire: three tags and three lengths, one of which may be long.
const FRAMING: usize = 8;
/// Refusals that are kept for the config dump.
const MOST_REJECTED: usize = 256;
