//! The cluster's public keys: read, kept while it is away, and given up when it has none.

use std::time::Duration;

use rstest::rstest;
use tokio::sync::watch;
use weir_harness::kube_api::{Call, Fault, KubeApi};
use weir_sources::TokenKeys;

use crate::support::{LONG, connect, until};

/// Calls of what is no resource.
fn reads() -> Call {
    Call::new("get", "")
}

async fn follow(api: &KubeApi, every: Duration) -> watch::Receiver<Option<TokenKeys>> {
    let (sender, keys) = watch::channel(None);
    tokio::spawn(connect(api).await.follow_token_keys(every, sender));
    keys
}

async fn changed(keys: &mut watch::Receiver<Option<TokenKeys>>) -> Option<TokenKeys> {
    tokio::time::timeout(LONG, keys.changed()).await.unwrap().unwrap();
    keys.borrow_and_update().clone()
}

/// Ends, and not only once, in what the test waits for.
const SHORT: Duration = Duration::from_millis(5);
/// Longer than the test.
const NEVER: Duration = Duration::from_secs(3600);

#[rstest]
#[case::dies(Fault::Close)]
#[case::fails(Fault::Status(503, "ServiceUnavailable"))]
#[case::is_somebody_else(Fault::Garbage)]
#[tokio::test]
async fn they_are_read_as_soon_as_they_can_be_and_kept_while_they_cannot(#[case] fault: Fault) {
    let api = KubeApi::start().unwrap();
    api.fault(reads(), fault.clone(), 3);
    // Only a failure is tried again here.
    let mut keys = follow(&api, NEVER).await;
    let read = changed(&mut keys).await.unwrap();
    assert_eq!(read.issuer, "https://kubernetes.default.svc.cluster.local");
    assert!(read.jwks.contains("\"kid\":\"key-1\""), "{}", read.jwks);

    let mut keys = follow(&api, SHORT).await;
    changed(&mut keys).await;
    api.fault(reads(), fault, usize::MAX);
    let asked = api.requests().len();
    until("some tries", || api.requests().len() > asked + 2).await;
    api.heal();
    let asked = api.requests().len();
    until("some more", || api.requests().len() > asked + 2).await;
    assert!(!keys.has_changed().unwrap() && keys.borrow().is_some(), "they are what they were");
}

/// No right, or a cluster without the issuer discovery: then nothing that was read before counts, either.
#[rstest]
#[case::no_right(Fault::Forbidden)]
#[case::not_served(Fault::Status(404, "NotFound"))]
#[tokio::test]
async fn a_refusal_is_no_keys(#[case] fault: Fault) {
    let api = KubeApi::start().unwrap();
    let mut keys = follow(&api, SHORT).await;
    assert!(changed(&mut keys).await.is_some());
    api.fault(reads(), fault, usize::MAX);
    assert_eq!(changed(&mut keys).await, None);
    api.heal();
    assert!(changed(&mut keys).await.is_some(), "what is granted later counts");
}
