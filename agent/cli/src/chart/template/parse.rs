//! Pieces to a tree.

use std::collections::BTreeMap;

use super::TemplateError;
use super::lex::{Piece, Token};

/// What a template does, one after the other.
pub(super) type Body = Vec<Node>;

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// What comes of it is written.
    Output(usize, Pipeline),
    /// `$x := ...`
    Declare(usize, String, Pipeline),
    /// The first branch whose condition holds; the last may have none.
    If(usize, Vec<(Option<Pipeline>, Body)>),
    /// With what comes of it as the dot, if there is something.
    With(usize, Pipeline, Body, Body),
    /// Once for each item, with the names for its key and value.
    Range(usize, Vec<String>, Pipeline, Body, Body),
}

/// Commands, each of which gets what comes of the one before as its last argument.
pub(super) type Pipeline = Vec<Command>;

/// A function and its arguments, or a value alone.
pub(super) type Command = Vec<Operand>;

#[derive(Debug)]
pub(super) enum Operand {
    Token(Token),
    Inner(Pipeline),
}

/// The body of a template, and those that it defines by name.
pub(super) fn parse(name: &str, pieces: Vec<Piece>) -> Result<(Body, BTreeMap<String, Body>), TemplateError> {
    let mut parser = Parser { name, pieces: pieces.into_iter(), defined: BTreeMap::new() };
    let (body, end) = parser.body()?;
    match end {
        End::Text => Ok((body, parser.defined)),
        End::Word(line, ..) => Err(TemplateError::new(name, line, "an end of nothing")),
    }
}

struct Parser<'a> {
    name: &'a str,
    pieces: std::vec::IntoIter<Piece>,
    defined: BTreeMap<String, Body>,
}

/// Why a body ended.
enum End {
    Text,
    /// By `end` or `else`, with what follows the latter.
    Word(usize, bool, Vec<Token>),
}

impl Parser<'_> {
    fn body(&mut self) -> Result<(Body, End), TemplateError> {
        let mut body = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (line, tokens) = match piece {
                Piece::Text(text) => {
                    body.push(Node::Text(text));
                    continue;
                }
                Piece::Action(line, tokens) => (line, tokens),
            };
            let keyword = match tokens.first() {
                Some(Token::Word(word)) => word.as_str(),
                _ => "",
            };
            match keyword {
                "end" => return Ok((body, End::Word(line, false, Vec::new()))),
                "else" => return Ok((body, End::Word(line, true, tokens[1..].to_vec()))),
                "if" => body.push(self.branches(line, &tokens[1..])?),
                "with" => {
                    let pipeline = self.pipeline(line, &tokens[1..])?;
                    let (then, otherwise) = self.two_bodies(line)?;
                    body.push(Node::With(line, pipeline, then, otherwise));
                }
                "range" => {
                    let (names, rest) = range_names(&tokens[1..]);
                    let pipeline = self.pipeline(line, rest)?;
                    let (each, otherwise) = self.two_bodies(line)?;
                    body.push(Node::Range(line, names, pipeline, each, otherwise));
                }
                "define" => {
                    let Some(Token::Text(name)) = tokens.get(1) else {
                        return Err(self.fail(line, "define wants a name in quotes"));
                    };
                    let (defined, _) = self.two_bodies(line)?;
                    self.defined.insert(name.clone(), defined);
                }
                _ => body.push(self.plain(line, &tokens)?),
            }
        }
        Ok((body, End::Text))
    }

    fn plain(&self, line: usize, tokens: &[Token]) -> Result<Node, TemplateError> {
        Ok(match tokens {
            [Token::Variable(name, fields), Token::Declare, rest @ ..] if fields.is_empty() => {
                Node::Declare(line, name.clone(), self.pipeline(line, rest)?)
            }
            tokens => Node::Output(line, self.pipeline(line, tokens)?),
        })
    }

    fn branches(&mut self, line: usize, condition: &[Token]) -> Result<Node, TemplateError> {
        let mut branches = Vec::new();
        let mut condition = Some(self.pipeline(line, condition)?);
        loop {
            let (body, end) = self.body()?;
            branches.push((condition, body));
            match end {
                End::Word(_, false, _) => return Ok(Node::If(line, branches)),
                End::Word(line, true, rest) => {
                    condition = match rest.split_first() {
                        None => None,
                        Some((Token::Word(word), rest)) if word == "if" => Some(self.pipeline(line, rest)?),
                        Some(_) => return Err(self.fail(line, "after else comes if, or nothing")),
                    };
                }
                End::Text => return Err(self.fail(line, "an if without its end")),
            }
        }
    }

    fn two_bodies(&mut self, line: usize) -> Result<(Body, Body), TemplateError> {
        let (first, end) = self.body()?;
        match end {
            End::Word(_, false, _) => Ok((first, Vec::new())),
            End::Word(_, true, rest) if rest.is_empty() => match self.body()? {
                (second, End::Word(_, false, _)) => Ok((first, second)),
                _ => Err(self.fail(line, "a block without its end")),
            },
            _ => Err(self.fail(line, "a block without its end")),
        }
    }

    fn pipeline(&self, line: usize, tokens: &[Token]) -> Result<Pipeline, TemplateError> {
        let mut tokens = tokens.iter();
        let pipeline = pipeline(&mut tokens, 0).map_err(|why| self.fail(line, why))?;
        if pipeline.iter().any(Vec::is_empty) {
            return Err(self.fail(line, "nothing where a value is wanted"));
        }
        Ok(pipeline)
    }

    fn fail(&self, line: usize, why: &str) -> TemplateError {
        TemplateError::new(self.name, line, why)
    }
}

/// `$x := ` or `$i, $x := ` before what is gone through.
fn range_names(tokens: &[Token]) -> (Vec<String>, &[Token]) {
    match tokens {
        [Token::Variable(key, _), Token::Comma, Token::Variable(value, _), Token::Declare, rest @ ..] => {
            (vec![key.clone(), value.clone()], rest)
        }
        [Token::Variable(value, _), Token::Declare, rest @ ..] => (vec![value.clone()], rest),
        rest => (Vec::new(), rest),
    }
}

fn pipeline(tokens: &mut std::slice::Iter<'_, Token>, depth: usize) -> Result<Pipeline, &'static str> {
    let mut commands = vec![Vec::new()];
    while let Some(token) = tokens.next() {
        let operand = match token {
            Token::Pipe => {
                commands.push(Vec::new());
                continue;
            }
            Token::Open => Operand::Inner(pipeline(tokens, depth + 1)?),
            Token::Close if depth > 0 => return Ok(commands),
            Token::Close => return Err("a bracket closes that was not opened"),
            Token::Comma | Token::Declare => return Err("a sign where a value is wanted"),
            token => Operand::Token(token.clone()),
        };
        if let Some(command) = commands.last_mut() {
            command.push(operand);
        }
    }
    if depth > 0 { Err("a bracket is not closed") } else { Ok(commands) }
}
