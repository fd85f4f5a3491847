//! What is said while something long goes on, on standard error: a line that moves for people, lines for a log.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Says what goes on.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    last: String,
}

impl Progress {
    /// For whoever looks at standard error.
    #[must_use]
    pub fn start(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, quiet, last: String::new() }
    }

    /// What is being done, or waited for, right now.
    pub fn now(&mut self, what: &str) {
        if what == self.last {
            return;
        }
        what.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None if self.quiet => {}
            None => eprintln!("  {what}"),
        }
    }

    /// A thing to keep.
    pub fn say(&mut self, what: &str) {
        match &self.bar {
            Some(bar) => bar.println(what),
            None if self.quiet => {}
            None => eprintln!("{what}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
