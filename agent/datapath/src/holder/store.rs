//! What the holder holds.

use std::collections::BTreeMap;

use super::message::Message;

/// Sockets by pod (namespace cookie) and slot. `D` is a descriptor; dropping it closes it.
#[derive(Debug)]
pub(super) struct Store<D> {
    pods: BTreeMap<u64, BTreeMap<u32, D>>,
}

/// What to answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a, D> {
    /// These, in portions, and then ok.
    Held(Vec<(u32, &'a D)>),
    /// ok.
    Ok,
    /// Hang up: the other side does not speak the protocol.
    HangUp,
}

impl<D> Default for Store<D> {
    fn default() -> Self {
        Self { pods: BTreeMap::new() }
    }
}

impl<D> Store<D> {
    /// Does what a message says.
    pub(super) fn apply(&mut self, message: Message, descriptors: Vec<D>) -> Answer<'_, D> {
        match message {
            Message::Keep { cookie, slots }
                if slots.len() == descriptors.len() && self.has_room_for(cookie) =>
            {
                self.pods.entry(cookie).or_default().extend(slots.into_iter().zip(descriptors));
                Answer::Ok
            }
            Message::Take { cookie } if descriptors.is_empty() => {
                let held = self.pods.get(&cookie).into_iter().flatten();
                Answer::Held(held.map(|(slot, descriptor)| (*slot, descriptor)).collect())
            }
            Message::Forget { cookie, slots } if descriptors.is_empty() => {
                self.forget(cookie, &slots);
                Answer::Ok
            }
            _ => Answer::HangUp,
        }
    }

    /// Lets everything go; how many pods that were.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.pods).len()
    }

    fn forget(&mut self, cookie: u64, slots: &[u32]) {
        if slots.is_empty() {
            self.pods.remove(&cookie);
            return;
        }
        if let Some(pod) = self.pods.get_mut(&cookie) {
            pod.retain(|slot, _| !slots.contains(slot));
        }
    }

    fn has_room_for(&self, cookie: u64) -> bool {
        self.pods.contains_key(&cookie) || self.pods.len() < MAX_PODS
    }
}

/// More pods than any node runs.
const MAX_PODS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_pod() {
        let mut store = Store::default();
        assert_eq!(store.apply(Message::Keep { cookie: 1, slots: vec![0, 16] }, vec!["a", "b"]), Answer::Ok);
        assert_eq!(store.apply(Message::Keep { cookie: 1, slots: vec![16] }, vec!["c"]), Answer::Ok);
        assert_eq!(
            store.apply(Message::Take { cookie: 1 }, vec![]),
            Answer::Held(vec![(0, &"a"), (16, &"c")])
        );
        assert_eq!(store.apply(Message::Forget { cookie: 1, slots: vec![0] }, vec![]), Answer::Ok);
        assert_eq!(store.apply(Message::Take { cookie: 1 }, vec![]), Answer::Held(vec![(16, &"c")]));
        assert_eq!(store.apply(Message::Take { cookie: 2 }, vec![]), Answer::Held(vec![]));
        assert_eq!(store.apply(Message::Forget { cookie: 1, slots: vec![] }, vec![]), Answer::Ok);
        assert_eq!(store.clear(), 0);
    }

    #[test]
    fn counts_must_agree() {
        let mut store = Store::default();
        for (message, descriptors) in [
            (Message::Keep { cookie: 1, slots: vec![0, 1] }, vec!["a"]),
            (Message::Take { cookie: 1 }, vec!["a"]),
            (Message::Ok, vec![]),
            (Message::Held { slots: vec![] }, vec![]),
        ] {
            assert_eq!(store.apply(message, descriptors), Answer::HangUp);
        }
        assert_eq!(store.clear(), 0);
    }
}
