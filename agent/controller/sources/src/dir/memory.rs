//! What the files said when they were last whole.
//!
//! A process that starts while a file is half written, or garbage, has no version of it to keep in force. Without the copies
//! that are kept here it would tell the mesh that the file's policies are gone.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A directory with a copy of each file: a line with its path, then its text.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    dir: PathBuf,
}

/// Texts by the paths of their files.
pub(super) type Remembered = BTreeMap<PathBuf, String>;

impl Memory {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// What the files below `root` said, as far as is known.
    pub(super) fn recall(&self, root: &Path) -> Remembered {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Remembered::new() };
        let copy = |path: PathBuf| {
            let copy = fs::read_to_string(path).ok()?;
            let (path, text) = copy.split_once('\n')?;
            Some((PathBuf::from(path), text.to_owned()))
        };
        let copies = entries.flatten().map(|entry| entry.path());
        let copies = copies.filter(|path| path.extension().is_some_and(|end| end == COPY));
        copies.filter_map(copy).filter(|(path, _)| path.starts_with(root)).collect()
    }

    /// Remembers a text, or (`None`) that the file is gone.
    pub(super) fn note(&self, path: &Path, text: Option<&str>) -> io::Result<()> {
        // Such a path would be taken for another's text.
        let Some(name) = path.to_str().filter(|name| !name.contains('\n')) else { return Ok(()) };
        let place = self.place(path);
        let Some(text) = text else {
            return fs::remove_file(place).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            });
        };
        let copy = format!("{name}\n{text}");
        if fs::read(&place).is_ok_and(|known| known == copy.as_bytes()) {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let draft = place.with_extension("draft");
        fs::write(&draft, copy)?;
        fs::rename(draft, place)
    }

    /// The directory, for messages.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn place(&self, path: &Path) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        self.dir.join(format!("{:016x}.{COPY}", hasher.finish()))
    }
}

const COPY: &str = "copy";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_until_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(dir.path().join("deep/memory"));
        assert_eq!(memory.recall(Path::new("/mesh")), Remembered::new());
        for (path, text) in [("/mesh/a.yaml", "a\n---\nb\n"), ("/mesh/b.yaml", ""), ("/other/a.yaml", "x")] {
            memory.note(Path::new(path), Some(text)).unwrap();
        }
        memory.note(Path::new("/mesh/a.yaml"), Some("c\n")).unwrap();
        memory.note(Path::new("/mesh/never.yaml"), None).unwrap();
        let known = [("/mesh/a.yaml".into(), "c\n".to_owned()), ("/mesh/b.yaml".into(), String::new())];
        assert_eq!(memory.recall(Path::new("/mesh")), Remembered::from(known));
        memory.note(Path::new("/mesh/b.yaml"), None).unwrap();
        assert_eq!(memory.recall(Path::new("/mesh")).len(), 1);
    }

    #[test]
    fn a_copy_that_is_none_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("0.copy"), b"\xff").unwrap();
        fs::write(dir.path().join("1.copy"), "/mesh/no-line").unwrap();
        fs::write(dir.path().join("2.draft"), "/mesh/a.yaml\nhalf").unwrap();
        assert_eq!(Memory::new(dir.path().into()).recall(Path::new("/mesh")), Remembered::new());
    }
}
