//! What a route's status says, parent by parent.

use std::collections::BTreeSet;

use serde_json::Value;
use weir_resources::Condition;

use super::parent::Standing;
use super::{Context, Route, entries};
use crate::problem::{Effect, Problem, Problems, Reason, Remark};
use crate::{Lookup, Mesh};

/// An entry of `status.parents`, but for the name of the controller.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentStatus {
    /// As it is written.
    pub parent_ref: Value,
    /// Accepted, ResolvedRefs, and perhaps PartiallyInvalid.
    pub conditions: Vec<Condition>,
    /// What they were made of.
    pub problems: Problems,
}

impl Route {
    /// An entry for each parent that is ours. `remarks` are those that [`frontend`](crate::frontend) made for its parents.
    pub fn status(&self, remarks: &[Remark], lookup: &dyn Lookup, mesh: &Mesh) -> Vec<ParentStatus> {
        let mut parents = Vec::new();
        for (index, parent) in self.parents.iter().enumerate() {
            let mut problems = self.read.clone();
            match self.standing(index, lookup, mesh) {
                Standing::Foreign => continue,
                Standing::Not(problem) => {
                    entries(&Context { mesh, lookup, route: self, parent: None }, &mut problems);
                    problems.push(problem);
                }
                Standing::Services(services) => {
                    for (service, ports) in &services {
                        let parent = ports.first().map(|port| (service, *port));
                        entries(&Context { mesh, lookup, route: self, parent }, &mut problems);
                    }
                }
            }
            let field = format!("spec.parentRefs[{index}]");
            let ours = |remark: &&Remark| remark.object == self.object && remark.problem.field == field;
            problems.extend(remarks.iter().filter(ours).map(|remark| remark.problem.clone()));
            let conditions = conditions(&problems, self.rule_count(), self.meta.generation);
            parents.push(ParentStatus { parent_ref: parent.raw.clone(), conditions, problems });
        }
        parents
    }
}

fn conditions(problems: &Problems, rules: usize, generation: i64) -> Vec<Condition> {
    let is_refused = |problem: &&Problem| matches!(problem.effect, Effect::NotAttached | Effect::Refused);
    let refused: Vec<&Problem> = problems.iter().filter(is_refused).collect();
    let dropping = |problem: &&Problem| matches!(problem.effect, Effect::RuleLeftOut | Effect::RuleFails(_));
    let dropping: Vec<&Problem> = problems.iter().filter(dropping).collect();
    let dropped: BTreeSet<usize> = dropping.iter().filter_map(|problem| rule_of(&problem.field)).collect();
    let all_dropped = rules > 0 && dropped.len() >= rules;
    let condition = |kind: &str, yes, reason: &str, message: String| Condition {
        kind: kind.to_owned(),
        status: if yes { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: generation,
    };
    // Of references that lead nowhere there is a condition of its own.
    let others = || problems.iter().filter(|problem| !problem.reason.is_reference());
    let mild =
        others().filter(|p| matches!(p.effect, Effect::Notice | Effect::DoneAllTheSame | Effect::Ignored));
    let failing: Vec<&Problem> =
        others().filter(|problem| matches!(problem.effect, Effect::ShareFails(_))).collect();
    let accepted = match (refused.first(), all_dropped) {
        (Some(first), _) => condition("Accepted", false, word(first.reason), words(refused.iter().copied())),
        (None, true) => {
            let reason = dropping.first().map_or("UnsupportedValue", |problem| word(problem.reason));
            condition("Accepted", false, reason, words(dropping.iter().copied()))
        }
        (None, false) => condition("Accepted", true, "Accepted", words(mild)),
    };
    let mut conditions = vec![accepted];
    let partly = dropping.first().or(failing.first());
    if let Some(first) = partly.filter(|_| refused.is_empty() && !all_dropped) {
        let numbers: Vec<String> = dropped.iter().map(ToString::to_string).collect();
        let numbers = match dropped.is_empty() {
            true => String::new(),
            false => format!("Dropped Rule {}: ", numbers.join(", ")),
        };
        let message = format!("{numbers}{}", words(dropping.iter().chain(&failing).copied()));
        conditions.push(condition("PartiallyInvalid", true, word(first.reason), message));
    }
    let references: Vec<&Problem> = problems.iter().filter(|problem| problem.reason.is_reference()).collect();
    conditions.push(match references.first() {
        Some(first) => {
            condition("ResolvedRefs", false, first.reason.word(), words(references.iter().copied()))
        }
        None => condition("ResolvedRefs", true, "ResolvedRefs", String::new()),
    });
    conditions
}

/// The Gateway API has no word for what cannot be read.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Invalid
        | Reason::InvalidKind
        | Reason::BackendNotFound
        | Reason::RefNotPermitted
        | Reason::Notice => Reason::UnsupportedValue.word(),
        reason => reason.word(),
    }
}

fn rule_of(field: &str) -> Option<usize> {
    field.strip_prefix("spec.rules[")?.split_once(']')?.0.parse().ok()
}

pub(crate) fn words<'a>(problems: impl Iterator<Item = &'a Problem>) -> String {
    let mut all: Vec<String> = problems.map(ToString::to_string).collect();
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    let mut text = all.join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// A message of a condition has 32768 characters at most.
const SHOWN: usize = 16;
