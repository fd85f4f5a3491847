//! How it stands with the control plane, for the readiness endpoint and the config dump.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;

/// How it stands with the control plane; shared between who follows it and who is asked.
#[derive(Debug, Default)]
pub struct Status {
    ready: AtomicBool,
    report: ArcSwap<Report>,
}

/// How it stands with the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// There is a stream.
    pub connected: bool,
    /// Since when that is so.
    pub since: Option<SystemTime>,
    /// Why the last stream ended.
    pub problem: Option<String>,
    /// Resources that were refused and have not become good since: name and reason. Not all if there are many.
    pub rejected: Vec<(String, String)>,
}

impl Status {
    /// Whether a batch of every type was taken without a refusal. It stays so when the control plane goes away.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// All of it.
    pub fn report(&self) -> Arc<Report> {
        self.report.load_full()
    }

    pub(super) fn connected(&self) {
        self.change(|report| {
            (report.connected, report.since, report.problem) = (true, Some(SystemTime::now()), None);
        });
    }

    pub(super) fn lost(&self, problem: String) {
        self.change(|report| {
            if report.connected || report.since.is_none() {
                report.since = Some(SystemTime::now());
            }
            (report.connected, report.problem) = (false, Some(problem));
        });
    }

    /// A response is through. `rejected` is all that is refused now.
    pub(crate) fn learned<'r>(
        &self,
        is_ready: bool,
        rejected: impl Iterator<Item = (&'r str, &'r str)> + Clone,
    ) {
        if is_ready {
            self.ready.store(true, Ordering::Release);
        }
        let known = self.report.load();
        let mut old = known.rejected.iter();
        let is_next = |(name, why)| old.next().is_some_and(|old| old.0 == name && old.1 == why);
        if !(rejected.clone().all(is_next) && old.next().is_none()) {
            let own = |(name, why): (&str, &str)| (name.to_owned(), why.to_owned());
            self.change(|report| report.rejected = rejected.map(own).collect());
        }
    }

    /// Only the follower changes it.
    fn change(&self, change: impl FnOnce(&mut Report)) {
        let mut report = Report::clone(&self.report.load());
        change(&mut report);
        self.report.store(Arc::new(report));
    }
}
