//! A CA comes into being once, whoever else tries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier};

use tempfile::TempDir;

use super::{names, refusal, root_of};
use crate::ca::{CA_KEY, FileAuthority};

#[test]
fn the_first_makes_a_ca_and_the_second_opens_it() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("a/b/ca");
    let first = FileAuthority::open_or_create(&dir).unwrap();
    let second = FileAuthority::open_or_create(&dir).unwrap();
    assert_eq!(root_of(&first), root_of(&second));
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(CA_KEY), 0o600);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(names(&dir), ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]);
    assert_eq!(names(dir.parent().unwrap()), ["ca"], "nothing is left beside it");
}

#[test]
fn an_empty_directory_and_a_link_to_one_will_do() {
    let temp = TempDir::new().unwrap();
    let (dir, link) = (temp.path().join("ca"), temp.path().join("link"));
    fs::create_dir(&dir).unwrap();
    std::os::unix::fs::symlink(&dir, &link).unwrap();
    let made = FileAuthority::open_or_create(&link).unwrap();
    assert_eq!(root_of(&made), root_of(&FileAuthority::open_or_create(&dir).unwrap()));
}

#[test]
fn of_many_threads_one_makes_it() {
    for _ in 0..20 {
        let temp = TempDir::new().unwrap();
        let dir = temp.path().join("ca");
        let barrier = Arc::new(Barrier::new(16));
        let open = || {
            let (dir, barrier) = (dir.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                root_of(&FileAuthority::open_or_create(&dir).unwrap())
            })
        };
        let threads: Vec<_> = (0..16).map(|_| open()).collect();
        let mut roots: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        roots.dedup();
        assert_eq!(roots.len(), 1);
        assert_eq!(names(temp.path()), ["ca"], "the losers left nothing");
    }
}

/// The processes wait for a file to appear, so that they start together.
#[test]
fn of_many_processes_one_makes_it() {
    let temp = TempDir::new().unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ca::tests::creation::as_a_process_of_its_own", "--ignored", "--nocapture"])
            .env(CHILD_DIR, temp.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    fs::write(temp.path().join("go"), "").unwrap();
    let finish = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, root) = text.split_once("root=").unwrap();
        root.lines().next().unwrap().to_owned()
    };
    let mut roots: Vec<_> = children.into_iter().map(finish).collect();
    roots.dedup();
    assert_eq!(roots.len(), 1, "{roots:?}");
    assert_eq!(names(temp.path()), ["ca", "go"]);
}

#[test]
#[ignore = "run by of_many_processes_one_makes_it"]
fn as_a_process_of_its_own() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    while !Path::new(&dir).join("go").exists() {
        std::thread::yield_now();
    }
    let authority = FileAuthority::open_or_create(Path::new(&dir).join("ca")).unwrap();
    let root: String = root_of(&authority).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("root={root}");
}

const CHILD_DIR: &str = "WEIR_TEST_CA_DIR";

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let temp = TempDir::new().unwrap();
    fs::write(temp.path().join("letters.txt"), "").unwrap();
    assert!(refusal(temp.path()).contains("holds no CA and is not empty"));
    assert_eq!(names(temp.path()), ["letters.txt"]);
}
