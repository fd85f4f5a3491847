//! Waiting for a condition with a deadline. The only place in the harness that sleeps.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Polls `probe` until it gives a value; the error names `what` was awaited and for how long.
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Result<T> {
    until_ok(what, limit, || match probe() {
        Some(value) => Ok(value),
        None => bail!("not yet"),
    })
}

/// Polls `probe` until it succeeds; the error carries the last refusal of `probe`.
pub fn until_ok<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(error) if start.elapsed() >= limit => {
                return Err(error.context(format!("waited {limit:?} in vain for {what}")));
            }
            Err(_) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}
