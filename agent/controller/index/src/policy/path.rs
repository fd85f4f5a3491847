//! Where in an object something is.

use std::fmt;

/// A field's path, made of borrowed steps: it costs nothing until it is written down.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The first step.
    pub(super) fn root(name: &'p str) -> Self {
        Self { parent: None, step: Step::Field(name) }
    }

    /// A field of what is here.
    pub(super) fn field(&'p self, name: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Field(name) }
    }

    /// An item of the list that is here.
    pub(super) fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for Path<'_> {
    /// `spec.rules[0].from`; a name that is more than a word stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Field(name) if self.parent.is_none() => f.write_str(name),
            Step::Field(name) if is_word(name) => write!(f, ".{name}"),
            Step::Field(name) => write!(f, "[{name:?}]"),
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
