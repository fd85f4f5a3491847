//! A template's text, cut into what is copied and what is done.

use super::TemplateError;

/// A piece of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// What stands between the braces, with the line that it begins on.
    Action(usize, Vec<Token>),
}

/// A word of an action.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name such as `if` or `toYaml`.
    Word(String),
    /// `.a.b`; `.` alone is empty.
    Field(Vec<String>),
    /// `$a.b`; `$` alone is the variable without a name.
    Variable(String, Vec<String>),
    Text(String),
    Number(i64),
    Bool(bool),
    Open,
    Close,
    Pipe,
    Comma,
    /// `:=`
    Declare,
}

/// Cuts a template. Blanks beside `{{-` and `-}}` go.
pub(super) fn pieces(name: &str, text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let (mut rest, mut line, mut trim) = (text, 1, false);
    while let Some((before, after)) = rest.split_once("{{") {
        let fail = |line: usize, why: &str| TemplateError::new(name, line, why);
        let begins = line + before.matches('\n').count();
        let (inside, next) =
            after.split_once("}}").ok_or_else(|| fail(begins, "an action without its end"))?;
        let trims_before = inside.starts_with("- ") || inside.starts_with("-\n") || inside.starts_with("-/*");
        let trims_after = inside.ends_with(" -") || inside.ends_with("*/-");
        let mut copied = if trim { before.trim_start() } else { before };
        if trims_before {
            copied = copied.trim_end();
        }
        if !copied.is_empty() {
            pieces.push(Piece::Text(copied.to_owned()));
        }
        let inside = if trims_before { &inside[1..] } else { inside };
        let inside = if trims_after { &inside[..inside.len() - 1] } else { inside };
        if !inside.trim_start().starts_with("/*") {
            pieces.push(Piece::Action(begins, tokens(inside).map_err(|why| fail(begins, &why))?));
        }
        line = begins + after[..after.len() - next.len()].matches('\n').count();
        (rest, trim) = (next, trims_after);
    }
    let last = if trim { rest.trim_start() } else { rest };
    if !last.is_empty() {
        pieces.push(Piece::Text(last.to_owned()));
    }
    Ok(pieces)
}

fn tokens(action: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '|' => (Token::Pipe, 1),
            ',' => (Token::Comma, 1),
            ':' if rest.starts_with(":=") => (Token::Declare, 2),
            '"' => text(rest)?,
            '.' => {
                let length = word(&rest[1..]) + 1;
                (Token::Field(path(&rest[1..length])), length)
            }
            '$' => {
                let length = word(&rest[1..]) + 1;
                let (name, fields) = rest[1..length].split_once('.').unwrap_or((&rest[1..length], ""));
                (Token::Variable(name.to_owned(), path(fields)), length)
            }
            c if c.is_ascii_digit() || c == '-' => {
                let length = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
                let number =
                    rest[..length].parse().map_err(|_| format!("{:?} is no number", &rest[..length]))?;
                (Token::Number(number), length)
            }
            c if c.is_alphabetic() => {
                let length = word(rest);
                (name(&rest[..length]), length)
            }
            c => return Err(format!("{c:?} is nothing that this renderer knows")),
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn name(word: &str) -> Token {
    match word {
        "true" => Token::Bool(true),
        "false" => Token::Bool(false),
        word => Token::Word(word.to_owned()),
    }
}

/// Length of the name, with its fields.
fn word(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(text.len())
}

fn path(fields: &str) -> Vec<String> {
    fields.split('.').filter(|field| !field.is_empty()).map(str::to_owned).collect()
}

/// A text in double quotes, and its length with them.
fn text(rest: &str) -> Result<(Token, usize), String> {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => {
                let text = serde_json::from_str(&rest[..=at]);
                let text = text.map_err(|_| format!("{} is no text", &rest[..=at]))?;
                return Ok((Token::Text(text), at + 1));
            }
            _ => {}
        }
    }
    Err("a text without its end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexed(text: &str) -> Vec<Piece> {
        pieces("x", text).unwrap()
    }

    #[test]
    fn blanks_beside_a_dash_go() {
        let field = |line| Piece::Action(line, vec![Token::Field(vec!["a".into()])]);
        let copied = |text: &str| Piece::Text(text.into());
        assert_eq!(lexed("x \n{{- .a }} y"), [copied("x"), field(2), copied(" y")]);
        assert_eq!(lexed("x {{ .a -}}\n\n y"), [copied("x "), field(1), copied("y")]);
        assert_eq!(lexed("x {{- /* a\nremark */ -}} y{{ .a }}"), [copied("x"), copied("y"), field(2)]);
    }

    #[test]
    fn words() {
        let Piece::Action(_, tokens) = &lexed(r#"{{ $x := .a.b | f "q\"" -3 (true) }}"#)[0] else { panic!() };
        let expected = [
            Token::Variable("x".into(), vec![]),
            Token::Declare,
            Token::Field(vec!["a".into(), "b".into()]),
            Token::Pipe,
            Token::Word("f".into()),
            Token::Text("q\"".into()),
            Token::Number(-3),
            Token::Open,
            Token::Bool(true),
            Token::Close,
        ];
        assert_eq!(tokens[..], expected);
    }

    #[test]
    fn what_is_cut_off_is_said_with_its_line() {
        assert_eq!(
            pieces("t", "a\n{{ .a").unwrap_err().to_string(),
            "chart, t, line 2: an action without its end"
        );
        assert_eq!(
            pieces("t", "{{ \"a }}").unwrap_err().to_string(),
            "chart, t, line 1: a text without its end"
        );
    }
}
