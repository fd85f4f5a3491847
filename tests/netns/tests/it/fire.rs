//! Configuration under fire: what changes all the time fails nobody, and leaves nothing behind.

use std::time::Duration;

use anyhow::ensure;
use weir_harness::{Bookinfo, Cluster, Fire};

use crate::support::stories;

stories! {
    fn nothing_fails_while_everything_changes(c = Cluster::builder("fire").controlled()) {
        let book = Bookinfo::start(c)?;
        let fire = Fire { length: LENGTH, every: Duration::from_millis(100), connections: 4 };
        let report = book.fire(c, fire)?;
        eprintln!("{report}");
        ensure!(report.failures.is_empty(), "{report}");
        ensure!(report.changes > 40 && report.asked > 200, "too little has happened: {report}");
        ensure!(report.propagation_ms.len() == report.changes, "changes were never in force: {report}");
        ensure!(report.percentile(0.99) < 2000.0, "changes take too long: {report}");
        for grown in &report.growth {
            // Of a debug build in seconds: what a change or a request would leave behind is more.
            ensure!(grown.descriptors() < 50, "descriptors: {report}");
            ensure!(grown.memory_kib() < 16 * 1024, "memory: {report}");
        }
    }
}

/// A minute of it is `cargo xtask bench fire`.
const LENGTH: Duration = Duration::from_secs(8);
