//! Istio's StringMatch.

use serde::Deserialize;
use weir_proto::l7::{self, string_match::Kind};

use super::regex::Regex;

/// Exact, prefix or regex; `None` if it says none of them, which means any value that is there.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "Form")]
pub(crate) struct StringMatch(pub(crate) Option<Kind>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    exact: Option<String>,
    prefix: Option<String>,
    regex: Option<Pattern>,
}

/// `*` alone is no expression, and Istio takes it for any value.
#[derive(Deserialize)]
#[serde(try_from = "String")]
enum Pattern {
    Any,
    Regex(Regex),
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" { Ok(Self::Any) } else { Regex::try_from(text).map(Self::Regex) }
    }
}

impl TryFrom<Form> for StringMatch {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        Ok(Self(match (form.exact, form.prefix, form.regex) {
            (None, None, None | Some(Pattern::Any)) => None,
            (Some(text), None, None) => Some(Kind::Exact(text)),
            (None, Some(text), None) => Some(Kind::Prefix(text)),
            (None, None, Some(Pattern::Regex(Regex(text)))) => Some(Kind::Regex(text)),
            _ => return Err("exact, prefix and regex exclude each other"),
        }))
    }
}

impl StringMatch {
    /// A match of a value that always exists; `None` if any will do.
    pub(crate) fn form(&self) -> Option<l7::StringMatch> {
        self.0.clone().filter(|kind| *kind != Kind::Prefix(String::new())).map(form)
    }

    /// A match of a value that may be missing: nothing, and what is empty, asks only that it is there.
    pub(crate) fn form_or_present(&self) -> l7::StringMatch {
        let says = self.0.clone().filter(|kind| {
            !matches!(kind, Kind::Exact(text) | Kind::Prefix(text) | Kind::Regex(text) if text.is_empty())
        });
        form(says.unwrap_or(Kind::Present(true)))
    }
}

fn form(kind: Kind) -> l7::StringMatch {
    l7::StringMatch { kind: Some(kind), ignore_case: false }
}
