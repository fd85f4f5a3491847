//! One certificate from the first request to its end.

use std::time::Duration;

use super::scripted::{Mood, Stage};
use crate::fixture::{HOUR, MINUTE, handshake, id};
use crate::{IdentityError, Status};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_half_of_its_life() {
    let stage = Stage::new();
    let first = stage.certificates.fetch(&id("web")).await.unwrap();
    assert_eq!(first.identity(), &id("web"));
    assert_eq!(stage.serial().unwrap(), first.serial());

    stage.pass(12 * HOUR - MINUTE).await;
    assert_eq!((stage.ca.calls(), stage.serial().unwrap()), (1, first.serial().to_owned()));
    stage.pass(2 * MINUTE).await;
    assert_eq!(stage.ca.calls(), 2, "half of the life; the two minutes before it came do not count");
    assert_ne!(stage.serial().unwrap(), first.serial());
    stage.pass(24 * HOUR).await;
    assert_eq!(stage.ca.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_old_one_is_used_while_renewal_fails_and_until_it_expires() {
    let stage = Stage::new();
    let first = stage.certificates.fetch(&id("web")).await.unwrap();
    stage.ca.set(Mood::Refuse);
    stage.pass(23 * HOUR).await;
    assert_eq!(stage.serial().unwrap(), first.serial());
    let state = &stage.certificates.snapshot()[0];
    assert_eq!(state.status, Status::Available);
    assert!(state.last_failure.as_ref().unwrap().contains("not today"));

    stage.pass(HOUR - 2 * SECOND).await;
    assert!(stage.serial().is_ok(), "in its last second");
    stage.pass(3 * SECOND).await;
    let error = stage.serial().unwrap_err();
    for text in
        ["spiffe://mesh/ns/shop/sa/web", "expired at 2026-11-22T00:00:00Z", "not today", "next at 2026"]
    {
        assert!(error.contains(text), "{text} in {error}");
    }
    let Status::Unavailable(why) = &stage.certificates.snapshot()[0].status else { panic!() };
    assert!(why.contains("expired at"));

    stage.ca.set(Mood::Sign);
    stage.pass(8 * SECOND).await;
    assert_ne!(stage.serial().unwrap(), first.serial());
    assert!(stage.certificates.snapshot()[0].last_failure.is_none());
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_with_a_backoff_that_starts_anew() {
    let stage = Stage::new();
    stage.ca.set(Mood::Refuse);
    let error = stage.certificates.fetch(&id("web")).await.unwrap_err();
    assert!(matches!(&error, IdentityError::Unavailable { failure, .. } if failure.attempts == 1));
    for text in ["spiffe://mesh/ns/shop/sa/web", "CA scripted", "not today", "attempt 1"] {
        assert!(error.to_string().contains(text), "{text} in {error}");
    }
    stage.pass(32 * SECOND).await;
    assert_eq!(stage.ca.gaps(), [1, 2, 4, 8, 8, 8]);
    let again = stage.certificates.fetch(&id("web")).await.unwrap_err();
    assert!(matches!(again, IdentityError::Unavailable { failure, .. } if failure.attempts == 7));
    assert_eq!(stage.ca.calls(), 7, "asking does not hurry it");

    stage.ca.set(Mood::Sign);
    stage.pass(8 * SECOND).await;
    assert!(stage.certificates.fetch(&id("web")).await.is_ok());
    stage.ca.set(Mood::Refuse);
    stage.pass(12 * HOUR + MINUTE).await;
    let calls = stage.ca.gaps();
    assert_eq!(calls[8..11], [1, 2, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_ca_that_does_not_answer_is_given_up_on() {
    let stage = Stage::with(|config, _| config.attempt_timeout = 7 * SECOND);
    stage.ca.set(Mood::Hang);
    let before = tokio::time::Instant::now();
    let error = stage.certificates.fetch(&id("web")).await.unwrap_err();
    assert_eq!(before.elapsed().as_secs(), 7);
    assert!(error.to_string().contains("did not answer within 7s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn answers_of_no_use_are_refused_with_the_reason() {
    let cases = [
        (Mood::OtherIdentity, "certificate of spiffe://mesh/ns/shop/sa/thief"),
        (Mood::OtherKey, "a key that is not ours"),
        (Mood::OtherRoot, "does not hold against its own roots"),
        (Mood::NoRoots, "without a root certificate"),
        (Mood::Nothing, "without a certificate"),
    ];
    for (mood, text) in cases {
        let stage = Stage::new();
        stage.ca.set(mood);
        let error = stage.certificates.fetch(&id("web")).await.unwrap_err().to_string();
        assert!(error.contains(text) && error.contains("sa/web"), "{mood:?}: {error}");
        assert!(stage.serial().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_renews_soon_after() {
    let stage = Stage::new();
    let first = stage.certificates.fetch(&id("web")).await.unwrap();
    stage.wall.pass(30 * HOUR);
    let error = stage.serial().unwrap_err();
    assert!(error.contains("was this machine asleep?"), "{error}");
    let fresh = stage.certificates.fetch(&id("web")).await.unwrap();
    assert_ne!(fresh.serial(), first.serial());
    assert!(fresh.not_after() > stage.now());
}

#[tokio::test(start_paused = true)]
async fn new_roots_come_soon_and_with_other_configurations() {
    let stage = Stage::new();
    let old = stage.certificates.fetch(&id("web")).await.unwrap();
    stage.ca.replace();
    stage.pass(31 * SECOND).await;
    let new = stage.certificates.current(&id("web")).unwrap();
    assert_ne!(old.roots(), new.roots());
    assert_eq!(stage.ca.calls(), 2);
    let expected = [id("web")];
    handshake(old.client_config(&expected), old.server_config()).unwrap();
    handshake(new.client_config(&expected), new.server_config()).unwrap();
    handshake(old.client_config(&expected), new.server_config()).unwrap_err();
}
