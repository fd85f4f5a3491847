//! Regular expressions as RE2 reads them.
//!
//! The `regex` crate has RE2's promise (linear time) and nearly its language. Where the same text would mean something
//! else, it is written anew (RE2's classes are ASCII), or refused (sets within brackets, `\<`). Sizes are limited, so that
//! no route can eat a waypoint's memory.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::{self, Ast, Visitor};

use super::rejection::{Reason, Rejection};

/// What of the text has to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it.
    Whole,
    /// Any part of it.
    Part,
}

/// Compiles an RE2 expression.
pub(crate) fn pattern(text: &str, extent: Extent, ignore_case: bool) -> Result<Regex, Rejection> {
    let translated = translate(text)?;
    let whole = match extent {
        Extent::Whole => format!(r"\A(?:{translated})\z"),
        Extent::Part => translated,
    };
    RegexBuilder::new(&whole)
        .case_insensitive(ignore_case)
        .size_limit(COMPILED_SIZE)
        .dfa_size_limit(CACHE_SIZE)
        .build()
        .map_err(|error| Reason::Pattern(error.to_string()).into())
}

/// The expression in the language of the `regex` crate. It is valid by itself: no bracket in it closes one around it.
pub(crate) fn translate(text: &str) -> Result<String, Rejection> {
    if text.len() > LONGEST {
        return Err(Reason::Pattern(format!("longer than {LONGEST} bytes")).into());
    }
    let tree = ast::parse::Parser::new().parse_with_comments(text);
    let tree = tree.map_err(|error| Reason::Pattern(error.to_string()))?;
    let mut dialect = Dialect::default();
    // A comment would go on into what is put around the expression.
    tree.comments.iter().for_each(|comment| dialect.edit(&comment.span, ""));
    let edits = ast::visit(&tree.ast, dialect).map_err(|why| Reason::Pattern(why.to_owned()))?;
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (span, replacement) in edits {
        out.push_str(&text[from..span.start]);
        out.push_str(replacement);
        from = span.end;
    }
    out.push_str(&text[from..]);
    Ok(out)
}

/// What must be written otherwise, in the order of the text.
#[derive(Default)]
struct Dialect {
    edits: Vec<(Range<usize>, &'static str)>,
}

impl Dialect {
    fn edit(&mut self, span: &ast::Span, replacement: &'static str) {
        self.edits.push((span.start.offset..span.end.offset, replacement));
    }

    fn perl(&mut self, class: &ast::ClassPerl) {
        use ast::ClassPerlKind::{Digit, Space, Word};
        let replacement = match (&class.kind, class.negated) {
            (Digit, false) => "[0-9]",
            (Digit, true) => "[^0-9]",
            (Space, false) => r"[\t\n\f\r\x20]",
            (Space, true) => r"[^\t\n\f\r\x20]",
            (Word, false) => "[0-9A-Za-z_]",
            (Word, true) => "[^0-9A-Za-z_]",
        };
        self.edit(&class.span, replacement);
    }
}

impl Visitor for Dialect {
    type Output = Vec<(Range<usize>, &'static str)>;
    type Err = &'static str;

    fn finish(mut self) -> Result<Self::Output, Self::Err> {
        self.edits.sort_by_key(|(span, _)| span.start);
        Ok(self.edits)
    }

    fn visit_pre(&mut self, node: &Ast) -> Result<(), Self::Err> {
        use ast::AssertionKind::{EndLine, EndText, NotWordBoundary, StartLine, StartText, WordBoundary};
        match node {
            Ast::ClassPerl(class) => self.perl(class),
            Ast::Assertion(assertion) => match assertion.kind {
                WordBoundary => self.edit(&assertion.span, r"(?-u:\b)"),
                NotWordBoundary => self.edit(&assertion.span, r"(?-u:\B)"),
                StartLine | EndLine | StartText | EndText => {}
                _ => return Err(r"RE2 has no such word boundary (a < or > is written without \)"),
            },
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ast::ClassSetItem::Perl(class) => self.perl(class),
            ast::ClassSetItem::Bracketed(_) => return Err(r"a [ within brackets is written \["),
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), Self::Err> {
        Err("RE2 has no && -- ~~ within brackets")
    }
}

/// Of the expression's text.
const LONGEST: usize = 4096;
/// Of the compiled program, in bytes. The controller takes half of this, for the expression by itself: what it accepts is
/// not refused here for what is put around it.
const COMPILED_SIZE: usize = 2 << 20;
/// Of the cache that matching uses, for each thread.
const CACHE_SIZE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::whole("/a/[0-9]+", "/a/12", true)]
    #[case::not_a_part("/a", "/ab", false)]
    #[case::not_the_end("b", "ab", false)]
    #[case::alternatives_are_both_whole("a|b", "ab", false)]
    #[case::dot_is_no_newline("a.b", "a\nb", false)]
    #[case::newline_at_the_end("a$", "a\n", false)]
    #[case::digits_are_ascii(r"\d", "٣", false)]
    #[case::words_are_ascii(r"\w+", "é", false)]
    #[case::word_in_brackets(r"[\w-]+", "a-b", true)]
    #[case::word_in_brackets_is_ascii(r"[\w-]+", "é", false)]
    #[case::no_digit_in_brackets(r"[\D]", "٣", true)]
    #[case::space_has_no_vertical_tab(r"\s", "\u{b}", false)]
    #[case::boundary_is_ascii(r"é\bx", "éx", true)]
    #[case::classes("\\pL+", "éa", true)]
    #[case::case_flag("(?i)/A", "/a", true)]
    #[case::dot_is_a_character("a.b", "aéb", true)]
    #[case::empty("", "", true)]
    #[case::comment("(?x)a # one\n b # two", "ab", true)]
    #[case::posix("[[:alpha:]]+", "ab", true)]
    fn matches_as_re2(#[case] text: &str, #[case] value: &str, #[case] expected: bool) {
        let regex = pattern(text, Extent::Whole, false).unwrap();
        assert_eq!(regex.is_match(value.as_bytes()), expected);
    }

    #[rstest]
    #[case::closes_ours("a)(?:b")]
    #[case::unclosed("(a")]
    #[case::back_reference(r"(a)\1")]
    #[case::look_ahead("(?=a)")]
    #[case::set_in_set("[a[b]]")]
    #[case::intersection("[a-z&&b]")]
    #[case::angle(r"\<a")]
    #[case::too_big("((((a{100}){100}){100}){100})")]
    #[case::too_long(&"a".repeat(5000))]
    fn is_refused(#[case] text: &str) {
        let error = pattern(text, Extent::Whole, false).unwrap_err();
        assert!(matches!(error.reason, Reason::Pattern(_)), "{error}");
    }
}
