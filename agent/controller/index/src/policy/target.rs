//! `targetRef` and `targetRefs`: a policy that waypoints enforce.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown, quoted};

/// What a policy can be attached to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) kind: TargetKind,
    /// Empty for a class, which has none.
    pub(crate) namespace: Arc<str>,
    /// Of the object: of a ServiceEntry it is none of its hosts.
    pub(crate) name: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TargetKind {
    Gateway,
    GatewayClass,
    Service,
    ServiceEntry,
}

/// What a policy says that it is attached to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// Those that can be read.
    pub(super) named: BTreeSet<Target>,
    /// There is one that cannot be read: it may have been meant for anything of the namespace.
    pub(super) unclear: bool,
}

impl Targets {
    /// Whether there are any: the policy is for waypoints.
    pub(super) fn any(&self) -> bool {
        self.unclear || !self.named.is_empty()
    }

    fn add(&mut self, target: Result<Target, Unknown>) {
        match target {
            Ok(target) => drop(self.named.insert(target)),
            Err(Unknown) => self.unclear = true,
        }
    }
}

/// Where a policy is.
#[derive(Clone, Copy)]
pub(super) struct Home<'h> {
    pub(super) namespace: &'h Arc<str>,
    pub(super) is_root: bool,
}

/// What the policy names, instead of selecting workloads. Unknown if there is no telling, not even whether it names
/// anything.
pub(super) fn read(
    spec: &Map<String, Value>,
    home: Home<'_>,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<Targets, Unknown> {
    let mut targets = Targets::default();
    if let Some(reference) = spec.get("targetRef") {
        let at = path.field("targetRef");
        targets.add(target(read::object(reference, &at, findings)?, home, &at, findings));
    }
    let is_one = targets.any();
    let at = path.field("targetRefs");
    let Some(all) = spec.get("targetRefs") else { return Ok(targets) };
    let references = read::list(all, &at, findings)?;
    for (i, reference) in references.iter().enumerate() {
        let at = at.index(i);
        targets.add(target(read::object(reference, &at, findings)?, home, &at, findings));
    }
    if is_one && !references.is_empty() {
        findings.add(Severity::Invalid, at, "is beside targetRef; one of them must go");
        // One of the two is not meant, and an ALLOW there would let somebody in.
        return Ok(Targets { named: BTreeSet::new(), unclear: true });
    }
    Ok(targets)
}

/// What a reference names. If that cannot be read, the policy is no less a waypoint's.
fn target(
    fields: &Map<String, Value>,
    home: Home<'_>,
    path: &Path<'_>,
    findings: &mut Findings,
) -> Result<Target, Unknown> {
    let mut known = Ok(());
    for (name, value) in fields {
        let at = path.field(name);
        known = match name.as_str() {
            "group" | "kind" | "name" | "namespace" => read::text(value, &at, findings).and(known),
            _ => Err(read::unknown_field(&at, findings)),
        };
    }
    for name in ["kind", "name"] {
        if fields.get(name).is_none_or(|value| value.as_str() == Some("")) {
            findings.add(Severity::Invalid, path.field(name), "is missing");
            known = Err(Unknown);
        }
    }
    known?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = kind(text("group"), text("kind"), path, findings)?;
    let refuse = |findings: &mut Findings, field: &str, message: &str| {
        findings.add(Severity::Invalid, path.field(field), message);
        Err(Unknown)
    };
    let namespace = text("namespace");
    if !namespace.is_empty() && *namespace != **home.namespace {
        return refuse(
            findings,
            "namespace",
            "is another than the policy's, which must be beside what it is for",
        );
    }
    let namespace = match kind {
        TargetKind::GatewayClass if !home.is_root => {
            return refuse(findings, "kind", "is for policies of the root namespace only");
        }
        TargetKind::GatewayClass => "".into(),
        TargetKind::Gateway | TargetKind::Service | TargetKind::ServiceEntry => home.namespace.clone(),
    };
    Ok(Target { kind, namespace, name: text("name").into() })
}

fn kind(group: &str, kind: &str, path: &Path<'_>, findings: &mut Findings) -> Result<TargetKind, Unknown> {
    let (target, groups): (_, &[&str]) = match kind {
        "Gateway" => (TargetKind::Gateway, &["gateway.networking.k8s.io"]),
        "GatewayClass" => (TargetKind::GatewayClass, &["gateway.networking.k8s.io"]),
        "Service" => (TargetKind::Service, &["", "core"]),
        "ServiceEntry" => (TargetKind::ServiceEntry, &["networking.istio.io"]),
        _ => {
            let message =
                format!("{} is none of Gateway, GatewayClass, Service and ServiceEntry", quoted(kind));
            findings.add(Severity::Invalid, path.field("kind"), message);
            return Err(Unknown);
        }
    };
    if !groups.contains(&group) {
        let message = format!("is {}, and must be {} for a {kind}", quoted(group), quoted(groups[0]));
        findings.add(Severity::Invalid, path.field("group"), message);
        return Err(Unknown);
    }
    Ok(target)
}

impl fmt::Display for Target {
    /// `Service shop/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.is_empty() {
            true => write!(f, "{:?} {}", self.kind, self.name),
            false => write!(f, "{:?} {}/{}", self.kind, self.namespace, self.name),
        }
    }
}
