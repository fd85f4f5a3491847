//! A policy as waypoints get it.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_proto::l7::{Action, Authorization, AuthorizationRule};
use weir_resources::Policy;

use super::Asked;
use crate::policy::authorization::{Converted, Place, check_dry_run, is_dry_run};
use crate::policy::consequence::{Consequence, Effect};
use crate::policy::finding::{Findings, Severity};
use crate::policy::head::{Head, Intent};
use crate::policy::read::Unknown;
use crate::policy::rule::{Part, Parts};
use crate::policy::target::Target;

/// What waypoints get.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::policy) struct AtWaypoints {
    /// What holds for what it names.
    pub(in crate::policy) policy: Arc<Authorization>,
    pub(in crate::policy) targets: BTreeSet<Target>,
    /// What holds for all else in its namespace (in the root namespace: everywhere) that has a waypoint, because the policy
    /// may have been meant for that.
    pub(in crate::policy) elsewhere: Option<Arc<Authorization>>,
}

/// All of a policy that names what it is for.
pub(in crate::policy) fn finish(
    head: &Head,
    rules: Result<Vec<Parts<Asked>>, Unknown>,
    policy: &Policy,
    mut findings: Findings,
) -> Converted {
    if head.intent == Intent::Custom {
        let message = "CUSTOM is nothing that a waypoint can do yet: it has nobody to ask";
        findings.add(Severity::Unsupported, "spec.action", message);
    }
    check_dry_run(policy, &mut findings);
    let refused = head.broken || head.intent == Intent::Unknown || rules.is_err();
    let form = match (rules, head.intent) {
        (Ok(rules), intent) if !refused => self::form(policy, action(intent), written(rules, intent)),
        _ => refusal(head, policy),
    };
    let targets = head.targets.clone().unwrap_or_default();
    let elsewhere = (targets.unclear && head.intent != Intent::Audit).then(|| refusal(head, policy));
    let meanwhile = match (refused, &elsewhere) {
        (false, Some(_)) => ELSEWHERE,
        (false, None) if targets.unclear => "nothing else is audited",
        _ => {
            let consequence = Consequence::of(&findings, refused, head.intent, form.rules.is_empty());
            consequence.words(effect(&form))
        }
    };
    Converted {
        sent: None,
        selector: None,
        place: Place::Waypoint,
        findings,
        meanwhile: meanwhile.to_owned(),
        in_part: false,
        at_waypoints: Some(AtWaypoints { policy: form, targets: targets.named, elsewhere }),
    }
}

/// What waypoints get of a policy of which nobody can tell whether it is for them.
pub(in crate::policy) fn refused(head: &Head, policy: &Policy) -> AtWaypoints {
    let targets = head.targets.clone().unwrap_or_default();
    let refusal = refusal(head, policy);
    let elsewhere = (head.intent != Intent::Audit).then(|| refusal.clone());
    AtWaypoints { policy: refusal, targets: targets.named, elsewhere }
}

fn written(rules: Vec<Parts<Asked>>, intent: Intent) -> Vec<AuthorizationRule> {
    let rules = rules.into_iter();
    match intent {
        Intent::Allow => rules.filter_map(Parts::sure).map(Parts::at_waypoints).collect(),
        // To audit too much is better than to miss something.
        _ => rules.map(Parts::known).map(Parts::at_waypoints).collect(),
    }
}

/// Nobody gets in.
fn refusal(head: &Head, policy: &Policy) -> Arc<Authorization> {
    let everything = || vec![AuthorizationRule::default()];
    match head.intent {
        _ if head.allows() => form(policy, Action::Allow, Vec::new()),
        Intent::Audit => form(policy, Action::Audit, everything()),
        _ => form(policy, Action::Deny, everything()),
    }
}

fn action(intent: Intent) -> Action {
    match intent {
        Intent::Allow => Action::Allow,
        Intent::Audit => Action::Audit,
        Intent::Deny | Intent::Custom | Intent::Unknown => Action::Deny,
    }
}

fn effect(policy: &Authorization) -> Effect {
    match policy.action() {
        Action::Allow => Effect::Allows,
        Action::Deny => Effect::Denies,
        Action::Audit => Effect::Audits,
    }
}

fn form(policy: &Policy, action: Action, rules: Vec<AuthorizationRule>) -> Arc<Authorization> {
    Arc::new(Authorization {
        namespace: policy.meta.namespace.to_string(),
        name: policy.meta.name.to_string(),
        action: action.into(),
        rules,
        dry_run: is_dry_run(policy),
    })
}
impl Parts<Asked> {
    fn at_waypoints(self) -> AuthorizationRule {
        let asked = |part: Part<Asked>| part.terms.into_iter().map(|term| term.asks);
        AuthorizationRule {
            from: self.from.into_iter().flat_map(asked).map(|asked| asked.peer).collect(),
            to: self.to.into_iter().flat_map(asked).map(|asked| asked.operation).collect(),
            when: self.when.into_iter().flat_map(asked).map(|asked| asked.condition).collect(),
        }
    }
}

const ELSEWHERE: &str = "it holds for what it names, as far as it can be read, and nobody gets through to anything else that \
     it may have been meant for";
