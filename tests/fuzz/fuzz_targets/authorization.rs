//! What a control plane sends about policy: an `istio.security.Authorization`. It is refused, and what stands for it lets
//! nobody in; or it becomes a policy, and its verdict about a connection is the same as without the shortcuts.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use prost::Message;
use weir_discovery::convert::{authorization, refused_authorization};
use weir_model::policy::Action;
use weir_model::{Connection, Identity, Policy, authorize};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = weir_proto::security::Authorization::decode(bytes) else { return };
    let stand_in = refused_authorization(&message);
    let policy = match authorization(message) {
        Ok(policy) => Policy { dry_run: false, ..policy },
        Err(rejection) => {
            assert!(!rejection.to_string().is_empty());
            stand_in
        }
    };
    let peer = Identity::new("cluster.local", "shop", "web").expect("an identity");
    for (peer, ip) in [(Some(&peer), [10, 0, 0, 1]), (None, [192, 168, 0, 1])] {
        let connection = Connection { peer, source_ip: ip.into(), destination: ([10, 0, 0, 2], 80).into() };
        let matches = policy.matching_rule(&connection).is_some();
        let policy = Arc::new(policy.clone());
        let allowed = authorize([&policy], &connection).is_allowed();
        assert_eq!(allowed, matches == (policy.action == Action::Allow));
        // Everything once more asks nothing more.
        let twice = Arc::new(Policy {
            rules: [&policy.rules[..], &policy.rules[..]].concat(),
            ..Policy::clone(&policy)
        });
        assert_eq!(authorize([&policy, &twice], &connection).is_allowed(), allowed);
    }
});
