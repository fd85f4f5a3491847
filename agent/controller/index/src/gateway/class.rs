//! What a class is told.

use std::sync::Arc;

use weir_resources::{GatewayClass, GatewayStatus, Key, Kind};

use crate::StatusUpdate;
use crate::condition::{ACCEPTED, Wanted};

/// What a class of ours is to be told; `api` is the version of the definitions.
pub(crate) fn wanted(class: &GatewayClass, api: Option<&str>) -> Option<StatusUpdate> {
    let mut wanted = Wanted::default();
    if class.has_parameters {
        let message = "spec.parametersRef: a class has no parameters here; defaults for its waypoints are in a ConfigMap \
                       with label gateway.istio.io/defaults-for-class in the mesh's root namespace";
        wanted.say(ACCEPTED, false, "InvalidParameters", message);
    } else {
        wanted.say(ACCEPTED, true, "Accepted", "its Gateways are run as waypoints");
    }
    match api {
        Some(version) if !supports(version) => {
            let message = format!(
                "the Gateway API's definitions are {version}; {FIRST} to {LAST} are known, and what is of others may be misread"
            );
            wanted.say(SUPPORTED_VERSION, false, "UnsupportedVersion", message);
        }
        _ => wanted.say(SUPPORTED_VERSION, true, "SupportedVersion", ""),
    }
    let features: Vec<Arc<str>> = FEATURES.iter().map(|name| Arc::from(*name)).collect();
    let features = (class.features != features).then_some(features);
    let gateway = GatewayStatus { features, ..GatewayStatus::default() };
    let key = Key { kind: Kind::GatewayClass, namespace: Arc::default(), name: class.meta.name.clone() };
    wanted.update_gateway(key, &class.meta, gateway)
}

/// Whether definitions of this version are known: `v1.3.0`.
fn supports(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(1)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return false };
    minor <= NEWEST
}

const SUPPORTED_VERSION: &str = "SupportedVersion";
const FIRST: &str = "v1.0";
const LAST: &str = "v1.6";
const NEWEST: u32 = 6;

/// What the Gateway API's conformance suite may ask for, in the order of the names.
const FEATURES: [&str; 13] = [
    "GRPCRoute",
    "HTTPRoute",
    "Mesh",
    "MeshClusterIPMatching",
    "MeshConsumerRoute",
    "MeshHTTPRouteBackendRequestHeaderModification",
    "MeshHTTPRouteNamedRouteRule",
    "MeshHTTPRouteQueryParamMatching",
    "MeshHTTPRouteRedirectPath",
    "MeshHTTPRouteRedirectPort",
    "MeshHTTPRouteRewritePath",
    "MeshHTTPRouteSchemeRedirect",
    "ReferenceGrant",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, known) in [
            ("v1.0.0", true),
            ("v1.6.1", true),
            ("v1.4.0-rc.1", true),
            ("v1.7.0", false),
            ("v0.8.0", false),
            ("x", false),
        ] {
            assert_eq!(supports(version), known, "{version}");
        }
        assert!(FEATURES.is_sorted());
    }
}
