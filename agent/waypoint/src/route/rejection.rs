//! Why a form is not taken. Nothing of a form is left out in silence: one field that means nothing to us is enough.

use std::fmt;

/// A form that cannot be compiled: where in it, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Field by field from the form: `ports[0].http[0].rules[2].matches[1].path.regex`.
    pub path: String,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A oneof is empty: the form is newer than this program, or broken.
    #[error("nothing is given that this version knows")]
    Missing,
    /// A number that no enum value has.
    #[error("value {0} is not known to this version")]
    UnknownValue(i32),
    /// A regular expression that does not compile, or means something else in RE2.
    #[error("regular expression: {0}")]
    Pattern(String),
    /// A substitution of a regular expression.
    #[error("substitution: {0}")]
    Substitution(&'static str),
    /// A name or value that is none in HTTP.
    #[error("not valid in HTTP: {0:?}")]
    NotHttp(String),
    /// A header field that belongs to the connection or to the framing of messages.
    #[error("header field {0:?} cannot be changed by a route")]
    ForbiddenHeader(String),
    /// A number outside of what it may be.
    #[error("{value} is not {expected}")]
    OutOfRange {
        /// What was given.
        value: u64,
        /// What may be given.
        expected: &'static str,
    },
    /// A duration below zero, or one that no clock can count.
    #[error("not a duration")]
    Duration,
    /// Neither an address nor a CIDR.
    #[error("not a CIDR: {0:?}")]
    Subnet(String),
    /// Two entries where one may be.
    #[error("given twice")]
    Duplicate,
    /// Text that means nothing here.
    #[error("{0}")]
    Meaningless(&'static str),
}

impl Rejection {
    /// A rejection of the field that is being looked at.
    pub fn of(reason: Reason) -> Rejection {
        Rejection { path: String::new(), reason }
    }

    /// The same, seen from the message that holds `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Rejection {
        if self.path.is_empty() || self.path.starts_with('[') {
            self.path.insert_str(0, field);
        } else {
            self.path = format!("{field}.{}", self.path);
        }
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Rejection {}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Rejection {
        Rejection::of(reason)
    }
}

/// Says where a compiled field stands.
pub(crate) trait Within<T> {
    /// In the field of this name.
    fn within(self, field: &str) -> Result<T, Rejection>;
}

impl<T, E: Into<Rejection>> Within<T> for Result<T, E> {
    fn within(self, field: &str) -> Result<T, Rejection> {
        self.map_err(|error| error.into().within(field))
    }
}

/// Compiles each entry of a list; an error says which.
pub(crate) fn each<F, T>(
    field: &str,
    forms: &[F],
    compile: impl Fn(&F) -> Result<T, Rejection>,
) -> Result<Vec<T>, Rejection> {
    let one = |(n, form)| compile(form).within(&format!("[{n}]")).within(field);
    forms.iter().enumerate().map(one).collect()
}

/// A duration of the form as one of ours.
pub(crate) fn duration(form: &prost_types::Duration) -> Result<std::time::Duration, Rejection> {
    std::time::Duration::try_from(*form).map_err(|_| Reason::Duration.into())
}

/// The same, of an optional field; zero is as good as none.
pub(crate) fn limit(
    field: &str,
    form: Option<&prost_types::Duration>,
) -> Result<Option<std::time::Duration>, Rejection> {
    let limit = form.map(duration).transpose().within(field)?;
    Ok(limit.filter(|limit| !limit.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_a_list_says_where() {
        let error = each("matches", &[1, 2], |n| {
            if *n == 2 { Err(Reason::Missing).within("regex").within("path") } else { Ok(()) }
        });
        assert_eq!(error.unwrap_err().path, "matches[1].path.regex");
    }
}
