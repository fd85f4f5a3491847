//! What is wrong with a resource, and what is done meanwhile.

use std::fmt;

use crate::ObjectRef;

/// A field, what is wrong with it, and what that means for traffic. The words are for the person who wrote the resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the field, for example `spec.http[0].match[1].uri.regex`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// Of which sort it is.
    pub reason: Reason,
    /// What is done meanwhile.
    pub effect: Effect,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)?;
        match self.effect {
            Effect::Notice => Ok(()),
            effect => write!(f, " ({effect})"),
        }
    }
}

/// The sort of a problem; the words are those of the Gateway API where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// It cannot be read, or contradicts itself.
    Invalid,
    /// It can be read, and nobody here can do it.
    UnsupportedValue,
    /// Filters that exclude each other.
    IncompatibleFilters,
    /// A reference to a kind that cannot be referred to.
    InvalidKind,
    /// A reference to something that is not there.
    BackendNotFound,
    /// A reference that the other namespace does not permit.
    RefNotPermitted,
    /// The parent has no such port or section.
    NoMatchingParent,
    /// The parent takes no such routes.
    NotAllowedByListeners,
    /// Another resource decides.
    Overruled,
    /// Nothing is wrong; the author should know.
    Notice,
}

impl Reason {
    /// As in a condition.
    pub fn word(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::UnsupportedValue => "UnsupportedValue",
            Self::IncompatibleFilters => "IncompatibleFilters",
            Self::InvalidKind => "InvalidKind",
            Self::BackendNotFound => "BackendNotFound",
            Self::RefNotPermitted => "RefNotPermitted",
            Self::NoMatchingParent => "NoMatchingParent",
            Self::NotAllowedByListeners => "NotAllowedByListeners",
            Self::Overruled => "Overruled",
            Self::Notice => "Accepted",
        }
    }

    /// Whether it is about a reference to something else (condition `ResolvedRefs`).
    pub fn is_reference(self) -> bool {
        matches!(self, Self::InvalidKind | Self::BackendNotFound | Self::RefNotPermitted)
    }
}

/// What is done meanwhile, from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// The resource means what it says.
    Notice,
    /// It is done as it says, though it may not be what is wanted.
    DoneAllTheSame,
    /// As if the field were not there.
    Ignored,
    /// The share of a backend, or what would have gone to it, gets this answer.
    ShareFails(u16),
    /// Nothing is sent to the port or subset.
    ClusterRefused,
    /// The rule is not there: requests are held against those that follow.
    RuleLeftOut,
    /// What matches the rule gets this answer.
    RuleFails(u16),
    /// The route is not heard at this parent.
    NotAttached,
    /// The resource is not there.
    Refused,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notice => f.write_str("it is as it says"),
            Self::DoneAllTheSame => f.write_str("done all the same"),
            Self::Ignored => f.write_str("ignored"),
            Self::ShareFails(status) => write!(f, "its share is answered with {status}"),
            Self::ClusterRefused => f.write_str("nothing is sent there: 503"),
            Self::RuleLeftOut => f.write_str("the rule is left out"),
            Self::RuleFails(status) => write!(f, "what matches the rule is answered with {status}"),
            Self::NotAttached => f.write_str("the route has no effect there"),
            Self::Refused => f.write_str("the whole resource has no effect"),
        }
    }
}

/// A problem of one of several resources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// Whose.
    pub object: ObjectRef,
    /// What.
    pub problem: Problem,
}

/// The problems of one resource, in the order of reading, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(
        &mut self,
        field: impl Into<String>,
        reason: Reason,
        effect: Effect,
        message: impl Into<String>,
    ) {
        let (field, message) = (cut(field.into()), cut(message.into()));
        let problem = Problem { field, message, reason, effect };
        // Whether a rule or the resource has an effect at all must not be lost among trifles.
        let most = if effect >= Effect::RuleLeftOut { MOST_GRAVE } else { MOST };
        if self.0.len() < most && !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// What the author should know, though all is done.
    pub(crate) fn notice(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.add(field, Reason::Notice, Effect::Notice, message);
    }

    pub(crate) fn push(&mut self, problem: Problem) {
        self.add(problem.field, problem.reason, problem.effect, problem.message);
    }

    pub(crate) fn extend(&mut self, other: impl IntoIterator<Item = Problem>) {
        other.into_iter().for_each(|problem| self.push(problem));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the resource has no effect.
    pub fn refused(&self) -> bool {
        self.0.iter().any(|problem| problem.effect == Effect::Refused)
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Names of fields and quoted values are a stranger's, and a status takes 32 KiB at most.
fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// What somebody wrote, as it is shown to them: short, and without control characters.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

const MOST: usize = 128;
const MOST_GRAVE: usize = 1024;
const LONGEST: usize = 512;
const SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_not_lost() {
        let mut problems = Problems::default();
        for i in 0..1000 {
            problems.add(format!("spec.http[{i}]"), Reason::Invalid, Effect::Ignored, "is odd");
        }
        assert_eq!(problems.iter().count(), MOST);
        problems.add("spec.hosts", Reason::Invalid, Effect::Refused, "is missing");
        assert!(problems.refused());
    }

    #[test]
    fn each_is_said_once() {
        let mut problems = Problems::default();
        for _ in 0..3 {
            problems.notice("spec", "is old");
        }
        assert_eq!(problems.iter().count(), 1);
    }
}
