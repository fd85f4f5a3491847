//! A session without sockets, for tests/fuzz.

use std::sync::Arc;

use weir_index::{Change, Changes, Resource, ResourceKind, Snapshot};
use weir_proto::discovery::DeltaDiscoveryRequest;

use crate::Store;
use crate::auth::Caller;
use crate::xds::{Session, XdsConfig};

/// Gives requests to one session over a mesh that changes between them, and reads what it answers.
///
/// # Panics
/// A session breaks a promise: that it comes to an end, or that every response has a nonce of its own.
pub fn session(requests: impl IntoIterator<Item = DeltaDiscoveryRequest>) {
    let store = Store::new();
    let resources: Vec<Arc<Resource>> = (0..8).map(resource).collect();
    store.publish(Snapshot::of(resources.iter().cloned()), &Changes::default());
    let caller = Caller::new("weir-system", "ztunnel");
    let mut session =
        Session::new(caller, 1, XdsConfig { response: 64, max_names: 64, ..XdsConfig::default() });
    let mut last = String::new();
    for (number, request) in requests.into_iter().enumerate() {
        if session.request(&request, &store.current()).is_err() {
            return;
        }
        // Every other time nothing is read before the mesh changes.
        for _ in 0..100 * (number % 2) {
            match session.next(&store.current()) {
                Ok(Some(push)) => {
                    assert_ne!(std::mem::replace(&mut last, push.response.nonce.clone()), push.response.nonce)
                }
                Ok(None) | Err(_) => break,
            }
        }
        let changed = &resources[number % resources.len()];
        let is_live = number % 3 != 0;
        let change = Change { name: changed.name.clone(), resource: is_live.then(|| changed.clone()) };
        let live = resources.iter().filter(|other| is_live || other.name != changed.name);
        store
            .publish(Snapshot::of(live.cloned()), &Changes { addresses: vec![change], ..Changes::default() });
    }
    session.wait_no_longer();
    let left = std::iter::from_fn(|| session.next(&store.current()).ok().flatten()).take(100_000).count();
    assert!(left < 100_000, "it does not come to an end");
}

/// Pods 0 to 5 of the service 6, and a policy.
fn resource(number: usize) -> Arc<Resource> {
    let (name, kind) = match number {
        0..=5 => (format!("c//Pod/n/{number}"), ResourceKind::Workload),
        6 => ("n/s".to_owned(), ResourceKind::Service),
        _ => ("n/p".to_owned(), ResourceKind::Authorization),
    };
    let is_pod = kind == ResourceKind::Workload;
    Arc::new(Resource {
        name: name.as_str().into(),
        kind,
        version: number as u64,
        body: vec![10, 0].into(),
        aliases: [format!("/10.0.0.{number}").into()].into(),
        node: if is_pod { "a".into() } else { "".into() },
        services: is_pod.then(|| "n/s".into()).into_iter().collect(),
    })
}
