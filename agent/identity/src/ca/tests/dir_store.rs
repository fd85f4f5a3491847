//! A directory as a store: whole sets only, and one writer at a time wins.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tempfile::TempDir;

use super::names;
use crate::ca::{DirStore, Files};

fn files(text: &str) -> Files {
    [("a-key.pem", text), ("a-cert.pem", text)].map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

fn store(dir: &Path) -> DirStore {
    DirStore::with_names(dir, &["a-key.pem", "a-cert.pem"])
}

#[test]
fn files_are_made_once_and_replaced_by_version() {
    let temp = TempDir::new().unwrap();
    let store = store(&temp.path().join("x/ca"));
    assert!(store.load_now().unwrap().is_none());
    assert!(store.create_now(&files("one")).unwrap());
    assert!(!store.create_now(&files("two")).unwrap());
    let one = store.load_now().unwrap().unwrap();
    assert_eq!(one.files, files("one"));
    assert!(store.replace_now(&files("two"), &one.version).unwrap());
    assert!(!store.replace_now(&files("three"), &one.version).unwrap(), "that version is gone");
    assert_eq!(store.load_now().unwrap().unwrap().files, files("two"));
    assert_eq!(names(&temp.path().join("x")), ["ca"], "nothing is left beside it");
    let mode = fs::metadata(temp.path().join("x/ca/a-key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_others_put_there_stays_and_fewer_files_may_follow() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let store = store(&dir);
    store.create_now(&files("one")).unwrap();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let version = store.load_now().unwrap().unwrap().version;
    let fewer: Files = [("a-cert.pem".to_owned(), "two".to_owned())].into();
    assert!(store.replace_now(&fewer, &version).unwrap());
    assert_eq!(store.load_now().unwrap().unwrap().files, fewer);
    assert_eq!(names(&dir), ["a-cert.pem", "notes.txt"]);
}

#[test]
fn a_key_that_others_may_read_and_somebody_elses_directory_are_refused() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    let store = store(&dir);
    store.create_now(&files("one")).unwrap();
    fs::set_permissions(dir.join("a-key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = store.load_now().err().unwrap().to_string();
    assert!(said.contains("a-key.pem has mode 0644"), "{said}");
    fs::remove_file(dir.join("a-key.pem")).unwrap();
    fs::rename(dir.join("a-cert.pem"), dir.join("else")).unwrap();
    let said = store.create_now(&files("one")).err().unwrap().to_string();
    assert!(said.contains("holds no CA and is not empty"), "{said}");
}

/// Each of many writers replaces what it read last; each change that it is told of happened, and no reader ever meets
/// the key of one with the certificate of another.
#[test]
fn of_many_writers_each_version_is_replaced_once_and_readers_see_whole_sets() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("ca");
    store(&dir).create_now(&files("0")).unwrap();
    let (done, won) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(|| count(&dir, &won))).collect();
        let reader = scope.spawn(|| {
            while !done.load(SeqCst) {
                let files = store(&dir).load_now().unwrap().unwrap().files;
                assert_eq!(files["a-key.pem"], files["a-cert.pem"]);
            }
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, SeqCst);
        reader.join().unwrap();
    });
    let last = store(&dir).load_now().unwrap().unwrap().files;
    assert_eq!(last["a-key.pem"], won.load(SeqCst).to_string());
    assert_eq!(won.load(SeqCst), 40);
}

/// Adds one to the number in the files, ten times.
fn count(dir: &Path, won: &AtomicUsize) {
    let store = store(dir);
    for _ in 0..10 {
        loop {
            let stored = store.load_now().unwrap().unwrap();
            let next: usize = stored.files["a-key.pem"].parse::<usize>().unwrap() + 1;
            if store.replace_now(&files(&next.to_string()), &stored.version).unwrap() {
                won.fetch_add(1, SeqCst);
                break;
            }
        }
    }
}
