//! Policies that name what they are for.

use weir_proto::l7::{Action, Authorization};
use weir_resources::Kind;

use super::{WEB, mesh};

fn policy(target: &str, rest: &str) -> String {
    format!(
        "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: p, namespace: shop}}
spec:
  targetRefs: [{target}]
  {rest}
---
"
    )
}

const SERVICE: &str = "{group: '', kind: Service, name: web}";
const WAYPOINT: &str = "{group: gateway.networking.k8s.io, kind: Gateway, name: wp}";
const GET: &str = "rules: [{to: [{operation: {methods: [GET]}}]}]";

/// Nobody gets in.
fn is_closed(policies: &[Authorization]) -> bool {
    policies.iter().any(|policy| match policy.action() {
        Action::Allow => policy.rules.is_empty(),
        Action::Deny => policy.rules.iter().any(|rule| *rule == Default::default()),
        Action::Audit => false,
    })
}

#[test]
fn a_policy_goes_where_its_target_is() {
    let mut mesh = mesh("");
    mesh.apply(&policy(SERVICE, GET));
    let policies = mesh.frontend(WEB).unwrap().authorizations;
    assert_eq!((&*policies[0].name, policies[0].rules.len()), ("p", 1));
    assert!(mesh.waypoint().unwrap().authorizations.is_empty());
    mesh.apply(&policy(WAYPOINT, GET));
    assert!(mesh.frontend(WEB).unwrap().authorizations.is_empty());
    assert_eq!(mesh.waypoint().unwrap().authorizations.len(), 1);
    mesh.delete(Kind::AuthorizationPolicy, "shop", "p");
    assert!(mesh.waypoint().unwrap().authorizations.is_empty());
}

#[test]
fn a_class_is_for_all_its_waypoints() {
    let mut mesh = mesh("");
    let class = policy("{group: gateway.networking.k8s.io, kind: GatewayClass, name: weir-waypoint}", GET);
    mesh.apply(&class.replace("namespace: shop", "namespace: weir-system"));
    assert_eq!(mesh.waypoint().unwrap().authorizations.len(), 1);
}

#[test]
fn what_is_not_understood_lets_nobody_in() {
    for rest in ["rules: 7", "action: NONE", "rules: [{to: [{operation: {methds: [GET]}}]}]", "rulez: []"] {
        let mut mesh = mesh("");
        mesh.apply(&policy(SERVICE, rest));
        assert!(is_closed(&mesh.frontend(WEB).unwrap().authorizations), "{rest}");
    }
}

#[test]
fn a_target_that_is_not_understood_may_be_any() {
    for target in ["{kind: Servise, name: web}", "7", "{kind: Service}"] {
        let mut mesh = mesh("");
        mesh.apply(&policy(target, GET));
        assert!(is_closed(&mesh.frontend(WEB).unwrap().authorizations), "{target}");
        assert!(is_closed(&mesh.waypoint().unwrap().authorizations), "{target}");
        mesh.delete(Kind::AuthorizationPolicy, "shop", "p");
        assert!(mesh.frontend(WEB).unwrap().authorizations.is_empty(), "{target}");
        assert!(mesh.waypoint().unwrap().authorizations.is_empty(), "{target}");
    }
}
