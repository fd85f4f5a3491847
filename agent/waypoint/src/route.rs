//! Which rule a request falls under, and what each part of a rule does to it.
//!
//! A [`Frontend`] is compiled once from the neutral form and shared. Nothing here reads a clock or draws a number: both are
//! parameters. In the order of a request's life:
//!
//! ```text
//!   normalize -> Frontend::port -> Port::route -> Rule: cors, fault, redirect | direct response | forward
//!     forward: Forward::pick -> Rule::change_request -> (tries: Retry, Timeouts; Mirror) -> Rule::change_response
//! ```
mod backend;
mod chance;
mod connection;
mod cors;
mod direct;
mod fault;
mod frontend;
pub mod grpc;
mod headers;
mod labels;
mod normalize;
mod pattern;
mod predicate;
mod redirect;
mod rejection;
mod request;
mod retry;
mod rewrite;
mod rule;
mod table;
mod text;
mod timeouts;

pub use backend::{Backend, BackendRef, Mirror, Target, Weighted};
pub use chance::Chance;
pub(crate) use chance::below;
pub use connection::{ConnectionRoute, ConnectionRouted};
pub use cors::{Cors, CorsGrant, CorsVerdict};
pub use direct::DirectResponse;
pub use fault::{Abort, Fault, Injected};
pub use frontend::{Frontend, Port};
pub use headers::HeaderOperations;
pub use labels::{Labels, PodLabels};
pub use normalize::{BadPath, normalize};
pub use predicate::PathMatched;
pub(crate) use predicate::parameter;
pub use redirect::Redirect;
pub use rejection::{Reason, Rejection};
pub(crate) use rejection::{Within, duration, each, limit};
pub(crate) use request::header_value;
pub use request::{RequestHead, SourceView, authority};
pub use retry::{Retry, TryOutcome};
pub use rewrite::{BadRewrite, Rewrite};
pub use rule::{Action, Forward, Rule};
pub use table::{Matched, Routed};
pub use text::TextMatch;
pub use timeouts::Timeouts;
