//! A store in a directory.
//!
//! A set of files changes as a whole: the new ones are written into a directory beside it, and the two directories change
//! their names in one step (renameat2 with RENAME_EXCHANGE, Linux 3.15), so that neither a reader nor a crash meets a key
//! without its certificate.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::create::{Stage, is_occupied, is_secret, place, sync_dir, target};
use super::load::{read_secret, read_text};
use super::state::NAMES;
use super::{FileError, Files, MaterialStore, StoreError, StoreFuture, Stored};

/// Keeps files in a directory. Those whose name ends with `key.pem` get mode 0600, and are refused if others may read
/// them.
#[derive(Debug, Clone)]
pub struct DirStore {
    dir: PathBuf,
    names: Vec<String>,
}

impl DirStore {
    /// For a CA.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::with_names(dir, &NAMES)
    }

    /// For files of these names.
    pub fn with_names(dir: impl Into<PathBuf>, names: &[&str]) -> Self {
        Self { dir: dir.into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// What the directory holds; `None` if it is empty or not there.
    ///
    /// # Errors
    /// It holds something else, or a file cannot be read.
    pub fn load_now(&self) -> Result<Option<Stored>, FileError> {
        if !is_occupied(&self.dir, &self.names())? {
            return Ok(None);
        }
        // While names change hands a reader may get files of both sets.
        loop {
            let before = self.inode();
            let read = self.read();
            if before == self.inode() {
                let files = read?;
                return Ok(Some(Stored { version: version(&files), files }));
            }
        }
    }

    /// Puts the files there if nothing is; `false`: somebody was first.
    ///
    /// # Errors
    /// What failed.
    pub fn create_now(&self, files: &Files) -> Result<bool, FileError> {
        if is_occupied(&self.dir, &self.names())? {
            return Ok(false);
        }
        place(&self.dir, files)
    }

    /// Puts the files in the place of that version.
    pub(super) fn replace_now(&self, files: &Files, expected: &str) -> Result<bool, FileError> {
        let failed = |step| move |source| FileError::Create { dir: self.dir.clone(), step, source };
        let _lock = self.lock().map_err(failed("locking it"))?;
        if self.load_now()?.is_none_or(|stored| stored.version != expected) {
            return Ok(false);
        }
        let (target, parent) = target(&self.dir).map_err(failed("finding it"))?;
        let stage = Stage::filled(&parent, files).map_err(failed("writing the files beside it"))?;
        renameat_with(CWD, &stage.path, CWD, &target, RenameFlags::EXCHANGE)
            .map_err(|error| failed("changing places with the new files")(error.into()))?;
        // The stage is what was there before, and is removed with what is not brought over.
        self.bring_over(&stage.path, &target).map_err(failed("moving other files over"))?;
        sync_dir(&parent).map_err(failed("syncing the directory above it"))?;
        Ok(true)
    }

    /// Files that are not ours stay where they were.
    fn bring_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            if !self.names.iter().any(|known| name == known.as_str()) {
                fs::rename(from.join(&name), to.join(&name))?;
            }
        }
        Ok(())
    }

    /// Locks the directory that has the name now; one that lost it while we waited is no lock.
    fn lock(&self) -> io::Result<File> {
        loop {
            let dir = File::open(&self.dir)?;
            dir.lock()?;
            if Some(dir.metadata()?.ino()) == self.inode() {
                return Ok(dir);
            }
        }
    }

    fn read(&self) -> Result<Files, FileError> {
        let present =
            self.names.iter().map(|name| (name, self.dir.join(name))).filter(|(_, path)| path.exists());
        let read =
            |path: &Path, name: &str| if is_secret(name) { read_secret(path) } else { read_text(path) };
        present.map(|(name, path)| Ok((name.clone(), read(&path, name)?))).collect()
    }

    fn inode(&self) -> Option<u64> {
        fs::metadata(&self.dir).ok().map(|meta| meta.ino())
    }

    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// The disk may be slow; it is not waited for on a runtime's thread.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, FileError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let store = self.clone();
        Box::pin(async move {
            let failed = |source| StoreError { place: self.place(), source };
            let done = tokio::task::spawn_blocking(move || work(&store)).await;
            done.map_err(|error| failed(error.into()))?.map_err(|error| failed(error.into()))
        })
    }
}

impl MaterialStore for DirStore {
    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn load(&self) -> StoreFuture<'_, Option<Stored>> {
        self.blocking(Self::load_now)
    }

    fn create(&self, files: Files) -> StoreFuture<'_, bool> {
        self.blocking(move |store| store.create_now(&files))
    }

    fn replace(&self, files: Files, version: String) -> StoreFuture<'_, bool> {
        self.blocking(move |store| store.replace_now(&files, &version))
    }
}

fn version(files: &Files) -> String {
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
