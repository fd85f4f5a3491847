//! Regular expressions in RE2's language.
//!
//! The waypoint matches with the `regex` crate, which has RE2's promises and nearly its language. What it would read
//! otherwise than RE2 is refused here, so that nothing is accepted that the waypoint then refuses.

use regex::RegexBuilder;
use regex_syntax::ast::{self, Ast, Visitor};
use serde::Deserialize;

/// An expression that can be compiled within the limits.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Regex(pub(crate) String);

impl TryFrom<String> for Regex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        check(&text)?;
        Ok(Self(text))
    }
}

/// How many groups it has, the whole not counted.
pub(crate) fn groups(Regex(text): &Regex) -> usize {
    compile(text).map_or(0, |regex| regex.captures_len() - 1)
}

fn check(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    let tree = ast::parse::Parser::new().parse(text).map_err(|error| says(error.kind()))?;
    ast::visit(&tree, Dialect)?;
    compile(text).map(|_| ()).map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("needs more than {limit} bytes when compiled"),
        // Its words are drawn over several lines, the last of which says it.
        error => says(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ")),
    })
}

fn says(error: impl ToString) -> String {
    format!("is no regular expression of RE2: {}", error.to_string())
}

fn compile(text: &str) -> Result<regex::Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(COMPILED_SIZE).build()
}

/// What RE2 does not have, or has with another meaning.
struct Dialect;

impl Visitor for Dialect {
    type Output = ();
    type Err = String;

    fn finish(self) -> Result<(), String> {
        Ok(())
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), String> {
        use ast::AssertionKind::{EndLine, EndText, NotWordBoundary, StartLine, StartText, WordBoundary};
        match node {
            Ast::Assertion(assertion) => match assertion.kind {
                StartLine | EndLine | StartText | EndText | WordBoundary | NotWordBoundary => Ok(()),
                _ => Err(says(r"it has no \< \> \b{start}")),
            },
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), String> {
        match item {
            ast::ClassSetItem::Bracketed(_) => Err(says(r"a [ within brackets is written \[")),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), String> {
        Err(says("it has no && -- ~~ within brackets"))
    }
}

/// Of the expression's text.
const LONGEST: usize = 4096;
/// Of the compiled program, in bytes.
const COMPILED_SIZE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("/api/v[0-9]+", true)]
    #[case::the_cookie_of_2018("^(.*?;)?(user=jason)(;.*)?$", true)]
    #[case::posix_class("[[:alpha:]]", true)]
    #[case::unclosed("(a", false)]
    #[case::star_alone("*", false)]
    #[case::look_ahead("(?=a)", false)]
    #[case::back_reference(r"(a)\1", false)]
    #[case::nested_set("[a[b]]", false)]
    #[case::intersection("[a-z&&b]", false)]
    #[case::word_start(r"\<a", false)]
    #[case::too_big("(((a{100}){100}){100})", false)]
    fn checked(#[case] text: &str, #[case] good: bool) {
        let result = Regex::try_from(text.to_owned());
        assert_eq!(result.is_ok(), good, "{result:?}");
    }

    #[test]
    fn too_long() {
        assert!(Regex::try_from("a".repeat(5000)).is_err());
    }

    #[rstest]
    #[case("a", 0)]
    #[case("(a)(?:b)(?P<x>c)", 2)]
    fn counts_groups(#[case] text: &str, #[case] expected: usize) {
        assert_eq!(groups(&Regex(text.to_owned())), expected);
    }
}
