//! What is known: what is wanted, what is there, what is to be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use weir_render::PartKind;

use super::live::{Live, Place};
use super::watching::{Data, Map, MapName, Seen};
use super::wish::{WaypointName, WaypointOutcome, Wishes};
use crate::kubernetes::backoff::{Backoff, spread};

#[derive(Default)]
pub(super) struct State {
    pub(super) wishes: Option<Wishes>,
    pub(super) live: BTreeMap<Place, Live>,
    /// What was applied last, and what the API made of it: prints.
    pub(super) applied: BTreeMap<Place, (u64, u64)>,
    /// ConfigMaps that gateways name; one that is not here has not been read yet.
    pub(super) maps: BTreeMap<MapName, Map>,
    /// Class and data by name.
    pub(super) defaults: Option<BTreeMap<String, (String, Data)>>,
    listed: BTreeSet<PartKind>,
    work: BTreeSet<WaypointName>,
    paces: BTreeMap<WaypointName, Pace>,
    reported: BTreeMap<WaypointName, (i64, WaypointOutcome)>,
}

/// How often a gateway may be written.
struct Pace {
    backoff: Backoff,
    /// When it was written last.
    last: Instant,
    not_before: Instant,
}

impl State {
    pub(super) fn wish(&mut self, new: Option<Wishes>) {
        let (Some(new), old) = (new, self.wishes.take()) else { return };
        let before = old.unwrap_or_default();
        let changed = new.iter().filter(|(name, wish)| before.get(*name) != Some(*wish));
        self.work.extend(changed.map(|(name, _)| name.clone()));
        self.work.retain(|name| new.contains_key(name));
        self.paces.retain(|name, _| new.contains_key(name));
        self.reported.retain(|name, _| new.contains_key(name));
        self.wishes = Some(new);
        let wanted = self.maps_wanted();
        self.maps.retain(|name, _| wanted.contains(name));
    }

    /// ConfigMaps that gateways name.
    pub(super) fn maps_wanted(&self) -> BTreeSet<MapName> {
        let named =
            self.wishes.iter().flat_map(|wishes| wishes.iter()).filter_map(|((namespace, _), wish)| {
                let name = weir_render::parameters(&wish.gateway).ok().flatten()?;
                Some((namespace.to_string(), name.to_owned()))
            });
        named.collect()
    }

    pub(super) fn see(&mut self, seen: Seen) {
        match seen {
            Seen::Parts(kind, list) => {
                let there: BTreeSet<Place> = list.iter().map(|live| live.place.clone()).collect();
                let gone = self.live.keys().filter(|place| place.1 == kind && !there.contains(*place));
                for place in gone.cloned().collect::<Vec<_>>() {
                    self.see(Seen::NoPart(place));
                }
                self.listed.insert(kind);
                list.into_iter().for_each(|live| self.see(Seen::Part(live)));
            }
            Seen::Part(live) => {
                let old = self.live.insert(live.place.clone(), live.clone());
                if old.as_ref() != Some(&live) {
                    old.iter().chain([&live]).for_each(|live| self.touch(live));
                }
            }
            Seen::NoPart(place) => {
                self.applied.remove(&place);
                if let Some(old) = self.live.remove(&place) {
                    self.touch(&old);
                }
            }
            Seen::Defaults(defaults) => {
                if self.defaults.as_ref() != Some(&defaults) {
                    self.defaults = Some(defaults);
                    self.touch_all(|_, _| true);
                }
            }
            Seen::Map(name, map) => {
                if self.maps.insert(name.clone(), map.clone()) != Some(map) {
                    self.touch_all(|gateway, own| *gateway.0 == *name.0 && own == Some(&*name.1));
                }
            }
        }
    }

    /// When there is something to do; `None`: not before something happens.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let complete =
            self.wishes.is_some() && self.defaults.is_some() && self.listed.len() == PartKind::ALL.len();
        let at = |name: &WaypointName| self.paces.get(name).map(|pace| pace.not_before);
        let long_ago = || Instant::now().checked_sub(Duration::from_millis(1)).unwrap_or_else(Instant::now);
        self.work.iter().filter(|_| complete).map(|name| at(name).unwrap_or_else(long_ago)).min()
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<WaypointName> {
        let is_due = |name: &&WaypointName| self.paces.get(*name).is_none_or(|pace| pace.not_before <= now);
        let name = self.work.iter().find(is_due)?.clone();
        self.work.remove(&name);
        Some(name)
    }

    /// Something was written. Who changes it back at once does so ever more slowly.
    pub(super) fn wrote(&mut self, name: &WaypointName, now: Instant) {
        let pace = self.pace(name, now);
        if now - pace.last > PEACE {
            pace.backoff.reset();
        }
        pace.last = now;
        pace.not_before = now + pace.backoff.next(spread());
    }

    /// It did not work, and is tried again.
    pub(super) fn try_again(&mut self, name: &WaypointName, now: Instant) {
        let pace = self.pace(name, now);
        pace.last = now;
        pace.not_before = now + pace.backoff.next(spread());
        self.work.insert(name.clone());
    }

    fn pace(&mut self, name: &WaypointName, now: Instant) -> &mut Pace {
        let fresh = || Pace { backoff: Backoff::default(), last: now, not_before: now };
        self.paces.entry(name.clone()).or_insert_with(fresh)
    }

    /// What is to be reported; `None`: it is known. With the generation that it is about.
    pub(super) fn news(
        &mut self,
        name: &WaypointName,
        outcome: WaypointOutcome,
    ) -> Option<(WaypointOutcome, i64)> {
        let generation = self.wishes.as_ref()?.get(name)?.gateway.meta.generation;
        let new = (generation, outcome);
        if self.reported.get(name) == Some(&new) {
            return None;
        }
        self.reported.insert(name.clone(), new.clone());
        Some((new.1, generation))
    }

    /// Whom an object concerns: the gateway that it runs, or whose pods it counts.
    fn touch(&mut self, live: &Live) {
        let namespace = &live.place.0;
        if let Some(gateway) = &live.gateway {
            let name: WaypointName = (namespace.as_str().into(), gateway.as_str().into());
            if self.wishes.as_ref().is_some_and(|wishes| wishes.contains_key(&name)) {
                self.work.insert(name);
            }
        }
        if let Some(counted) = &live.scales {
            let deployment = self.live.get(&(namespace.clone(), PartKind::Deployment, counted.clone()));
            if let Some(deployment) = deployment.filter(|deployment| deployment.gateway.is_some()).cloned() {
                self.touch(&deployment);
            }
        }
    }

    fn touch_all(&mut self, is: impl Fn(&WaypointName, Option<&str>) -> bool) {
        let Some(wishes) = &self.wishes else { return };
        for (name, wish) in wishes.iter() {
            if is(name, weir_render::parameters(&wish.gateway).ok().flatten()) {
                self.work.insert(name.clone());
            }
        }
    }
}

/// After so long without a write nobody is writing against us.
const PEACE: Duration = Duration::from_secs(60);
