//! Configuration under fire: routes, subsets and endpoints of reviews change all the time while they are read.

mod objects;
mod report;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde_json::Value;

use super::{Bookinfo, cast};
use crate::{Cluster, Footprint, Pod, Process};
pub use report::{FireReport, Growth};

/// How hard.
#[derive(Clone, Copy, Debug)]
pub struct Fire {
    /// For how long.
    pub length: Duration,
    /// Between two changes.
    pub every: Duration,
    /// Connections that read.
    pub connections: usize,
}

impl Bookinfo {
    /// Reads reviews while everything about them changes: each change is another VirtualService (weights, names of subsets, a
    /// number in a header of the answers), another DestinationRule (subsets, balancing, limits), and, every fifth time,
    /// another set of pods behind the service. All of it is always whole, so that no request may fail.
    ///
    /// # Errors
    /// A process of the mesh has ended, or the files cannot be written.
    pub fn fire(&self, cluster: &Cluster, fire: Fire) -> Result<FireReport> {
        let spare = cast::spare_reviews(cluster)?;
        cluster.apply("fire", &objects::of(0))?;
        self.soon("x", &["v1", "v2", "v3"])?;
        let processes = self.processes(cluster)?;
        // What a process learns once (pools, caches, the allocator's own) is no leak.
        let mut revision = 0;
        let warmup = self.burn(cluster, &spare, Fire { length: fire.length / 5, ..fire }, &mut revision)?;
        let before = footprints(&processes)?;
        let mut burnt = self.burn(cluster, &spare, fire, &mut revision)?;
        burnt.add(warmup);
        let after = footprints(&processes)?;
        cluster.settle()?;
        Ok(burnt.report(Growth::between(&before, &after)))
    }

    fn burn(&self, cluster: &Cluster, spare: &[Pod], fire: Fire, revision: &mut u32) -> Result<Burnt> {
        let reading = self.read(fire.connections, &["--requests", "20"])?;
        let begun = Instant::now();
        let mut written = Vec::new();
        let outcome = (|| {
            while begun.elapsed() < fire.length {
                *revision += 1;
                cluster.write("fire", &objects::of(*revision))?;
                written.push((*revision, now()));
                if revision.is_multiple_of(5)
                    && let Some(pod) = spare.get((*revision as usize / 5) % spare.len().max(1))
                {
                    // Out of the service and back: the pod itself lives, as one that ends in peace does.
                    pod.relabel("app", if revision.is_multiple_of(2) { "reviews" } else { "parked" })?;
                }
                let due = fire.every * u32::try_from(written.len())?;
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
            }
            cluster.settle()
        })();
        // The last of them is to be seen, too.
        let last = self.soon("x", &["v1", "v2", "v3"]);
        let seen = reading.stop()?;
        outcome?;
        last?;
        Ok(Burnt { written, seen: vec![seen] })
    }

    /// All processes of the mesh, with their names.
    fn processes(&self, cluster: &Cluster) -> Result<Vec<(String, Process)>> {
        let mut processes = vec![
            ("waypoint".to_owned(), self.waypoint.current()?),
            ("controller".to_owned(), cluster.controller().current()?),
        ];
        for node in cluster.nodes() {
            processes.push((format!("agent {}", node.name()), node.agent().current()?));
        }
        Ok(processes)
    }
}

/// What was written when, and what the readers saw.
struct Burnt {
    written: Vec<(u32, u64)>,
    seen: Vec<Value>,
}

impl Burnt {
    fn add(&mut self, other: Burnt) {
        self.written.extend(other.written);
        self.seen.extend(other.seen);
    }

    fn report(self, growth: Vec<Growth>) -> FireReport {
        FireReport::new(&self.written, &self.seen, growth)
    }
}

fn footprints(processes: &[(String, Process)]) -> Result<Vec<(String, Footprint)>> {
    processes.iter().map(|(name, process)| Ok((name.clone(), process.footprint()?))).collect()
}

/// As the reader's clock: microseconds.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
