//! The messages on the wire, as generated code that is checked in.
//!
//! `proto/**.proto` is the source; `cargo xtask codegen` writes `src/gen`, `--check` proves it fresh. Nothing is
//! decided here: what a message means, and which messages are refused, is discovery's business.
#![forbid(unsafe_code)]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code allows without")]

mod secret;

/// Packages `istio.*`.
pub mod istio {
    /// Package `istio.workload`: workloads and services (`istio/workload/workload.proto`).
    pub mod workload {
        #![allow(
            missing_docs,
            clippy::all,
            reason = "generated; what matters is documented in the .proto file"
        )]
        include!("gen/istio.workload.rs");
    }
    /// Package `istio.security`: layer 4 authorization (`istio/security/authorization.proto`).
    pub mod security {
        #![allow(
            missing_docs,
            clippy::all,
            reason = "generated; what matters is documented in the .proto file"
        )]
        include!("gen/istio.security.rs");
    }
    /// Packages `istio.v1.*`.
    pub mod v1 {
        /// Package `istio.v1.auth`: certificate signing (`istio/v1/auth/ca.proto`).
        pub mod auth {
            #![allow(
                missing_docs,
                clippy::all,
                reason = "generated; what matters is documented in the .proto file"
            )]
            include!("gen/istio.v1.auth.rs");
        }
    }
}
/// Packages `envoy.*`.
pub mod envoy {
    /// Packages `envoy.config.*`.
    pub mod config {
        /// Packages `envoy.config.core.*`.
        pub mod core {
            /// Package `envoy.config.core.v3` (`envoy/config/core/v3/base.proto`).
            pub mod v3 {
                #![allow(
                    missing_docs,
                    clippy::all,
                    reason = "generated; what matters is documented in the .proto file"
                )]
                include!("gen/envoy.config.core.v3.rs");
            }
        }
    }
    /// Packages `envoy.service.*`.
    pub mod service {
        /// Packages `envoy.service.discovery.*`.
        pub mod discovery {
            /// Package `envoy.service.discovery.v3`: delta discovery (`envoy/service/discovery/v3/discovery.proto`).
            pub mod v3 {
                #![allow(
                    missing_docs,
                    clippy::all,
                    reason = "generated; what matters is documented in the .proto file"
                )]
                include!("gen/envoy.service.discovery.v3.rs");
            }
        }
    }
}
/// Packages of our own.
pub mod weir {
    /// Package `weir.l4`: what node agents enforce of DestinationRules (`weir/l4/traffic_policy.proto`).
    pub mod l4 {
        #![allow(
            missing_docs,
            clippy::all,
            reason = "generated; what matters is documented in the .proto file"
        )]
        include!("gen/weir.l4.rs");
    }
    /// Package `weir.l7`: what a waypoint serves (`weir/l7/*.proto`).
    pub mod l7 {
        #![allow(
            missing_docs,
            clippy::all,
            reason = "generated; what matters is documented in the .proto file"
        )]
        include!("gen/weir.l7.rs");
    }
    /// Package `weir.node`: the pods of a node (`weir/node/node.proto`).
    pub mod node {
        #![allow(
            missing_docs,
            clippy::all,
            reason = "generated; what matters is documented in the .proto file"
        )]
        include!("gen/weir.node.rs");
    }
}
/// Packages `google.*` that prost-types does not have.
pub mod google {
    /// Package `google.rpc`: errors on the wire (`google/rpc/status.proto`).
    pub mod rpc {
        #![allow(
            missing_docs,
            clippy::all,
            reason = "generated; what matters is documented in the .proto file"
        )]
        include!("gen/google.rpc.rs");
    }
}

pub use envoy::config::core::v3 as core;
pub use envoy::service::discovery::v3 as discovery;
pub use istio::v1::auth as ca;
pub use istio::{security, workload};
pub use weir::{l4, l7, node};

/// Type URLs of the resources.
pub mod type_url {
    /// A workload or a service, what node proxies ask for.
    pub const ADDRESS: &str = "type.googleapis.com/istio.workload.Address";
    /// A bare workload, what gateways ask for.
    pub const WORKLOAD: &str = "type.googleapis.com/istio.workload.Workload";
    /// A layer 4 policy.
    pub const AUTHORIZATION: &str = "type.googleapis.com/istio.security.Authorization";
    /// What one waypoint serves.
    pub const WAYPOINT: &str = "type.googleapis.com/weir.l7.Waypoint";
    /// A service as its clients see it at a waypoint.
    pub const FRONTEND: &str = "type.googleapis.com/weir.l7.Frontend";
    /// A service as something to call.
    pub const BACKEND: &str = "type.googleapis.com/weir.l7.Backend";
    /// The endpoints of a service.
    pub const ENDPOINTS: &str = "type.googleapis.com/weir.l7.Endpoints";
    /// Labels of a workload that calls.
    pub const LABELS: &str = "type.googleapis.com/weir.l7.Labels";
    /// TLS material of users.
    pub const SECRET: &str = "type.googleapis.com/weir.l7.Secret";
    /// A pod of the caller's node.
    pub const NODE_POD: &str = "type.googleapis.com/weir.node.Pod";
    /// What node agents enforce of DestinationRules; no resource, but a part of a service.
    pub const TRAFFIC_POLICY: &str = "type.googleapis.com/weir.l4.TrafficPolicy";
}

/// Name of the extension of a service that is a [`l4::TrafficPolicy`].
pub const TRAFFIC_POLICY: &str = "weir.dev/traffic-policy";

/// What `weir-controller` writes into `system_version_info` of a discovery response that is not the last of its batch.
/// By its definition the field is a text for people, so other clients pass over it; our agent takes a batch for complete
/// (and dares to use what it knows for the first time) only after a response without it. A control plane that sends
/// every batch whole, as istiod does, needs nothing of this; and a client that does not say `WEIR_VERSION` in the metadata
/// of its node gets its first batch whole.
pub const MORE_FOLLOWS: &str = "more follows";
