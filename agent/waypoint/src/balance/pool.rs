//! Endpoints among which only weights and load decide.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use rand::Rng;

use super::{
    algorithm::{Algorithm, Table},
    endpoint::Endpoint,
    maglev::Maglev,
    ring::Ring,
    warmup::Warmup,
};
use crate::route::below;

/// Endpoints with what it takes to choose one. Made anew when one comes, goes, fails or comes back.
#[derive(Debug)]
pub(super) struct Pool {
    endpoints: Vec<Arc<Endpoint>>,
    /// The weights up to and with each.
    sums: Vec<u64>,
    /// Round robin: how many were chosen, and how far to go each time.
    turn: AtomicU64,
    step: u64,
    table: Option<Lookup>,
    /// When the oldest came.
    oldest: Option<Instant>,
}

#[derive(Debug)]
enum Lookup {
    Ring(Ring),
    Maglev(Maglev),
}

/// What a choice depends on, beside the endpoints.
#[derive(Clone, Copy)]
pub(super) struct Wish<'w> {
    pub(super) algorithm: &'w Algorithm,
    pub(super) warmup: Option<&'w Warmup>,
    pub(super) now: Instant,
    pub(super) hash: Option<u64>,
    /// Not these, if there are others.
    pub(super) tried: &'w [Arc<Endpoint>],
}

impl Pool {
    /// `weights` are those of all that belong here, also of those that do not serve; `turn` is where round robin begins.
    pub(super) fn new(endpoints: Vec<Arc<Endpoint>>, weights: u64, table: Option<Table>, turn: u64) -> Pool {
        // Without what the weights have in common: a cycle of round robin is as short as it can be.
        let common =
            endpoints.iter().fold(0, |common, endpoint| divisor(common, endpoint.weight().into())).max(1);
        let mut sum = 0;
        let mut add = |endpoint: &Arc<Endpoint>| {
            sum += u64::from(endpoint.weight()) / common;
            sum
        };
        let sums: Vec<_> = endpoints.iter().map(&mut add).collect();
        let keys: Vec<_> = endpoints.iter().map(|endpoint| (endpoint.key(), endpoint.weight())).collect();
        let table = table.map(|table| match table {
            Table::Ring(minimum) => Lookup::Ring(Ring::new(&keys, weights, minimum)),
            Table::Maglev(size) => Lookup::Maglev(Maglev::new(&keys, size)),
        });
        let oldest = endpoints.iter().map(|endpoint| endpoint.known.since).min();
        Pool { endpoints, sums, turn: AtomicU64::new(turn), step: stride(sum), table, oldest }
    }

    /// One of them; `None` if there is none.
    pub(super) fn choose(&self, wish: &Wish<'_>, random: &mut impl Rng) -> Option<&Arc<Endpoint>> {
        if let (Some(table), Some(hash)) = (&self.table, wish.hash) {
            // Affinity also holds for retries: elsewhere, the client's state would not be there.
            return table.find(hash).map(|place| &self.endpoints[place]);
        }
        let first = self.endpoints.first()?;
        for _ in 0..RETRIES {
            let chosen = self.once(wish, random).unwrap_or(first);
            if !wish.was_tried(chosen) {
                return Some(chosen);
            }
        }
        // Somebody who was not tried, wherever; or anybody.
        let start = below(random.next_u64(), self.endpoints.len() as u64) as usize;
        let (before, after) = self.endpoints.split_at(start);
        after.iter().chain(before).find(|endpoint| !wish.was_tried(endpoint)).or(Some(&after[0]))
    }

    fn once(&self, wish: &Wish<'_>, random: &mut impl Rng) -> Option<&Arc<Endpoint>> {
        match wish.algorithm {
            Algorithm::LeastRequest(choices) => self.least_request(*choices, wish, random),
            Algorithm::RoundRobin => self.warm(wish, random, |_| self.next()),
            Algorithm::Random | Algorithm::Passthrough | Algorithm::ConsistentHash(..) => {
                self.warm(wish, random, |random| self.at(below(random.next_u64(), self.sum())))
            }
        }
    }

    /// Power of two (or more) choices. Drawn by weight and compared by load for each unit of it; of equals the first drawn
    /// wins, so that without load the shares are the weights.
    fn least_request(&self, choices: u32, wish: &Wish<'_>, random: &mut impl Rng) -> Option<&Arc<Endpoint>> {
        let mut best = self.draw(wish, random)?;
        for _ in 1..choices.min(self.endpoints.len().try_into().unwrap_or(u32::MAX)) {
            // Comparing one with itself says nothing; a heavy one may still be drawn each time.
            let mut others = (0..REDRAWS).filter_map(|_| self.draw(wish, random));
            let Some(other) = others.find(|other| !Arc::ptr_eq(best, other)) else { continue };
            let load = |one: &Endpoint, weight: u32| u64::from(one.active()) * u64::from(weight);
            if load(other, best.weight()) < load(best, other.weight()) {
                best = other;
            }
        }
        Some(best)
    }

    /// One by weight alone.
    fn draw(&self, wish: &Wish<'_>, random: &mut impl Rng) -> Option<&Arc<Endpoint>> {
        self.warm(wish, random, |random| self.at(below(random.next_u64(), self.sum())))
    }

    /// Draws until one is warm enough: each counts for as much as it is warm, compared with the warmest.
    fn warm<'p, R: Rng>(
        &'p self,
        wish: &Wish<'_>,
        random: &mut R,
        mut draw: impl FnMut(&mut R) -> Option<&'p Arc<Endpoint>>,
    ) -> Option<&'p Arc<Endpoint>> {
        let mut drawn = draw(random)?;
        let Some((warmup, oldest)) = wish.warmup.zip(self.oldest) else { return Some(drawn) };
        let warmest = warmup.factor(oldest, wish.now);
        for _ in 0..MOST_DRAWS {
            let part = warmup.factor(drawn.known.since, wish.now) / warmest;
            if part >= 1.0 || random.next_u64() as f64 / (u64::MAX as f64) < part {
                break;
            }
            drawn = draw(random)?;
        }
        Some(drawn)
    }

    /// Round robin: a cycle visits each unit of weight once, and in one cycle no endpoint's turns are close together.
    fn next(&self) -> Option<&Arc<Endpoint>> {
        let turn = u128::from(self.turn.fetch_add(1, Ordering::Relaxed));
        let point = turn * u128::from(self.step) % u128::from(self.sum().max(1));
        self.at(point as u64)
    }

    fn at(&self, point: u64) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(self.sums.partition_point(|sum| *sum <= point))
    }

    fn sum(&self) -> u64 {
        self.sums.last().copied().unwrap_or_default()
    }
}

impl Lookup {
    fn find(&self, hash: u64) -> Option<usize> {
        match self {
            Lookup::Ring(ring) => ring.find(hash),
            Lookup::Maglev(maglev) => maglev.find(hash),
        }
    }
}

impl Wish<'_> {
    fn was_tried(&self, endpoint: &Endpoint) -> bool {
        self.tried.iter().any(|tried| tried.key() == endpoint.key())
    }
}

/// How far a turn is from the next: about the golden part of a cycle, and without a common divisor with it, so that each
/// point is visited once.
fn stride(cycle: u64) -> u64 {
    let golden = (cycle as f64 * 0.618_033_988_749_895) as u64;
    (golden.max(1)..).find(|step| divisor(*step, cycle) == 1).unwrap_or(1)
}

/// The greatest common one.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

/// Istio's number of looks for an endpoint that was not tried.
const RETRIES: usize = 5;
const REDRAWS: usize = 4;
const MOST_DRAWS: usize = 32;

#[cfg(test)]
mod tests;
