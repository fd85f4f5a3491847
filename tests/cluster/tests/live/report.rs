//! What came of each story, told as it comes and once more at the end.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Stories that were told.
pub(crate) struct Report {
    stories: Vec<(&'static str, Duration, Option<anyhow::Error>)>,
    begun: Instant,
}

impl Report {
    /// Runs all stories; fails if one of them did, after a table of them all.
    pub(crate) fn of(all: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let mut report = Self { stories: Vec::new(), begun: Instant::now() };
        let end = all(&mut report);
        println!("\n{}", report.table());
        end?;
        let failed = report.stories.iter().filter(|(_, _, error)| error.is_some()).count();
        if failed > 0 {
            bail!("{failed} of {} stories failed", report.stories.len());
        }
        Ok(())
    }

    /// Tells one; whether it came out as it should.
    pub(crate) fn story(&mut self, name: &'static str, tell: impl FnOnce() -> Result<()>) -> bool {
        println!("live: {name} ...");
        let begun = Instant::now();
        let error = tell().err();
        let took = begun.elapsed();
        match &error {
            None => println!("live: {name}: ok ({:.1} s)", took.as_secs_f64()),
            Some(error) => println!("live: {name}: FAILED ({:.1} s)\n{error:?}", took.as_secs_f64()),
        }
        let is_good = error.is_none();
        self.stories.push((name, took, error));
        is_good
    }

    fn table(&self) -> String {
        let mut table = String::new();
        for (name, took, error) in &self.stories {
            let word = if error.is_some() { "FAILED" } else { "ok" };
            _ = writeln!(table, "{word:6} {:6.1} s  {name}", took.as_secs_f64());
            if let Some(error) = error {
                _ = writeln!(table, "                 {error:#}");
            }
        }
        _ = write!(table, "{} stories in {:.0} s", self.stories.len(), self.begun.elapsed().as_secs_f64());
        table
    }
}
