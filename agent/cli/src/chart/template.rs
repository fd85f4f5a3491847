//! A renderer of the part of Helm's templates that the chart uses, so that `weir` needs no Helm.
//!
//! What it does not know it refuses: a chart that grows out of it fails a test instead of meaning something else. A test
//! renders every profile with Helm, too, and compares.
//!
//! Known: `if`, `else if`, `else`, `with`, `range`, `define`, `include`, variables, pipelines, and the functions of
//! [`functions`]; `.Files.Get` and `.Capabilities.APIVersions.Has` of Helm's objects.

use std::collections::BTreeMap;

use serde_json::Value;

mod eval;
mod functions;
mod lex;
mod parse;

use eval::Evaluation;
use parse::Body;

/// What is wrong with a template, or what it refused to do.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("chart, {file}, line {line}: {why}")]
pub struct TemplateError {
    file: String,
    line: usize,
    why: String,
}

impl TemplateError {
    fn new(file: &str, line: usize, why: &str) -> Self {
        Self { file: file.to_owned(), line, why: why.to_owned() }
    }
}

/// Templates that may include one another.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    bodies: BTreeMap<String, Body>,
    /// Bodies with a name, and the file that they are from.
    defined: BTreeMap<String, (String, Body)>,
    /// Files that are no templates.
    files: BTreeMap<&'static str, &'static str>,
}

impl Templates {
    /// Reads templates, by their names; `files` are those that templates may ask for.
    pub(crate) fn read<'t>(
        templates: impl IntoIterator<Item = (&'t str, &'t str)>,
        files: BTreeMap<&'static str, &'static str>,
    ) -> Result<Self, TemplateError> {
        let mut all = Self { files, ..Self::default() };
        for (name, text) in templates {
            let (body, defined) = parse::parse(name, lex::pieces(name, text)?)?;
            all.bodies.insert(name.to_owned(), body);
            all.defined.extend(defined.into_iter().map(|(key, body)| (key, (name.to_owned(), body))));
        }
        Ok(all)
    }

    /// What each template says of these values, by its name.
    pub(crate) fn render(&self, root: &Value) -> Result<Vec<(&str, String)>, TemplateError> {
        let rendered = self.bodies.iter().map(|(name, body)| {
            let mut out = String::new();
            Evaluation::new(self, name, root).body(body, root, &mut out)?;
            Ok((name.as_str(), out))
        });
        rendered.collect()
    }
}

#[cfg(test)]
mod tests;
