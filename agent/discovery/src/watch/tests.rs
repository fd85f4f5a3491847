//! Real files in a directory of their own. Nobody sleeps: the writer waits for the update, and a refused
//! version is waited for by the counter of refusals.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch::{Receiver, channel};
use tokio::task::JoinHandle;

use super::{trail, watch_file};
use crate::{Store, Update};

/// A followed file.
struct Story {
    dir: tempfile::TempDir,
    store: Store,
    updates: Receiver<Update>,
    task: JoinHandle<()>,
}

impl Story {
    /// Follows `name` in a new directory that `prepare` may fill first.
    fn start(name: &str, prepare: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        prepare(dir.path());
        let (sender, updates) = channel(Update::default());
        let store = Store::default();
        let follow = watch_file(dir.path().join(name), "a".into(), store.clone(), sender);
        let task = tokio::spawn(async move { drop(follow.await) });
        Self { dir, store, updates, task }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits for the next update: the names of this node's pods.
    async fn next(&mut self) -> Vec<String> {
        tokio::time::timeout(PATIENCE, self.updates.changed()).await.expect("no update").unwrap();
        self.updates.borrow_and_update().local.iter().map(|l| l.workload.name.to_string()).collect()
    }

    /// Waits until this many versions were refused.
    async fn refused(&self, count: u64) {
        let until = async {
            while self.store.metrics().refused.get() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, until).await.expect("not refused");
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn mesh(names: &[&str]) -> String {
    let entry = |(n, name): (usize, &&str)| {
        format!(
            "- {{name: {name}, namespace: n, node: a, addresses: [10.0.0.{n}], tunnelProtocol: HBONE, networkNamespace: /run/netns/{name}}}\n"
        )
    };
    format!(
        "workloads: {}\n{}",
        if names.is_empty() { "[]" } else { "" },
        names.iter().enumerate().map(entry).collect::<String>()
    )
}

#[tokio::test]
async fn a_rename_and_a_rewrite_in_place_are_seen() {
    let mut story =
        Story::start("mesh.yaml", |dir| fs::write(dir.join("mesh.yaml"), mesh(&["one"])).unwrap());
    assert_eq!(story.next().await, ["one"]);

    fs::write(story.path("mesh.yaml~"), mesh(&["one", "two"])).unwrap();
    fs::rename(story.path("mesh.yaml~"), story.path("mesh.yaml")).unwrap();
    assert_eq!(story.next().await, ["one", "two"]);

    fs::write(story.path("mesh.yaml"), mesh(&["two"])).unwrap();
    assert_eq!(story.next().await, ["two"]);
    assert_eq!(story.store.load().workloads().len(), 1);
}

#[tokio::test]
async fn a_write_in_pieces_counts_when_it_is_closed() {
    use std::io::Write;
    let mut story =
        Story::start("mesh.yaml", |dir| fs::write(dir.join("mesh.yaml"), mesh(&["one"])).unwrap());
    story.next().await;
    let whole = mesh(&["one", "two", "three"]);
    let mut file = fs::File::create(story.path("mesh.yaml")).unwrap();
    // Each piece ends where the file would be a good one with fewer workloads.
    for line in whole.split_inclusive('\n') {
        file.write_all(line.as_bytes()).unwrap();
        file.flush().unwrap();
        tokio::task::yield_now().await;
    }
    drop(file);
    assert_eq!(story.next().await, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_bad_version_changes_nothing_and_the_next_good_one_counts() {
    let mut story =
        Story::start("mesh.yaml", |dir| fs::write(dir.join("mesh.yaml"), mesh(&["one"])).unwrap());
    story.next().await;
    for (count, bad) in ["workloads: [\n", "", "workloads:\n- {name: one}\n"].into_iter().enumerate() {
        fs::write(story.path("mesh.yaml"), bad).unwrap();
        story.refused(count as u64 + 1).await;
        assert_eq!(story.store.load().workloads().len(), 1);
        assert_eq!(story.store.metrics().stale.get(), 1);
        assert!(!story.updates.has_changed().unwrap());
    }
    fs::write(story.path("mesh.yaml"), mesh(&["one", "two"])).unwrap();
    assert_eq!(story.next().await, ["one", "two"]);
    assert_eq!((story.store.metrics().stale.get(), story.store.metrics().applied.get()), (0, 2));
}

#[tokio::test]
async fn a_file_may_be_missing_at_first_and_for_a_while() {
    let mut story = Story::start("later/mesh.yaml", |_| {});
    story.refused(1).await;
    fs::create_dir(story.path("later")).unwrap();
    fs::write(story.path("later/mesh.yaml"), mesh(&["one"])).unwrap();
    assert_eq!(story.next().await, ["one"]);

    fs::remove_dir_all(story.path("later")).unwrap();
    story.refused(2).await;
    assert_eq!(story.store.load().workloads().len(), 1, "what was known stays");

    fs::create_dir(story.path("later")).unwrap();
    fs::write(story.path("later/mesh.yaml"), mesh(&["two"])).unwrap();
    assert_eq!(story.next().await, ["two"]);
}

#[tokio::test]
async fn links_may_be_swapped_as_kubernetes_does() {
    let version = |dir: &Path, name: &str, names: &[&str]| {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("mesh.yaml"), mesh(names)).unwrap();
    };
    let mut story = Story::start("mesh.yaml", |dir| {
        version(dir, "..v1", &["one"]);
        symlink("..v1", dir.join("..data")).unwrap();
        symlink("..data/mesh.yaml", dir.join("mesh.yaml")).unwrap();
    });
    assert_eq!(story.next().await, ["one"]);
    for (name, old, names) in [("..v2", "..v1", vec!["two"]), ("..v3", "..v2", vec!["two", "three"])] {
        version(story.dir.path(), name, &names);
        symlink(name, story.path("..data_tmp")).unwrap();
        fs::rename(story.path("..data_tmp"), story.path("..data")).unwrap();
        fs::remove_dir_all(story.path(old)).unwrap();
        assert_eq!(story.next().await, names);
    }
}

#[tokio::test]
async fn the_target_of_a_link_into_another_directory_is_watched() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("real.yaml");
    fs::write(&target, mesh(&["one"])).unwrap();
    let mut story = Story::start("mesh.yaml", |dir| symlink(&target, dir.join("mesh.yaml")).unwrap());
    story.next().await;
    fs::write(&target, mesh(&["two"])).unwrap();
    assert_eq!(story.next().await, ["two"]);
}

#[tokio::test]
async fn what_did_not_change_is_the_same_allocation() {
    let mut story =
        Story::start("mesh.yaml", |dir| fs::write(dir.join("mesh.yaml"), mesh(&["one", "two"])).unwrap());
    story.next().await;
    let before = story.store.load();
    fs::write(story.path("mesh.yaml"), mesh(&["one", "three"])).unwrap();
    story.next().await;
    let after = story.store.load();
    let find = |directory: &weir_model::Directory, name: &str| {
        directory.workload(&format!("Kubernetes//Pod/n/{name}")).cloned()
    };
    assert!(std::sync::Arc::ptr_eq(&find(&before, "one").unwrap(), &find(&after, "one").unwrap()));
    assert!(
        find(&before, "two").is_some() && find(&after, "two").is_none() && find(&after, "three").is_some()
    );
}

#[tokio::test]
async fn only_captured_workloads_of_the_node_are_local() {
    let text = "workloads:\n\
        - {name: here, namespace: n, node: a, addresses: [10.0.0.1], tunnelProtocol: HBONE, networkNamespace: /n/here, probePorts: [80]}\n\
        - {name: there, namespace: n, node: b, addresses: [10.0.0.2], tunnelProtocol: HBONE, networkNamespace: /n/there}\n\
        - {name: outside, namespace: n, node: a, addresses: [10.0.0.3], networkNamespace: /n/outside}\n\
        - {name: native, namespace: n, node: a, addresses: [10.0.0.4], tunnelProtocol: HBONE, nativeTunnel: true, networkNamespace: /n/native}\n\
        - {name: nowhere, namespace: n, node: a, addresses: [10.0.0.5], tunnelProtocol: HBONE}\n";
    let mut story = Story::start("mesh.yaml", |dir| fs::write(dir.join("mesh.yaml"), text).unwrap());
    assert_eq!(story.next().await, ["here"]);
    let update = story.updates.borrow().clone();
    assert_eq!(
        (update.local[0].netns.to_str(), &update.local[0].probe_ports[..]),
        (Some("/n/here"), &[80][..])
    );
    assert_eq!(update.directory.workloads().len(), 5);
}

#[test]
fn a_trail_names_every_entry_that_decides() {
    let dir = tempfile::tempdir().unwrap();
    let at = fs::canonicalize(dir.path()).unwrap();
    fs::create_dir_all(at.join("v1/deep")).unwrap();
    symlink("v1", at.join("current")).unwrap();
    symlink("../v1/deep/absent.yaml", at.join("v1/link.yaml")).unwrap();
    symlink("loop", at.join("loop")).unwrap();
    let names = |path: &str| -> Vec<String> {
        let trail = trail::follow(&at.join(path));
        let relative = |dir: &Path| dir.strip_prefix(&at).unwrap().display().to_string();
        trail
            .iter()
            .flat_map(|(d, names)| names.iter().map(move |n| format!("{}:{}", relative(d), n.display())))
            .collect()
    };
    assert_eq!(names("current/link.yaml"), [":current", "v1:link.yaml", "v1/deep:absent.yaml"]);
    assert_eq!(names("no/such/dir/mesh.yaml"), [":no"]);
    assert_eq!(names("loop"), [":loop"]);
}

/// Only a failure waits this long; it is shorter than the time after which the file is looked at unasked.
const PATIENCE: Duration = Duration::from_secs(10);
