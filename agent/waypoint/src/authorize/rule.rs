//! A rule: who, what, when.

use weir_proto::l7;

use super::condition::Condition;
use super::operation::Operation;
use super::peer::Peer;
use super::{Holds, Visit};
use crate::route::{Rejection, each};

#[derive(Debug)]
pub(super) struct Rule {
    from: Vec<Peer>,
    to: Vec<Operation>,
    when: Vec<Condition>,
}

impl Rule {
    pub(super) fn compile(form: &l7::AuthorizationRule) -> Result<Self, Rejection> {
        Ok(Self {
            from: each("from", &form.from, Peer::compile)?,
            to: each("to", &form.to, Operation::compile)?,
            when: each("when", &form.when, Condition::compile)?,
        })
    }

    pub(super) fn holds(&self, visit: &Visit<'_>) -> Holds {
        let from = Holds::one_of(&self.from, |peer| peer.holds(visit));
        if from == Holds::No {
            return Holds::No;
        }
        let to = Holds::one_of(&self.to, |operation| operation.holds(visit));
        // All conditions have to hold, unlike the other two.
        let when = Holds::all(self.when.iter().map(|condition| condition.holds(visit)));
        from.min(to).min(when)
    }
}
