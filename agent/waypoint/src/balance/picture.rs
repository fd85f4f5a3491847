//! Who serves at the moment: endpoints by priority level and locality, with the shares that health leaves them.

use std::{collections::BTreeMap, sync::Arc};

use rand::Rng;
use xxhash_rust::xxh64::xxh64;

use super::{
    cluster::Settings,
    endpoint::Endpoint,
    load::{Health, Share, shares},
    locality::{Nearness, Place},
    pool::{Pool, Wish},
};
use crate::route::{Weighted, below};

/// A picture is never changed: a new one takes its place.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) settings: Arc<Settings>,
    /// All endpoints, also those that do not serve.
    pub(super) members: Vec<Arc<Endpoint>>,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    /// What [`Nearness::level`] says.
    rank: usize,
    percent: u32,
    /// One, or one for each locality that has a share.
    groups: Weighted<Pool>,
}

impl Picture {
    /// `turn` is where round robin begins.
    pub(super) fn new(settings: Arc<Settings>, members: Vec<Arc<Endpoint>>, turn: u64) -> Picture {
        let mut ranks: BTreeMap<usize, Vec<Arc<Endpoint>>> = BTreeMap::new();
        for member in &members {
            if settings.nearness.has_share(member) {
                ranks.entry(settings.nearness.level(member)).or_default().push(Arc::clone(member));
            }
        }
        let health: Vec<_> = ranks.values().map(|endpoints| Health::of(endpoints)).collect();
        let shares = shares(&health, settings.panic_threshold());
        let levels = ranks.into_iter().zip(shares);
        let levels = levels.map(|((rank, endpoints), share)| Level {
            rank,
            percent: share.percent,
            groups: groups(&settings, endpoints, share, turn),
        });
        Picture { levels: levels.collect(), settings, members }
    }

    /// An endpoint. `elsewhere`: of another level than those that were tried, if there is one.
    pub(super) fn choose(
        &self,
        wish: &Wish<'_>,
        elsewhere: bool,
        random: &mut impl Rng,
    ) -> Option<&Arc<Endpoint>> {
        // The parts of a hash must not depend on each other: a pool would only see some of them.
        let mut draw =
            |part| wish.hash.map_or_else(|| random.next_u64(), |hash| xxh64(&hash.to_le_bytes(), part));
        let level = elsewhere.then(|| self.untried(wish)).flatten().or_else(|| self.level(draw(1)))?;
        level.groups.pick(draw(2))?.choose(wish, random)
    }

    fn level(&self, random: u64) -> Option<&Level> {
        let mut left = below(random, 100) as u32;
        self.levels.iter().find(|level| {
            let here = left < level.percent;
            left = left.saturating_sub(level.percent);
            here
        })
    }

    fn untried(&self, wish: &Wish<'_>) -> Option<&Level> {
        let rank = |endpoint: &Arc<Endpoint>| self.settings.nearness.level(endpoint);
        let tried: Vec<_> = wish.tried.iter().map(rank).collect();
        self.levels.iter().find(|level| !tried.contains(&level.rank) && level.groups.pick(0).is_some())
    }
}

impl Health {
    fn of(endpoints: &[Arc<Endpoint>]) -> Health {
        let healthy = endpoints.iter().filter(|endpoint| endpoint.is_healthy()).count();
        Health { healthy, all: endpoints.len() }
    }
}

impl Nearness {
    /// Whether the endpoint gets anything at all.
    fn has_share(&self, endpoint: &Endpoint) -> bool {
        match self {
            Nearness::Shares(shares) => group(shares, endpoint).is_some(),
            Nearness::Alike | Nearness::Levels { .. } => true,
        }
    }
}

/// The endpoints of a level that serve, with weights by locality if the form has them.
fn groups(settings: &Settings, endpoints: Vec<Arc<Endpoint>>, share: Share, turn: u64) -> Weighted<Pool> {
    let serves = |endpoint: &Arc<Endpoint>| share.panic || endpoint.is_healthy();
    let pool = |mut endpoints: Vec<Arc<Endpoint>>| {
        let weights = endpoints.iter().map(|endpoint| u64::from(endpoint.weight())).sum();
        endpoints.retain(serves);
        Pool::new(endpoints, weights, settings.algorithm.table(), turn)
    };
    let Nearness::Shares(shares) = &settings.nearness else {
        return Weighted::new([(u32::from(endpoints.iter().any(serves)), pool(endpoints))]);
    };
    let mut places = vec![Vec::new(); shares.len()];
    for endpoint in endpoints {
        if let Some(place) = group(shares, &endpoint) {
            places[place].push(endpoint);
        }
    }
    Weighted::new(shares.iter().zip(places).map(|((_, percent), endpoints)| {
        let health = Health::of(&endpoints);
        let capacity = if share.panic { u32::from(health.all > 0) } else { health.capacity() };
        (percent.saturating_mul(capacity), pool(endpoints))
    }))
}

/// The first share, the most specific, that an endpoint falls under.
fn group(shares: &[(Place, u32)], endpoint: &Endpoint) -> Option<usize> {
    shares.iter().position(|(place, _)| place.covers(&endpoint.place))
}
