//! What was noticed in a policy, and how bad it is.

use weir_resources::Problem;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// The author should know; the policy means what it says.
    Notice,
    /// Well-formed, and nobody here can enforce it.
    Unsupported,
    /// It cannot be read.
    Invalid,
}

/// Something noticed at a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) problem: Problem,
}

impl Finding {
    /// Names of fields are a stranger's, and Kubernetes takes a status message of 32 KiB at most.
    fn new(severity: Severity, field: String, message: String) -> Self {
        Self { severity, problem: Problem::new(cut(field, LONGEST_FIELD), cut(message, LONGEST_MESSAGE)) }
    }
}

/// What was noticed in one policy, in the order of reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    worst: Option<Severity>,
    /// How many more there were. A policy with ten thousand wrong addresses has no use for all of them in its status.
    more: usize,
}

impl Findings {
    pub(super) fn add(&mut self, severity: Severity, field: impl ToString, message: impl Into<String>) {
        self.worst = self.worst.max(Some(severity));
        if self.kept.len() == KEPT {
            self.more += 1;
            return;
        }
        self.kept.push(Finding::new(severity, field.to_string(), message.into()));
    }

    /// Something that was noticed before all of it.
    pub(super) fn put_first(&mut self, severity: Severity, problem: Problem) {
        self.worst = self.worst.max(Some(severity));
        self.kept.insert(0, Finding::new(severity, problem.field, problem.message));
    }

    /// How bad the worst is.
    pub(super) fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// Whether something cannot be enforced as it is written.
    pub(super) fn refuse(&self) -> bool {
        self.worst >= Some(Severity::Unsupported)
    }

    /// Those for which a policy is refused.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.kept.iter().filter(|f| f.severity > Severity::Notice).map(|f| &f.problem)
    }

    /// Those for which it is not.
    pub(super) fn notices(&self) -> impl Iterator<Item = &Problem> {
        self.kept.iter().filter(|f| f.severity == Severity::Notice).map(|f| &f.problem)
    }

    /// What is wrong, or else what is to be known, as a sentence.
    pub(super) fn words(&self) -> String {
        let join = |problems: Vec<String>| problems.join("; ");
        let mut words = match self.refuse() {
            true => join(self.problems().map(ToString::to_string).collect()),
            false => join(self.notices().map(ToString::to_string).collect()),
        };
        if self.more > 0 {
            words.push_str(&format!("; and {} more", self.more));
        }
        words
    }
}

fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.push_str("...");
    }
    text
}

const KEPT: usize = 16;
const LONGEST_FIELD: usize = 512;
const LONGEST_MESSAGE: usize = 512;
