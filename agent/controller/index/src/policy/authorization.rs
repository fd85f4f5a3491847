//! An AuthorizationPolicy, converted.

use serde_json::{Map, Value};
use weir_proto::security::{Action, Authorization, Match, Rule, Scope};
use weir_resources::{Invalid, Labels, Policy};

use super::consequence::{Consequence, Effect};
use super::finding::{Findings, Severity};
use super::head::{Head, Intent};
use super::l7::{self, AtWaypoints};
use super::path::Path;
use super::read::{self, Unknown, quoted};
use super::rule::Parts;
use super::target::Home;
use crate::Config;

/// What becomes of an AuthorizationPolicy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Converted {
    /// What the node proxies get.
    pub(super) sent: Option<Authorization>,
    /// What the waypoints get.
    pub(super) at_waypoints: Option<AtWaypoints>,
    /// Whom it selects; `None` if it is for its namespace or for the mesh.
    pub(super) selector: Option<Labels>,
    /// Who enforces it.
    pub(super) place: Place,
    /// What is wrong with it.
    pub(super) findings: Findings,
    /// What holds as long as something is wrong.
    pub(super) meanwhile: String,
    /// It is sent as far as a node proxy can do what it asks for.
    pub(super) in_part: bool,
}

/// Who enforces a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Node proxies.
    Nodes,
    /// The waypoints that it names.
    Waypoint,
    /// Nobody: a node proxy cannot do what it asks for.
    Nobody,
}

/// Converts a policy.
pub(super) fn convert(policy: &Policy, config: &Config) -> Converted {
    let mut findings = Findings::default();
    let nothing = Value::Object(Map::new());
    let spec = if policy.spec.is_null() { &nothing } else { &policy.spec };
    let root = Path::root("spec");
    let empty = Map::new();
    let (spec, readable) = match read::object(spec, &root, &mut findings) {
        Ok(spec) => (spec, true),
        Err(_) => (&empty, false),
    };
    let namespace = &policy.meta.namespace;
    let home = Home { namespace, is_root: *namespace == config.root_namespace };
    let mut head = Head::read(spec, home, &root, &mut findings);
    head.broken |= !readable;
    if !readable {
        // It may have named targets.
        head.targets = Err(Unknown);
    }
    if head.sees_requests() {
        let parts = head.rules(spec, &root, policy, &mut findings);
        return l7::finish(&head, parts, policy, findings);
    }
    let parts = head.rules(spec, &root, policy, &mut findings);
    // Of a policy that may have been for waypoints, they must know too.
    let at_waypoints = (head.targeted() || head.targets.is_err()).then(|| l7::refused(&head, policy));
    Converted { at_waypoints, ..head.finish(parts, policy, config, findings) }
}

/// What stands for a policy that could not be read. If its spec is known, that is in force; else it may have been to deny.
pub(super) fn unreadable(invalid: &Invalid, config: &Config) -> Converted {
    let meta = (*invalid.meta).clone();
    let problem = invalid.problem.clone();
    let Some(spec) = invalid.spec.clone() else {
        let mut converted = convert(&Policy { meta, spec: Value::Bool(false) }, config);
        converted.findings = Findings::default();
        converted.findings.put_first(Severity::Invalid, problem);
        return converted;
    };
    let mut converted = convert(&Policy { meta, spec: *spec }, config);
    let is_sent = converted.sent.is_some() || converted.at_waypoints.is_some();
    if is_sent && !converted.findings.refuse() {
        converted.meanwhile = "its spec is enforced as it is written".to_owned();
    }
    converted.findings.put_first(Severity::Invalid, problem);
    converted
}

impl Head {
    fn finish(
        self,
        rules: Result<Vec<Parts<Match>>, Unknown>,
        policy: &Policy,
        config: &Config,
        mut findings: Findings,
    ) -> Converted {
        let (place, meanwhile) = self.place(policy, config, &mut findings);
        let in_part = matches!(self.intent, Intent::Allow | Intent::Deny);
        let mut converted =
            Converted { sent: None, at_waypoints: None, selector: None, place, findings, meanwhile, in_part };
        if place != Place::Nodes {
            return converted;
        }
        let refused = self.broken
            || self.intent == Intent::Unknown
            || rules.is_err()
            || self.selector.is_err()
            || self.targeted();
        let (action, rules) = match (refused, self.intent) {
            (true, _) => self.refusal(),
            (false, Intent::Allow) => {
                let rules = rules.into_iter().flatten();
                (Action::Allow, rules.filter_map(Parts::sure).map(Parts::rule).collect())
            }
            (false, _) => {
                let rules = rules.into_iter().flatten();
                (Action::Deny, rules.map(Parts::known).map(Parts::rule).collect())
            }
        };
        let effect = if action == Action::Allow { Effect::Allows } else { Effect::Denies };
        let consequence = Consequence::of(&converted.findings, refused, self.intent, rules.is_empty());
        converted.meanwhile = consequence.words(effect).to_owned();
        let is_root = policy.meta.namespace == config.root_namespace;
        if let (Ok(selector), false) = (&self.selector, self.targeted()) {
            converted.selector = selector.clone();
        }
        let scope = match converted.selector {
            Some(_) => Scope::WorkloadSelector,
            None if is_root => Scope::Global,
            None => Scope::Namespace,
        };
        converted.sent = Some(Authorization {
            name: policy.meta.name.to_string(),
            namespace: policy.meta.namespace.to_string(),
            scope: scope.into(),
            action: action.into(),
            rules,
            dry_run: is_dry_run(policy),
            extensions: Vec::new(),
        });
        converted
    }

    /// Who enforces it, and what holds if that is nobody.
    fn place(&self, policy: &Policy, config: &Config, findings: &mut Findings) -> (Place, String) {
        match self.intent {
            Intent::Audit => {
                let message = "AUDIT is nothing that a node proxy can do";
                findings.add(Severity::Unsupported, "spec.action", message);
                return (Place::Nobody, "nothing is audited".to_owned());
            }
            Intent::Custom => {
                let message = "CUSTOM is nothing that a node proxy can do: it has nobody to ask";
                findings.add(Severity::Unsupported, "spec.action", message);
            }
            Intent::Allow | Intent::Deny | Intent::Unknown => {}
        }
        check_dry_run(policy, findings);
        if is_dry_run(policy) && !config.dry_run {
            let message =
                "policies of a dry run are not sent: node proxies of other makes would enforce them";
            findings.add(Severity::Notice, DRY_RUN_FIELD, message);
            return (Place::Nobody, "it is neither enforced nor rehearsed".to_owned());
        }
        (Place::Nodes, String::new())
    }

    /// What is in force for a policy that is not understood: nobody comes in.
    fn refusal(&self) -> (Action, Vec<Rule>) {
        match self.allows() {
            true => (Action::Allow, Vec::new()),
            false => (Action::Deny, vec![Rule::default()]),
        }
    }
}

/// Says it if the annotation is neither true nor false.
pub(super) fn check_dry_run(policy: &Policy, findings: &mut Findings) {
    if let Err(text) = dry_run(policy) {
        let message = format!("{} is neither true nor false, so the policy is enforced", quoted(text));
        findings.add(Severity::Notice, DRY_RUN_FIELD, message);
    }
}

/// Istio's annotation; `Err` if it is neither true nor false, in the ways in which Go writes them. What is not plainly true
/// is enforced.
fn dry_run(policy: &Policy) -> Result<bool, &str> {
    match policy.meta.annotations.get("istio.io/dry-run") {
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        None | Some("" | "0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(other) => Err(other),
    }
}

/// Whether it is only to be rehearsed.
pub(super) fn is_dry_run(policy: &Policy) -> bool {
    dry_run(policy).unwrap_or(false)
}

const DRY_RUN_FIELD: &str = "metadata.annotations[\"istio.io/dry-run\"]";
