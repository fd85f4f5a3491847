//! All of an AuthorizationPolicy but its rules: what it is meant to do, and for whom.

use serde_json::{Map, Value};
use weir_resources::{Labels, Policy};

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown, quoted};
use super::rule::Parts;
use super::target::{Home, Targets};
use super::term::{Asks, Reader};
use super::{selector, target};

/// All of a policy but its rules.
pub(super) struct Head {
    pub(super) intent: Intent,
    /// Whether `action` says so.
    pub(super) explicit: bool,
    /// Absent: all of the namespace.
    pub(super) selector: Result<Option<Labels>, Unknown>,
    /// Unknown: there is no telling whether it names any.
    pub(super) targets: Result<Targets, Unknown>,
    /// Something is there that may change what all of it means.
    pub(super) broken: bool,
}

impl Head {
    pub(super) fn read(
        spec: &Map<String, Value>,
        home: Home<'_>,
        root: &Path<'_>,
        findings: &mut Findings,
    ) -> Self {
        let mut broken = false;
        for name in spec.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            read::unknown_field(&root.field(name), findings);
            broken = true;
        }
        let at = root.field("action");
        let intent = spec.get("action").map(|action| Intent::read(action, &at, findings));
        let at = root.field("selector");
        let selector = spec.get("selector").map(|value| selector::read(value, &at, findings)).transpose();
        let targets = target::read(spec, home, root, findings);
        broken |= targets.is_err();
        if targets.as_ref().is_ok_and(Targets::any) && !matches!(selector, Ok(None)) {
            findings.add(Severity::Invalid, at, "is beside targetRefs; one of them must go");
        }
        let mut head = Self {
            intent: intent.unwrap_or(Intent::Allow),
            explicit: intent.is_some(),
            selector,
            targets,
            broken,
        };
        head.provider(spec.get("provider"), &root.field("provider"), findings);
        head
    }

    /// `provider`, which goes with CUSTOM only. With another action one of the two is not meant.
    fn provider(&mut self, provider: Option<&Value>, path: &Path<'_>, findings: &mut Findings) {
        let Some(provider) = provider else { return };
        if self.intent == Intent::Custom {
            let Ok(fields) = read::object(provider, path, findings) else { return };
            for (name, value) in fields {
                match name.as_str() {
                    "name" => drop(read::text(value, &path.field(name), findings)),
                    _ => drop(read::unknown_field(&path.field(name), findings)),
                }
            }
            return;
        }
        findings.add(Severity::Invalid, path, "is for the action CUSTOM only");
        self.broken = true;
    }

    /// The rules, read; unknown if there is no telling how many there are.
    pub(super) fn rules<A: Asks>(
        &self,
        spec: &Map<String, Value>,
        root: &Path<'_>,
        policy: &Policy,
        findings: &mut Findings,
    ) -> Result<Vec<Parts<A>>, Unknown> {
        let at = root.field("rules");
        let rules = match spec.get("rules") {
            Some(rules) => read::list(rules, &at, findings)?,
            None => &[],
        };
        if rules.is_empty() && matches!(self.intent, Intent::Deny | Intent::Custom) {
            findings.add(
                Severity::Invalid,
                at,
                "is empty, so the policy never matches; one rule that is empty (`rules: [{}]`) always does",
            );
        }
        let mut reader = Reader { namespace: &policy.meta.namespace, findings };
        Ok(rules.iter().enumerate().map(|(i, rule)| Parts::read(&mut reader, rule, &at.index(i))).collect())
    }

    /// Whether it names what it is for.
    pub(super) fn targeted(&self) -> bool {
        self.targets.as_ref().is_ok_and(Targets::any)
    }

    /// Whether it is for waypoints, and nothing else.
    pub(super) fn sees_requests(&self) -> bool {
        self.targeted() && matches!(self.selector, Ok(None))
    }

    /// Whether it is surely meant to allow. Refused, such a policy allows nothing, and leaves other policies that allow as
    /// they are; anything else may have been to deny.
    pub(super) fn allows(&self) -> bool {
        self.intent == Intent::Allow && (self.explicit || !self.broken)
    }
}

/// What a policy is meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Allow,
    Deny,
    Audit,
    Custom,
    Unknown,
}

impl Intent {
    fn read(action: &Value, path: &Path<'_>, findings: &mut Findings) -> Self {
        let Ok(action) = read::text(action, path, findings) else { return Self::Unknown };
        match action {
            "ALLOW" => Self::Allow,
            "DENY" => Self::Deny,
            "AUDIT" => Self::Audit,
            "CUSTOM" => Self::Custom,
            _ => {
                let message = format!("{} is none of ALLOW, DENY, AUDIT and CUSTOM", quoted(action));
                findings.add(Severity::Invalid, path, message);
                Self::Unknown
            }
        }
    }
}

const FIELDS: [&str; 6] = ["selector", "targetRef", "targetRefs", "action", "rules", "provider"];
