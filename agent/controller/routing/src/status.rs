//! Conditions of Istio's resources.

use weir_resources::{Condition, Meta};

use crate::problem::{Effect, Problem, Problems, Remark};
use crate::route::words;
use crate::{DestinationRule, Lookup, Mesh, VirtualService};

impl VirtualService {
    /// Conditions `Accepted`, `ResolvedRefs` and, if it is so, `PartiallyInvalid`. `remarks` are those that
    /// [`frontend`](crate::frontend) made for the services that it concerns.
    pub fn status(
        &self,
        others: &[Self],
        remarks: &[Remark],
        lookup: &dyn Lookup,
        mesh: &Mesh,
    ) -> Vec<Condition> {
        let mut problems = self.problems(others, lookup, mesh);
        problems.extend(of(self.object(), remarks));
        conditions(&problems, &self.meta)
    }
}

impl DestinationRule {
    /// Conditions `Accepted`, `ResolvedRefs` and, if it is so, `PartiallyInvalid`. `remarks` are those that
    /// [`backend`](crate::backend) made for the services that it concerns.
    pub fn status(&self, remarks: &[Remark], lookup: &dyn Lookup, mesh: &Mesh) -> Vec<Condition> {
        let mut problems = self.problems(lookup, mesh);
        problems.extend(of(self.object(), remarks));
        conditions(&problems, self.meta())
    }
}

fn of<'a>(object: &'a crate::ObjectRef, remarks: &'a [Remark]) -> impl Iterator<Item = Problem> + 'a {
    remarks.iter().filter(move |remark| remark.object == *object).map(|remark| remark.problem.clone())
}

/// Accepted: it has an effect. Which fields of it have none, or another than they say, is `PartiallyInvalid`.
fn conditions(problems: &Problems, meta: &Meta) -> Vec<Condition> {
    let condition = |kind: &str, yes, reason: &str, message: String| Condition {
        kind: kind.to_owned(),
        status: if yes { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: meta.generation,
    };
    let refused: Vec<&Problem> =
        problems.iter().filter(|problem| problem.effect == Effect::Refused).collect();
    let is_notice = |problem: &&Problem| problem.effect == Effect::Notice && !problem.reason.is_reference();
    let notices = problems.iter().filter(is_notice);
    // References have a condition of their own.
    let partly = |problem: &&Problem| {
        !matches!(problem.effect, Effect::Notice | Effect::Refused) && !problem.reason.is_reference()
    };
    let partly: Vec<&Problem> = problems.iter().filter(partly).collect();
    let mut conditions = Vec::new();
    match refused.first() {
        Some(first) => {
            conditions.push(condition(
                "Accepted",
                false,
                first.reason.word(),
                words(refused.iter().copied()),
            ));
        }
        None => conditions.push(condition("Accepted", true, "Accepted", words(notices))),
    }
    if let (Some(first), true) = (partly.first(), refused.is_empty()) {
        conditions.push(condition(
            "PartiallyInvalid",
            true,
            first.reason.word(),
            words(partly.iter().copied()),
        ));
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
