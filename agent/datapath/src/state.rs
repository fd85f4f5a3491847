//! What must survive a killed agent about one pod and is not in the kernel: the values of its sysctls from before the enrolment, and the
//! port of its listeners (a new agent joins the same reuseport groups).
//!
//! One small text file per pod, named by the namespace cookie, in a directory that a reboot empties (as it empties bpffs).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::DatapathError;
use crate::sysctl::Saved;

/// The content of one pod's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The pod that was enrolled.
    pub(crate) uid: String,
    /// Where its namespace was found.
    pub(crate) netns: PathBuf,
    /// Cookie of that namespace.
    pub(crate) cookie: u64,
    /// Port of the listeners.
    pub(crate) port: u16,
    /// See [`Saved`].
    pub(crate) sysctls: Saved,
}

/// The directory of the state files.
#[derive(Debug, Clone)]
pub(crate) struct StateDir {
    directory: PathBuf,
}

impl StateDir {
    /// Makes the directory, readable by the agent's user only.
    pub(crate) fn create(directory: &Path) -> Result<Self, DatapathError> {
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(|source| DatapathError::State { path: directory.to_owned(), source })?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// The state of the pod whose namespace has this cookie. A file that cannot be read is an error: its values would be lost.
    pub(crate) fn load(&self, cookie: u64) -> Result<Option<State>, DatapathError> {
        let path = self.file(cookie);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|source| DatapathError::State { path: path.clone(), source })?,
        };
        let state = State::parse(&text).map_err(|why| DatapathError::State {
            path,
            source: io::Error::new(io::ErrorKind::InvalidData, why),
        })?;
        Ok(Some(state))
    }

    /// Writes the file whole or not at all.
    pub(crate) fn store(&self, state: &State) -> Result<(), DatapathError> {
        let path = self.file(state.cookie);
        let temporary = path.with_extension("new");
        let written =
            fs::File::create(&temporary).and_then(|mut file| file.write_all(state.render().as_bytes()));
        written
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| DatapathError::State { path, source })
    }

    /// Forgets a pod; one that is not known is fine.
    pub(crate) fn remove(&self, cookie: u64) -> Result<(), DatapathError> {
        let path = self.file(cookie);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DatapathError::State { path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// All pods that have a file. One that cannot be read is logged and left out: it must not hold up the others.
    pub(crate) fn all(&self) -> Vec<State> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let cookies = names.filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok());
        cookies
            .filter_map(|cookie| {
                self.load(cookie).unwrap_or_else(|error| {
                    tracing::warn!(%error, "left out the saved state of a pod");
                    None
                })
            })
            .collect()
    }

    /// Removes the directory if it is empty, and its parent with the lock file of this agent.
    pub(crate) fn remove_if_empty(&self) {
        let removed = fs::remove_dir(&self.directory);
        if let (Ok(()), Some(parent)) = (removed, self.directory.parent()) {
            let _ = fs::remove_file(parent.join(crate::alone::FILE));
            let _ = fs::remove_dir(parent);
        }
    }

    fn file(&self, cookie: u64) -> PathBuf {
        self.directory.join(format!("{PREFIX}{cookie}"))
    }
}

impl State {
    fn render(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "{HEADER}\nuid={}\nnetns={}\ncookie={}\nport={}\n",
            self.uid,
            self.netns.display(),
            self.cookie,
            self.port
        );
        for (path, value) in &self.sysctls {
            let _ = writeln!(text, "sysctl {path}={value}");
        }
        text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(format!("the first line is not {HEADER:?}"));
        }
        let (mut uid, mut netns, mut cookie, mut port, mut sysctls) = (None, None, None, None, Saved::new());
        for line in lines {
            let (key, value) = line.split_once('=').ok_or_else(|| format!("no '=' in {line:?}"))?;
            match key {
                "uid" => uid = Some(value.to_owned()),
                "netns" => netns = Some(PathBuf::from(value)),
                "cookie" => cookie = value.parse().ok(),
                "port" => port = value.parse().ok(),
                _ => {
                    let path = key.strip_prefix("sysctl ").ok_or_else(|| format!("unknown key {key:?}"))?;
                    sysctls.insert(path.to_owned(), value.to_owned());
                }
            }
        }
        let missing = || "uid, netns, cookie or port is missing or not a number".to_owned();
        Ok(Self {
            uid: uid.ok_or_else(missing)?,
            netns: netns.ok_or_else(missing)?,
            cookie: cookie.ok_or_else(missing)?,
            port: port.ok_or_else(missing)?,
            sysctls,
        })
    }
}

const HEADER: &str = "weir pod 1";
const PREFIX: &str = "netns-";

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            uid: "Kubernetes//Pod/ns/name".into(),
            netns: "/run/netns/a=b".into(),
            cookie: 4711,
            port: 61001,
            sysctls: [("ipv4/fwmark_reflect".into(), "0".into())].into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(State::parse(&state().render()), Ok(state()));
    }

    #[test]
    fn damage_is_noticed() {
        for (text, says) in [
            ("", "first line"),
            ("weir pod 1\nuid=a\n", "missing"),
            ("weir pod 1\nnonsense\n", "no '='"),
            ("weir pod 1\na=b\n", "unknown key"),
        ] {
            assert!(State::parse(text).unwrap_err().contains(says), "{text:?}");
        }
    }

    #[test]
    fn a_directory_of_states() {
        let parent = tempfile::tempdir().unwrap();
        let directory = StateDir::create(&parent.path().join("pods")).unwrap();
        assert_eq!(directory.load(4711).unwrap(), None);
        directory.store(&state()).unwrap();
        assert_eq!(directory.all(), [state()]);
        fs::write(parent.path().join("pods/netns-1"), "garbage").unwrap();
        assert_eq!(directory.all(), [state()], "the bad file is left out");
        assert!(directory.load(1).is_err(), "but asked for by name it is an error");
        directory.remove(4711).unwrap();
        directory.remove(4711).unwrap();
        assert_eq!(directory.all(), []);
    }
}
