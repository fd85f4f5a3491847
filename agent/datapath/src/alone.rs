//! One agent at a time: two that share pins and pods would undo each other's repairs, and one that stops would open the other's pods.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::error::{DatapathError, Result};

/// Name of the lock file in the runtime directory.
pub(crate) const FILE: &str = "agent.lock";

/// The claim on a runtime directory. The kernel gives it up when the process ends, however that happens.
#[derive(Debug)]
pub(crate) struct Alone {
    _file: File,
}

impl Alone {
    /// Claims `directory`; waits a moment for an agent that is just ending.
    pub(crate) fn claim(directory: &Path) -> Result<Self> {
        let path = directory.join(FILE);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.map_err(|source| DatapathError::State { path: path.clone(), source })?;
        let begin = Instant::now();
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(DatapathError::State { path, source: error.into() });
            }
            if begin.elapsed() > PATIENCE {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                return Err(DatapathError::Busy {
                    directory: directory.to_owned(),
                    pid: pid.trim().to_owned(),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // For the error of the next one only; nothing depends on it.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let first = Alone::claim(directory.path()).unwrap();
        let error = Alone::claim(directory.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        drop(first);
        Alone::claim(directory.path()).unwrap();
    }
}
