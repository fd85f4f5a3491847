//! A piece of text of a request against what the form wants of it.

use regex::bytes::Regex;
use weir_proto::l7;

use super::{
    pattern::{Extent, pattern},
    rejection::{Reason, Rejection, Within as _},
};

/// A compiled `StringMatch`. Values are bytes: a header's need not be UTF-8.
#[derive(Debug, Clone)]
pub struct TextMatch(Kind);

impl TextMatch {
    /// Compiles the form.
    pub fn compile(form: &l7::StringMatch) -> Result<TextMatch, Rejection> {
        use l7::string_match::Kind as Form;
        let case = Case::new(form.ignore_case);
        Ok(TextMatch(match form.kind.as_ref().ok_or(Reason::Missing)? {
            Form::Exact(text) => Kind::Exact(text.as_bytes().into(), case),
            Form::Prefix(text) => Kind::Prefix(text.as_bytes().into(), case),
            Form::Suffix(text) => Kind::Suffix(text.as_bytes().into(), case),
            Form::Regex(text) => Kind::Regex(pattern(text, Extent::Whole, form.ignore_case).within("regex")?),
            Form::Present(true) => Kind::Present,
            Form::Present(false) => {
                return Err(Reason::Meaningless("false says nothing")).within("present");
            }
        }))
    }

    /// Whether the value is one that is wanted.
    pub fn matches(&self, value: &[u8]) -> bool {
        match &self.0 {
            Kind::Exact(text, case) => case.equal(text, value),
            Kind::Prefix(text, case) => value.get(..text.len()).is_some_and(|start| case.equal(text, start)),
            Kind::Suffix(text, case) => {
                let start = value.len().checked_sub(text.len());
                start.is_some_and(|start| case.equal(text, &value[start..]))
            }
            Kind::Regex(regex) => regex.is_match(value),
            Kind::Present => true,
        }
    }

    /// The only value that matches, if there is but one.
    pub(crate) fn only(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Exact(text, Case::Heeded) => Some(text),
            _ => None,
        }
    }

    /// Whether every value matches.
    pub(crate) fn is_any(&self) -> bool {
        matches!(self.0, Kind::Present)
    }
}

#[derive(Debug, Clone)]
enum Kind {
    Exact(Box<[u8]>, Case),
    Prefix(Box<[u8]>, Case),
    Suffix(Box<[u8]>, Case),
    Regex(Regex),
    Present,
}

/// Whether the case of ASCII letters counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Heeded,
    Ignored,
}

impl Case {
    pub(crate) fn new(ignored: bool) -> Case {
        if ignored { Case::Ignored } else { Case::Heeded }
    }

    pub(crate) fn equal(self, a: &[u8], b: &[u8]) -> bool {
        match self {
            Case::Heeded => a == b,
            Case::Ignored => a.eq_ignore_ascii_case(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use l7::string_match::Kind as Form;
    use rstest::rstest;

    use super::*;

    fn form(kind: Form, ignore_case: bool) -> l7::StringMatch {
        l7::StringMatch { kind: Some(kind), ignore_case }
    }

    #[rstest]
    #[case::exact(Form::Exact("ab".into()), false, "ab", true)]
    #[case::exact_case(Form::Exact("ab".into()), false, "aB", false)]
    #[case::exact_no_case(Form::Exact("ab".into()), true, "aB", true)]
    #[case::exact_longer(Form::Exact("ab".into()), false, "abc", false)]
    #[case::prefix(Form::Prefix("ab".into()), false, "abc", true)]
    #[case::prefix_no_case(Form::Prefix("ab".into()), true, "ABC", true)]
    #[case::prefix_shorter(Form::Prefix("ab".into()), false, "a", false)]
    #[case::suffix(Form::Suffix("bc".into()), false, "abc", true)]
    #[case::suffix_no_case(Form::Suffix("bc".into()), true, "aBc", true)]
    #[case::suffix_shorter(Form::Suffix("bc".into()), false, "c", false)]
    #[case::regex(Form::Regex("a+".into()), false, "aa", true)]
    #[case::regex_part(Form::Regex("a+".into()), false, "aab", false)]
    #[case::regex_no_case(Form::Regex("a+".into()), true, "aA", true)]
    #[case::present_empty(Form::Present(true), false, "", true)]
    fn matches(#[case] kind: Form, #[case] ignore_case: bool, #[case] value: &str, #[case] expected: bool) {
        let text = TextMatch::compile(&form(kind, ignore_case)).unwrap();
        assert_eq!(text.matches(value.as_bytes()), expected);
    }

    #[rstest]
    #[case::nothing(l7::StringMatch::default(), "")]
    #[case::absent(form(Form::Present(false), false), "present")]
    #[case::broken(form(Form::Regex("(".into()), false), "regex")]
    fn is_refused(#[case] form: l7::StringMatch, #[case] path: &str) {
        assert_eq!(TextMatch::compile(&form).unwrap_err().path, path);
    }
}
