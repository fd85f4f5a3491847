//! A real directory, changed in all the ways in which people and kubelets change one.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Mode};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

use super::super::scan::Looks;
use super::super::{DirError, Directory};
use super::*;

/// A directory that is followed.
struct Followed {
    dir: TempDir,
    events: Receiver<Vec<Event>>,
    task: JoinHandle<DirError>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Followed {
    /// Starts with what `fill` makes, and takes the first lists.
    async fn start(fill: impl FnOnce(&Path)) -> (Self, Vec<String>) {
        let dir = TempDir::with_prefix("weir-dir-").unwrap();
        fill(dir.path());
        let (sender, events) = channel(64);
        let run = Directory::new(dir.path().join("mesh")).run(sender);
        let task = tokio::spawn(async move {
            match run.await {
                Err(error) => error,
                Ok(never) => match never {},
            }
        });
        let mut followed = Self { dir, events, task };
        let mut first = Vec::new();
        for _ in Kind::ALL {
            first.extend(followed.next().await);
        }
        first.retain(|line| line.starts_with(['+', '!', '-']));
        (followed, first)
    }

    /// The next batch. The time is for a test that fails.
    async fn next(&mut self) -> Vec<String> {
        let batch = tokio::time::timeout(Duration::from_secs(20), self.events.recv()).await;
        told(&[batch.expect("nothing was told").expect("nobody follows any more")])
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("mesh").join(name)
    }
}

fn mesh(root: &Path) {
    fs::create_dir(root.join("mesh")).unwrap();
    fs::write(root.join("mesh/a.yaml"), account("a")).unwrap();
}

#[tokio::test]
async fn manifests_below_a_directory() {
    let (_followed, first) = Followed::start(|root| {
        mesh(root);
        fs::create_dir_all(root.join("mesh/deep/.hidden")).unwrap();
        fs::write(root.join("mesh/deep/b.yml"), account("b")).unwrap();
        fs::write(root.join("mesh/deep/.hidden/c.yaml"), account("c")).unwrap();
        fs::write(root.join("mesh/.d.yaml"), account("d")).unwrap();
        fs::write(root.join("mesh/e.yaml~"), account("e")).unwrap();
        let json = "{\n\t\"apiVersion\": \"v1\", \"kind\": \"ServiceAccount\", \"metadata\": {\"name\": \"f\", \"namespace\": \"shop\"}}";
        fs::write(root.join("mesh/f.json"), json).unwrap();
        symlink("..", root.join("mesh/deep/loop")).unwrap();
        symlink("nowhere", root.join("mesh/g.yaml")).unwrap();
    })
    .await;
    assert_eq!(
        first,
        ["+Namespace shop", "+ServiceAccount shop/a", "+ServiceAccount shop/b", "+ServiceAccount shop/f"]
    );
}

#[tokio::test]
async fn files_come_change_and_go() {
    let (mut followed, _) = Followed::start(mesh).await;
    fs::write(followed.path("b.yaml"), account("b")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/b"]);
    // As an editor does that is careful.
    fs::write(followed.path(".b.tmp"), account("c")).unwrap();
    fs::rename(followed.path(".b.tmp"), followed.path("b.yaml")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/c", "-ServiceAccount shop/b"]);
    // And as one that is not.
    fs::write(followed.path("b.yaml"), account("d")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/d", "-ServiceAccount shop/c"]);
    fs::remove_file(followed.path("b.yaml")).unwrap();
    assert_eq!(followed.next().await, ["-ServiceAccount shop/d"]);
    fs::create_dir(followed.path("new")).unwrap();
    fs::write(followed.path("new/e.yaml"), account("e")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/e"]);
    fs::write(followed.path("new/e.yaml"), account("f")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/f", "-ServiceAccount shop/e"]);
}

#[tokio::test]
async fn a_file_that_becomes_empty_or_unreadable_says_what_it_said() {
    let (mut followed, _) = Followed::start(mesh).await;
    for (n, content) in [&b""[..], b"\xff\xfe", b"a: [", b"- 1\n"].into_iter().enumerate() {
        fs::write(followed.path("a.yaml"), content).unwrap();
        fs::write(followed.path("b.yaml"), account(&format!("b{n}"))).unwrap();
        let next = followed.next().await;
        assert!(next.iter().all(|line| line.contains("shop/b")), "{next:?}");
    }
    fs::write(followed.path("a.yaml"), "# on purpose\n").unwrap();
    assert_eq!(followed.next().await, ["-ServiceAccount shop/a"]);
}

/// A ConfigMap in a pod: links to a hidden link to a hidden directory, and the hidden link is swapped.
#[tokio::test]
async fn a_mounted_config_map_is_swapped() {
    let (mut followed, first) = Followed::start(|root| {
        let mesh = root.join("mesh");
        fs::create_dir_all(mesh.join("..1")).unwrap();
        fs::write(mesh.join("..1/a.yaml"), account("a")).unwrap();
        symlink("..1", mesh.join("..data")).unwrap();
        symlink("..data/a.yaml", mesh.join("a.yaml")).unwrap();
    })
    .await;
    assert_eq!(first, ["+Namespace shop", "+ServiceAccount shop/a"]);
    for (number, name) in [(2, "b"), (3, "c")] {
        let version = format!("..{number}");
        fs::create_dir(followed.path(&version)).unwrap();
        fs::write(followed.path(&version).join("a.yaml"), account(name)).unwrap();
        symlink(&version, followed.path("..data_tmp")).unwrap();
        fs::rename(followed.path("..data_tmp"), followed.path("..data")).unwrap();
        fs::remove_dir_all(followed.path(&format!("..{}", number - 1))).unwrap();
        assert_eq!(followed.next().await[0], format!("+ServiceAccount shop/{name}"));
    }
}

#[tokio::test]
async fn a_directory_that_is_away_said_nothing_new() {
    let (mut followed, _) = Followed::start(mesh).await;
    let away = followed.dir.path().join("away");
    fs::rename(followed.path(""), &away).unwrap();
    let new = followed.dir.path().join("new");
    fs::create_dir(&new).unwrap();
    fs::write(new.join("b.yaml"), account("b")).unwrap();
    fs::rename(&new, followed.path("")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/b", "-ServiceAccount shop/a"]);
}

#[tokio::test]
async fn the_directory_is_a_link_that_is_swapped() {
    let (mut followed, _) = Followed::start(|root| {
        for name in ["a", "b"] {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("x.yaml"), account(name)).unwrap();
        }
        symlink("a", root.join("mesh")).unwrap();
    })
    .await;
    symlink("b", followed.dir.path().join("tmp")).unwrap();
    fs::rename(followed.dir.path().join("tmp"), followed.dir.path().join("mesh")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/b", "-ServiceAccount shop/a"]);
}

#[tokio::test]
async fn a_file_that_could_not_be_read_is_asked_for_again() {
    let dir = TempDir::with_prefix("weir-dir-").unwrap();
    let file = dir.path().join("a.yaml");
    fs::write(&file, account("a")).unwrap();
    fs::write(dir.path().join("other.json"), "{}").unwrap();
    let mut looks = Looks::new(dir.path().into(), Default::default(), Default::default());
    assert_eq!(looks.settled().await.unwrap().len(), 2);
    assert_eq!(looks.settled().await.unwrap(), []);
    looks.forget([&file]);
    assert_eq!(looks.settled().await.unwrap(), [(file.clone(), true)]);
    looks.forget([&file]);
    fs::remove_file(&file).unwrap();
    assert_eq!(looks.settled().await.unwrap(), [(file, false)]);
}

#[tokio::test]
async fn what_is_in_the_way_takes_nothing_away() {
    let (mut followed, first) = Followed::start(|root| {
        mesh(root);
        fs::create_dir(root.join("mesh/deep")).unwrap();
        fs::write(root.join("mesh/deep/d.yaml"), account("d")).unwrap();
        symlink("never.yaml", root.join("mesh/never.yaml")).unwrap();
    })
    .await;
    assert_eq!(first.len(), 3, "{first:?}");
    let (a, deep) = (followed.path("a.yaml"), followed.path("deep"));
    for (n, target) in ["a.yaml", "/nowhere/weir"].into_iter().enumerate() {
        fs::remove_file(&a).unwrap();
        symlink(target, &a).unwrap();
        fs::rename(&deep, followed.path(".deep")).unwrap();
        symlink("deep", &deep).unwrap();
        fs::write(followed.path("b.yaml"), account(&format!("b{n}"))).unwrap();
        let next = followed.next().await;
        assert!(next.iter().all(|line| line.contains("shop/b")), "a link to {target}: {next:?}");
        fs::remove_file(&deep).unwrap();
        fs::rename(followed.path(".deep"), &deep).unwrap();
    }
    // What is no file at all is not there.
    fs::remove_file(&a).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &a, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(followed.next().await, ["-ServiceAccount shop/a"]);
    assert_eq!(super::super::text::read(vec![(a, true)])[0].1, Some(Err("it is not a regular file".into())));
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_read() {
    let (mut followed, _) = Followed::start(mesh).await;
    fs::write(followed.path("a.yaml"), account("a") + &account("b")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/b"]);
    let mut file = fs::File::create(followed.path("a.yaml")).unwrap();
    let mut new = fs::File::create(followed.path("new.yaml")).unwrap();
    for (n, part) in ["a", "c"].into_iter().enumerate() {
        file.write_all(account(part).as_bytes()).unwrap();
        new.write_all(account(&format!("new-{part}")).as_bytes()).unwrap();
        fs::write(followed.path("other.yaml"), account(&format!("other{n}"))).unwrap();
        let next = followed.next().await;
        assert!(next.iter().all(|line| line.contains("shop/other")), "{next:?}");
    }
    drop((file, new));
    let mut both = Vec::new();
    while both.len() < 4 {
        both.extend(followed.next().await);
    }
    both.sort();
    let said = ["+ServiceAccount shop/c", "+ServiceAccount shop/new-a", "+ServiceAccount shop/new-c"];
    assert_eq!(both, [&said[..], &["-ServiceAccount shop/b"]].concat());
}

#[tokio::test]
async fn a_directory_that_lost_all_its_files_said_nothing() {
    let (mut followed, _) = Followed::start(mesh).await;
    fs::remove_file(followed.path("a.yaml")).unwrap();
    fs::write(followed.path("a.txt"), "no manifest").unwrap();
    fs::write(followed.path("b.yaml"), account("b")).unwrap();
    assert_eq!(followed.next().await, ["+ServiceAccount shop/b", "-ServiceAccount shop/a"]);
    let mut looks = Looks::new(followed.path(""), Default::default(), Default::default());
    assert_eq!(looks.settled().await.unwrap().len(), 1);
    fs::remove_file(followed.path("b.yaml")).unwrap();
    let (path, error) = looks.settled().await.unwrap_err();
    assert_eq!(path, followed.path(""));
    assert!(error.to_string().contains("leave a file with a comment"), "{error}");
    fs::write(followed.path("b.yaml"), "# nothing\n").unwrap();
    assert_eq!(followed.next().await, ["-Namespace shop", "-ServiceAccount shop/b"]);
}

/// Starts with a memory, and gives what is told at first.
async fn start(root: &Path) -> Result<Vec<String>, String> {
    let (sender, mut events) = channel(64);
    let directory = Directory::new(root.join("mesh")).remember_in(root.join("memory"));
    let task = tokio::spawn(directory.run(sender));
    let mut first = Vec::new();
    for _ in Kind::ALL {
        match events.recv().await {
            Some(batch) => first.extend(told(&[batch])),
            None => return Err(task.await.unwrap().unwrap_err().to_string()),
        }
    }
    task.abort();
    first.retain(|line| line.starts_with(['+', '!', '-']));
    Ok(first)
}

#[tokio::test]
async fn what_a_file_said_outlives_the_process() {
    let dir = TempDir::with_prefix("weir-dir-").unwrap();
    let root = dir.path();
    mesh(root);
    fs::write(root.join("mesh/b.yaml"), format!("{}---\n{}", account("b"), account("c"))).unwrap();
    let all = start(root).await.unwrap();
    assert_eq!(all.len(), 4, "{all:?}");
    // While nobody looks: one goes, of another one document is broken.
    fs::remove_file(root.join("mesh/a.yaml")).unwrap();
    fs::write(root.join("mesh/b.yaml"), format!("{}---\na: [\n", account("b"))).unwrap();
    let kept = ["+Namespace shop", "+ServiceAccount shop/b", "+ServiceAccount shop/c"];
    assert_eq!(start(root).await.unwrap(), kept);
    for garbage in [&b""[..], b"\xff", b"a: ["] {
        fs::write(root.join("mesh/b.yaml"), garbage).unwrap();
        assert_eq!(start(root).await.unwrap(), kept);
    }
    // A look at nothing is no look.
    fs::rename(root.join("mesh/b.yaml"), root.join("b.yaml")).unwrap();
    assert!(start(root).await.unwrap_err().contains("leave a file with a comment"));
    symlink("b.yaml", root.join("mesh/b.yaml")).unwrap();
    assert!(start(root).await.unwrap_err().contains("mesh/b.yaml"));
    fs::remove_file(root.join("mesh/b.yaml")).unwrap();
    fs::write(root.join("mesh/b.yaml"), "# on purpose\n").unwrap();
    assert_eq!(start(root).await.unwrap(), [""; 0]);
    fs::write(root.join("mesh/b.yaml"), "a: [").unwrap();
    assert_eq!(start(root).await.unwrap(), [""; 0], "what was deleted does not come back");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error() {
    let (sender, _events) = channel(1);
    let error = Directory::new("/nowhere/weir".into()).run(sender).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot read the directory of objects /nowhere/weir: "), "{error}");
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    let dir = TempDir::with_prefix("weir-dir-").unwrap();
    let (sender, events) = channel(1);
    drop(events);
    let error = Directory::new(dir.path().into()).run(sender).await.unwrap_err();
    assert!(matches!(error, DirError::Closed { .. }), "{error}");
}
