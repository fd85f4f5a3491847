//! Putting a set of files into a directory, all at once and only once.
//!
//! All files are written into a fresh directory beside the wanted one, which is then renamed to it. rename(2)
//! replaces an empty directory and fails on any other, so of several processes one wins, nobody ever sees
//! half a CA, and a crash leaves at most a directory that nobody reads.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::state::State;
use super::{FILES, FileError, Files, Material};

/// Makes a self-signed CA in `dir` unless something is there.
pub(super) fn create_if_absent(dir: &Path, now: SystemTime) -> Result<(), FileError> {
    if is_occupied(dir, &FILES)? {
        return Ok(());
    }
    if place(dir, &State::new(Material::generate(now)?).to_files())? {
        tracing::info!(dir = %dir.display(), "made a new self-signed CA");
    }
    Ok(())
}

/// Puts all files there at once. `false`: somebody was first.
pub(super) fn place(dir: &Path, files: &Files) -> Result<bool, FileError> {
    let failed = |step| move |source| FileError::Create { dir: dir.into(), step, source };
    let (target, parent) = target(dir).map_err(failed("making the directory above it"))?;
    let stage = Stage::filled(&parent, files).map_err(failed("writing the files beside it"))?;
    match fs::rename(&stage.path, &target) {
        Ok(()) => {
            sync_dir(&parent).map_err(failed("syncing the directory above it"))?;
            Ok(true)
        }
        // Another process was first.
        Err(error) if is_lost_race(&error) => Ok(false),
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            Err(FileError::MountPoint { dir: dir.into() })
        }
        Err(error) => Err(failed("putting it in place")(error)),
    }
}

/// Where a rename must go to, and the directory above it, which is made if need be: rename(2) does not follow a
/// symlink at the target.
pub(super) fn target(dir: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let target = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&parent)?;
    Ok((target, parent))
}

/// Whether one of these files is there. A directory with others in it is somebody else's.
pub(super) fn is_occupied(dir: &Path, names: &[&str]) -> Result<bool, FileError> {
    let is_there = || names.iter().any(|name| dir.join(name).exists());
    let mut entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            return Err(FileError::Read { path: dir.into(), source });
        }
    };
    if is_there() {
        return Ok(true);
    }
    match entries.next() {
        None => Ok(false),
        // Put there between the two looks, perhaps.
        Some(_) if is_there() => Ok(true),
        Some(_) => Err(FileError::NotEmpty { dir: dir.into() }),
    }
}

fn is_lost_race(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists)
}

/// The directory that becomes the other one, removed again if it does not.
pub(super) struct Stage {
    pub(super) path: PathBuf,
}

impl Stage {
    /// A directory in `parent` with these files in it, safely on the disk.
    pub(super) fn filled(parent: &Path, files: &Files) -> io::Result<Self> {
        let path = parent.join(format!(".weir-ca-{:016x}", rand::random::<u64>()));
        DirBuilder::new().mode(0o700).create(&path)?;
        let stage = Self { path };
        for (name, content) in files {
            stage.write(name, content)?;
        }
        sync_dir(&stage.path)?;
        Ok(stage)
    }

    fn write(&self, name: &str, content: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let mode = if is_secret(name) { 0o600 } else { 0o644 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // After the rename there is nothing of that name any more.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether only the owner may read a file.
pub(super) fn is_secret(name: &str) -> bool {
    name.ends_with("key.pem")
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
