//! Outlier detection in a cluster. There is no timer: whoever comes after the time to look looks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use super::Cluster;
use crate::balance::{endpoint::Endpoint, outlier::Outcome};

impl Cluster {
    /// Counts an outcome, and ejects an endpoint for it.
    pub(in crate::balance) fn note(&self, endpoint: &Arc<Endpoint>, now: Instant, outcome: Outcome) {
        self.look(now);
        let settings = Arc::clone(&self.picture.load().settings);
        let Some(outlier) = &settings.outlier else { return };
        let known = &endpoint.known;
        if !known.record().note(outlier, outcome) {
            return;
        }
        let pictures = self.lock();
        let picture = self.picture.load_full();
        let ejected = picture.members.iter().filter(|member| member.is_ejected()).count();
        let is_member = picture.members.iter().any(|member| Arc::ptr_eq(&member.known, known));
        let may = is_member && !endpoint.is_ejected() && outlier.may_eject(ejected, picture.members.len());
        if may {
            known.record().eject(outlier, now);
            known.ejected.store(true, Ordering::Relaxed);
            self.paint(pictures, Arc::clone(&picture.settings), picture.members.clone());
        }
    }

    /// Brings back whose time is over, if it is time to look.
    pub(super) fn look(&self, now: Instant) {
        let since = self.since_epoch(now);
        if since < self.look_due.load(Ordering::Relaxed) {
            return;
        }
        let pictures = self.lock();
        let due = self.look_due.load(Ordering::Relaxed);
        let picture = self.picture.load_full();
        let interval = picture.settings.look_interval();
        if since < due || interval == u64::MAX {
            return;
        }
        self.look_due.store(since.saturating_add(interval), Ordering::Relaxed);
        let intervals = u32::try_from((since - due) / interval).unwrap_or(u32::MAX).saturating_add(1);
        let mut changed = false;
        for member in &picture.members {
            if member.known.record().look(now, intervals) {
                member.known.ejected.store(false, Ordering::Relaxed);
                changed = true;
            }
        }
        if changed {
            self.paint(pictures, Arc::clone(&picture.settings), picture.members.clone());
        }
    }
}
