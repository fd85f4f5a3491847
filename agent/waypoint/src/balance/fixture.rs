//! What the tests of the balance have in common.

use std::{sync::Arc, time::Instant};

use rand::{SeedableRng as _, rngs::StdRng};
use weir_proto::l7;

use super::endpoint::Endpoint;

/// An endpoint that serves port 80.
pub(super) fn form(n: u8) -> l7::Endpoint {
    l7::Endpoint {
        uid: format!("pod-{n}"),
        addresses: vec![vec![10, 0, 0, n]],
        ports: [(80, 8080)].into(),
        ..Default::default()
    }
}

/// The same in a locality.
pub(super) fn form_at(n: u8, locality: &str) -> l7::Endpoint {
    l7::Endpoint { locality: locality.into(), ..form(n) }
}

pub(super) fn compiled(form: &l7::Endpoint, now: Instant) -> Arc<Endpoint> {
    Arc::new(Endpoint::compile(form, 80, now).unwrap().unwrap())
}

/// The last byte of its address.
pub(super) fn number(endpoint: &Endpoint) -> u8 {
    endpoint.form().addresses[0][3]
}

pub(super) fn seeded() -> StdRng {
    StdRng::seed_from_u64(4)
}

/// Whether counts are what was to be expected, at a level of one in a thousand (Pearson's test).
pub(super) fn fits(counts: &[u64], weights: &[f64]) -> bool {
    let (all, sum) = (counts.iter().sum::<u64>() as f64, weights.iter().sum::<f64>());
    let term = |(count, weight): (&u64, &f64)| {
        let expected = all * weight / sum;
        (*count as f64 - expected).powi(2) / expected
    };
    let square: f64 = counts.iter().zip(weights).map(term).sum();
    const CRITICAL: [f64; 6] = [0.0, 10.83, 13.82, 16.27, 18.47, 20.52];
    square < CRITICAL[counts.len() - 1]
}
