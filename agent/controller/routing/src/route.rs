//! HTTPRoute and GRPCRoute, as far as their parents are services.
//!
//! ```text
//!   JSON --read--> Route --attached to a port of a service--> entries, one for each match --precedence--> l7::Rule
//!                        --parent by parent--> conditions
//! ```

mod backend;
mod context;
mod cors;
mod entry;
mod filter;
mod grpc;
mod headers;
mod http;
mod matching;
mod parent;
mod policy;
mod precedence;
mod redirect;
mod rule;
mod spec;
mod status;

use serde::de::DeserializeOwned;
use serde_json::Value;
use weir_resources::Meta;

pub(crate) use context::Context;
pub(crate) use entry::entries;
pub(crate) use parent::Attachment;
pub(crate) use precedence::merge;
pub use status::ParentStatus;
pub(crate) use status::words;

use crate::part::{Part, Place, Unknown, part, without_nulls};
use crate::problem::{Effect, Problems};
use crate::{Kind, ObjectRef};
use spec::{GrpcRule, HttpRule, ParentRef, Spec};

/// A route that has been read; what of it cannot be understood is known.
#[derive(Debug, Clone)]
pub struct Route {
    pub(crate) meta: Meta,
    pub(crate) object: ObjectRef,
    parents: Vec<Parent>,
    rules: Rules,
    /// Of the resource as a whole.
    read: Problems,
}

/// One of `parentRefs`.
#[derive(Debug, Clone)]
struct Parent {
    /// As it is written.
    raw: Value,
    read: Part<ParentRef>,
}

#[derive(Debug, Clone)]
enum Rules {
    Http(Vec<Part<HttpRule>>),
    Grpc(Vec<Part<GrpcRule>>),
}

impl Route {
    /// Reads the `spec` of an HTTPRoute.
    pub fn http(meta: &Meta, spec: &Value) -> Self {
        Self::read(Kind::HttpRoute, meta, spec, Rules::Http)
    }

    /// Reads the `spec` of a GRPCRoute.
    pub fn grpc(meta: &Meta, spec: &Value) -> Self {
        Self::read(Kind::GrpcRoute, meta, spec, Rules::Grpc)
    }

    /// Which resource it is.
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    fn read<R: DeserializeOwned + Clone>(
        kind: Kind,
        meta: &Meta,
        spec: &Value,
        rules: impl Fn(Vec<Part<R>>) -> Rules,
    ) -> Self {
        let mut read = Problems::default();
        let refused = |field| Place { field, effect: Effect::Refused };
        let clean = without_nulls(spec);
        let spec: Part<Spec<R>> = part(&clean);
        let object = ObjectRef::new(kind, meta);
        let Some(spec) = spec.get(&refused("spec"), &mut read).cloned() else {
            return Self { meta: meta.clone(), object, parents: Vec::new(), rules: rules(Vec::new()), read };
        };
        report(&spec.unknown, &mut read);
        let parents =
            spec.parent_refs.get(&refused("spec.parentRefs"), &mut read).cloned().unwrap_or_default();
        let raw = clean.get("parentRefs").and_then(Value::as_array).cloned().unwrap_or_default();
        let parents = raw.into_iter().zip(parents).map(|(raw, read)| Parent { raw, read }).collect();
        if spec.hostnames.is_there() {
            read.notice(
                "spec.hostnames",
                "says nothing for parents that are services: they have names of their own",
            );
        }
        if spec.use_default_gateways.is_there() {
            read.notice("spec.useDefaultGateways", "says nothing for parents that are services");
        }
        let given = spec.rules.get(&refused("spec.rules"), &mut read).cloned();
        Self { meta: meta.clone(), object, parents, rules: rules(given.unwrap_or_default()), read }
    }

    fn rule_count(&self) -> usize {
        match &self.rules {
            Rules::Http(rules) => rules.len(),
            Rules::Grpc(rules) => rules.len(),
        }
    }
}

fn report(unknown: &Unknown, problems: &mut Problems) {
    // What it means is in the problem.
    let _ = unknown.report(&Place { field: "spec", effect: Effect::Refused }, problems);
}
