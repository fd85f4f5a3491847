//! Many callers and many identities at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use super::scripted::{Mood, Stage};
use crate::fixture::{HOUR, id};
use crate::{Certificates, Config, FileAuthority, IdentityError, Status, peer_identity};

#[tokio::test(start_paused = true)]
async fn many_callers_make_one_request() {
    let stage = Stage::new();
    stage.ca.set(Mood::Gate);
    let fetch = || {
        let certificates = stage.certificates.clone();
        tokio::spawn(async move { certificates.fetch(&id("web")).await.unwrap() })
    };
    let waiting: Vec<_> = (0..50).map(|_| fetch()).collect();
    stage.settle().await;
    assert!(stage.serial().unwrap_err().contains("on its way"));
    assert_eq!(stage.certificates.snapshot()[0].status, Status::Initializing);
    stage.ca.gate.add_permits(1);
    let mut serials = Vec::new();
    for task in waiting {
        serials.push(task.await.unwrap().serial().to_owned());
    }
    serials.dedup();
    assert_eq!((serials.len(), stage.ca.calls()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_ends_nothing() {
    let stage = Stage::new();
    stage.ca.set(Mood::Gate);
    let fetch = tokio::time::timeout(Duration::from_secs(1), stage.certificates.fetch(&id("web"))).await;
    assert!(fetch.is_err());
    stage.ca.gate.add_permits(1);
    stage.settle().await;
    assert!(stage.serial().is_ok());
}

#[tokio::test(start_paused = true)]
async fn eight_requests_at_once_and_half_of_them_for_renewals() {
    let stage = Stage::with(|config, _| config.attempt_timeout = HOUR);
    let fetch = |number: usize| {
        let certificates = stage.certificates.clone();
        tokio::spawn(async move { certificates.fetch(&id(&format!("w{number}"))).await })
    };
    for number in 0..20 {
        fetch(number).await.unwrap().unwrap();
    }
    stage.ca.set(Mood::Gate);
    stage.pass(12 * HOUR).await;
    assert_eq!(stage.ca.in_flight.load(SeqCst), 4, "renewals");
    let first: Vec<_> = (20..40).map(fetch).collect();
    stage.settle().await;
    assert_eq!(stage.ca.in_flight.load(SeqCst), 8, "first certificates do not wait behind renewals");
    stage.ca.gate.add_permits(100);
    for task in first {
        task.await.unwrap().unwrap();
    }
    stage.settle().await;
    assert_eq!((stage.ca.calls(), stage.ca.most_in_flight.load(SeqCst)), (60, 8));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_gone_and_asked_for_no_more() {
    let stage = Stage::new();
    let error = stage.certificates.current(&id("web")).unwrap_err();
    assert!(matches!(error, IdentityError::NotFetched { .. }));
    stage.certificates.fetch(&id("web")).await.unwrap();
    stage.certificates.fetch(&id("api")).await.unwrap();
    stage.certificates.forget(&id("web"));
    stage.certificates.forget(&id("never-seen"));
    let error = stage.certificates.current(&id("web")).unwrap_err();
    assert!(matches!(error, IdentityError::NotFetched { .. }));
    stage.pass(13 * HOUR).await;
    assert_eq!(stage.ca.calls(), 3, "two first ones and one renewal");
    assert!(stage.certificates.fetch(&id("web")).await.is_ok(), "enrolled again");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_what_is_forgotten_is_told() {
    let stage = Stage::new();
    stage.ca.set(Mood::Hang);
    let certificates = stage.certificates.clone();
    let waiting = tokio::spawn(async move { certificates.fetch(&id("web")).await });
    stage.settle().await;
    stage.certificates.forget(&id("web"));
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, IdentityError::Forgotten { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_manager_ends_the_renewals() {
    let stage = Stage::new();
    stage.certificates.fetch(&id("web")).await.unwrap();
    let Stage { certificates, ca, .. } = stage;
    drop(certificates);
    tokio::time::sleep(24 * HOUR).await;
    assert_eq!(ca.calls(), 1);
    assert_eq!(Arc::strong_count(&ca), 1, "nothing holds on to it");
}

/// Real time and threads: readers while certificates are renewed, forgotten and fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_on_other_threads_see_whole_states() {
    let temp = tempfile::tempdir().unwrap();
    let ca = Arc::new(FileAuthority::open_or_create(temp.path().join("ca")).unwrap());
    let certificates = Certificates::new(ca, Config::default()).unwrap();
    certificates.fetch(&id("web")).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (reading, started) = std::sync::mpsc::channel();
    let read = || {
        let (certificates, stop, reading) = (certificates.clone(), stop.clone(), reading.clone());
        std::thread::spawn(move || {
            let mut reads = 0_u64;
            while !stop.load(SeqCst) {
                if let Ok(held) = certificates.current(&id("web")) {
                    held.client_config(&[id("api")]);
                    assert_eq!(peer_identity(held.chain()), Ok(id("web")));
                    reads += 1;
                    // Nobody listens after the first.
                    let _ = reading.send(());
                }
            }
            reads
        })
    };
    let readers: Vec<_> = (0..2).map(|_| read()).collect();
    // On a busy machine the writer would be done before a reader began.
    started.recv().unwrap();
    drop(started);
    for _ in 0..50 {
        certificates.forget(&id("web"));
        certificates.fetch(&id("web")).await.unwrap();
    }
    stop.store(true, SeqCst);
    let reads: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    assert!(reads > 0);
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let ca = Arc::new(FileAuthority::open_or_create(temp.path().join("ca")).unwrap());
    let error = Certificates::new(ca, Config::default()).err().unwrap();
    assert!(matches!(error, IdentityError::NoRuntime));
}
