//! Who claims an address. Several may: a pod that goes away and its successor, two services with one VIP.

use std::cmp::Ordering;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};

use crate::{Health, Service, Workload};

/// Claimants by network and address, each list in [`Claimant::order`]. That order is of the claimants alone, so
/// the index does not depend on the order in which they came. Sorted by address: a persistent hash map of a hundred
/// thousand entries is three quarters empty slots.
#[derive(Clone)]
pub(super) struct Claims<A, T>(HashMap<Arc<str>, OrdMap<A, Claimants<T>>>);

/// Shared, because a persistent map copies its nodes. Nearly every address has one claimant, which needs no list.
enum Claimants<T> {
    One(Arc<T>),
    Several(Arc<Vec<Arc<T>>>),
}

impl<A: Ord + Clone, T: Claimant> Claims<A, T> {
    /// Everybody who claims the address, best first.
    pub(super) fn get(&self, network: &str, address: &A) -> &[Arc<T>] {
        self.0.get(network).and_then(|n| n.get(address)).map_or(&[], Claimants::all)
    }

    pub(super) fn insert(&mut self, network: &Arc<str>, address: A, claimant: &Arc<T>) {
        let addresses = self.0.entry(network.clone()).or_default();
        let mut list = addresses.get(&address).map_or_else(Vec::new, |l| l.all().to_vec());
        list.retain(|other| other.order(claimant) != Ordering::Equal);
        let place = list.partition_point(|other| other.order(claimant) == Ordering::Less);
        list.insert(place, claimant.clone());
        addresses.insert(address, Claimants::of(list));
    }

    pub(super) fn remove(&mut self, network: &str, address: &A, claimant: &T) {
        let Some(addresses) = self.0.get_mut(network) else {
            return;
        };
        let Some(list) = addresses.get(address) else {
            return;
        };
        let rest: Vec<Arc<T>> =
            list.all().iter().filter(|c| c.order(claimant) != Ordering::Equal).cloned().collect();
        if rest.is_empty() {
            addresses.remove(address);
        } else {
            addresses.insert(address.clone(), Claimants::of(rest));
        }
        if addresses.is_empty() {
            self.0.remove(network);
        }
    }
}

#[cfg(test)]
impl<A, T> Claims<A, T> {
    /// Addresses that somebody claims.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(OrdMap::len).sum()
    }
}

impl<A, T> Default for Claims<A, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Claimants<T> {
    fn of(mut list: Vec<Arc<T>>) -> Self {
        match (list.pop(), list.is_empty()) {
            (Some(one), true) => Self::One(one),
            (last, _) => {
                list.extend(last);
                Self::Several(Arc::new(list))
            }
        }
    }

    fn all(&self) -> &[Arc<T>] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(list) => list,
        }
    }
}

impl<T> Clone for Claimants<T> {
    fn clone(&self) -> Self {
        match self {
            Self::One(one) => Self::One(one.clone()),
            Self::Several(list) => Self::Several(list.clone()),
        }
    }
}

/// Something that claims addresses. Two claimants compare equal exactly if they are versions of one thing that
/// rank the same.
pub(super) trait Claimant {
    fn order(&self, other: &Self) -> Ordering;
}

impl Claimant for Workload {
    /// A pod that is going away is unhealthy: its successor with the same address comes first.
    fn order(&self, other: &Self) -> Ordering {
        let unhealthy = |w: &Self| w.status == Health::Unhealthy;
        unhealthy(self).cmp(&unhealthy(other)).then_with(|| self.uid.cmp(&other.uid))
    }
}

impl Claimant for Service {
    /// Before the client is known: the canonical one first.
    fn order(&self, other: &Self) -> Ordering {
        other.canonical.cmp(&self.canonical).then_with(|| self.key.cmp(&other.key))
    }
}
