//! A tree and values to text.

use serde_json::Value;

use super::functions::{self, is_true};
use super::lex::Token;
use super::parse::{Body, Command, Node, Operand, Pipeline};
use super::{TemplateError, Templates};

/// A template at work.
pub(super) struct Evaluation<'a> {
    pub(super) templates: &'a Templates,
    /// In which file, for errors.
    pub(super) name: &'a str,
    pub(super) root: &'a Value,
    /// Names of what was declared, the newest last.
    variables: Vec<(String, Value)>,
    depth: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(templates: &'a Templates, name: &'a str, root: &'a Value) -> Self {
        Self { templates, name, root, variables: Vec::new(), depth: 0 }
    }

    /// Writes what a body says with this dot.
    pub(super) fn body(
        &mut self,
        body: &'a Body,
        dot: &Value,
        out: &mut String,
    ) -> Result<(), TemplateError> {
        let visible = self.variables.len();
        for node in body {
            self.node(node, dot, out)?;
        }
        self.variables.truncate(visible);
        Ok(())
    }

    fn node(&mut self, node: &'a Node, dot: &Value, out: &mut String) -> Result<(), TemplateError> {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Output(line, pipeline) => {
                let value = self.pipeline(*line, pipeline, dot)?;
                out.push_str(&functions::text(&value));
            }
            Node::Declare(line, name, pipeline) => {
                let value = self.pipeline(*line, pipeline, dot)?;
                self.variables.push((name.clone(), value));
            }
            Node::If(line, branches) => {
                for (condition, body) in branches {
                    let holds = match condition {
                        None => true,
                        Some(condition) => is_true(&self.pipeline(*line, condition, dot)?),
                    };
                    if holds {
                        return self.body(body, dot, out);
                    }
                }
            }
            Node::With(line, pipeline, then, otherwise) => {
                let value = self.pipeline(*line, pipeline, dot)?;
                let (body, dot) = if is_true(&value) { (then, &value) } else { (otherwise, dot) };
                self.body(body, dot, out)?;
            }
            Node::Range(line, names, pipeline, each, otherwise) => {
                let items =
                    items(self.pipeline(*line, pipeline, dot)?).map_err(|why| self.fail(*line, &why))?;
                if items.is_empty() {
                    return self.body(otherwise, dot, out);
                }
                for (key, item) in items {
                    let visible = self.variables.len();
                    let mut values = vec![item.clone()];
                    if names.len() == 2 {
                        values.insert(0, key);
                    }
                    self.variables.extend(names.iter().cloned().zip(values));
                    self.body(each, &item, out)?;
                    self.variables.truncate(visible);
                }
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, line: usize, pipeline: &'a Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut piped = None;
        for command in pipeline {
            piped = Some(self.command(line, command, piped, dot)?);
        }
        Ok(piped.unwrap_or_default())
    }

    fn command(
        &mut self,
        line: usize,
        command: &'a Command,
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value, TemplateError> {
        let Some((first, arguments)) = command.split_first() else { return Ok(Value::Null) };
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.operand(line, argument, dot)?);
        }
        values.extend(piped);
        match first {
            Operand::Token(Token::Word(name)) if name == "include" => self.include(line, values),
            Operand::Token(Token::Word(name)) => {
                functions::call(name, values).map_err(|why| self.fail(line, &format!("{name}: {why}")))
            }
            Operand::Token(Token::Field(path)) if !values.is_empty() => self.method(line, path, &values),
            first if values.is_empty() => self.operand(line, first, dot),
            _ => Err(self.fail(line, "a value takes no arguments")),
        }
    }

    fn operand(&mut self, line: usize, operand: &'a Operand, dot: &Value) -> Result<Value, TemplateError> {
        match operand {
            Operand::Inner(pipeline) => self.pipeline(line, pipeline, dot),
            Operand::Token(Token::Field(path)) => self.field(line, dot, path),
            Operand::Token(Token::Variable(name, path)) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let value = match found {
                    Some((_, value)) => value.clone(),
                    None if name.is_empty() => self.root.clone(),
                    None => return Err(self.fail(line, &format!("${name} was not declared"))),
                };
                self.field(line, &value, path)
            }
            Operand::Token(Token::Text(text)) => Ok(text.as_str().into()),
            Operand::Token(Token::Number(number)) => Ok((*number).into()),
            Operand::Token(Token::Bool(value)) => Ok((*value).into()),
            Operand::Token(token) => Err(self.fail(line, &format!("{token:?} where a value is wanted"))),
        }
    }

    fn field(&self, line: usize, of: &Value, path: &[String]) -> Result<Value, TemplateError> {
        let mut value = of;
        for (at, field) in path.iter().enumerate() {
            if value.is_null() && at > 0 {
                return Err(self.fail(line, &format!(".{}: there is no {}", path.join("."), path[at - 1])));
            }
            value = value.get(field).unwrap_or(&Value::Null);
        }
        Ok(value.clone())
    }

    /// What Helm's objects can be asked.
    fn method(&self, line: usize, path: &[String], values: &[Value]) -> Result<Value, TemplateError> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match (path.as_slice(), values) {
            (["Files", "Get"], [Value::String(name)]) => match self.templates.files.get(name.as_str()) {
                Some(text) => Ok((*text).into()),
                None => Err(self.fail(line, &format!("the chart has no file {name}"))),
            },
            (["Capabilities", "APIVersions", "Has"], [wanted]) => {
                let known = self.root["Capabilities"]["APIVersions"].as_array();
                Ok(known.is_some_and(|known| known.contains(wanted)).into())
            }
            _ => Err(self.fail(line, &format!(".{} cannot be asked", path.join(".")))),
        }
    }

    fn include(&mut self, line: usize, mut values: Vec<Value>) -> Result<Value, TemplateError> {
        let (Some(dot), Some(Value::String(name))) = (values.pop(), values.pop()) else {
            return Err(self.fail(line, "include wants a name and a value"));
        };
        let templates = self.templates;
        let Some((file, body)) = templates.defined.get(&name) else {
            return Err(self.fail(line, &format!("nothing is defined as {name}")));
        };
        if self.depth == DEEPEST {
            return Err(self.fail(line, "templates include one another without end"));
        }
        let mut inner = Evaluation::new(templates, file, self.root);
        inner.depth = self.depth + 1;
        let mut out = String::new();
        inner.body(body, &dot, &mut out)?;
        Ok(out.into())
    }

    fn fail(&self, line: usize, why: &str) -> TemplateError {
        TemplateError::new(self.name, line, why)
    }
}

/// Keys and values of what is gone through, in order.
fn items(value: Value) -> Result<Vec<(Value, Value)>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            Ok(items.into_iter().enumerate().map(|(at, item)| (at.into(), item)).collect())
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ok(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
        }
        other => Err(format!("{other} has no items")),
    }
}

const DEEPEST: usize = 32;
