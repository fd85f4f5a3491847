//! Values: the chart's own, a profile's, files', and single ones, each over what was before.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{file, schema, set};

/// Values that the chart's schema accepts.
#[derive(Debug, Clone, PartialEq)]
pub struct Values(Value);

/// A named file of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    text: &'static str,
}

/// What is wrong with values.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// Nothing is called so.
    #[error("there is no profile {name:?}; there are {}", names())]
    Profile {
        /// The name.
        name: String,
    },
    /// A file of values cannot be read.
    #[error("cannot read the values in {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file of values is no YAML object.
    #[error("the values in {}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `--set` cannot be read.
    #[error("--set {text}: {why}")]
    Set {
        /// What was given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// The chart does not know them so.
    #[error("values that the chart does not take:{}", list(.0))]
    Schema(Vec<String>),
}

impl Values {
    /// The chart's values with these over them: a profile's, then files' (`-` is standard input), then single ones.
    ///
    /// A `--set profile=NAME` chooses the profile, as with Istio.
    ///
    /// # Errors
    /// All that the chart does not take.
    pub fn build(profile: Option<&str>, files: &[PathBuf], sets: &[String]) -> Result<Self, ValuesError> {
        let mut given = Value::Object(serde_json::Map::new());
        for path in files {
            merge(&mut given, read(path)?);
        }
        for text in sets {
            set::apply(&mut given, text).map_err(|why| ValuesError::Set { text: text.clone(), why })?;
        }
        let named = given.as_object_mut().and_then(|given| given.remove("profile"));
        let named = named.as_ref().and_then(Value::as_str).or(profile).unwrap_or("default");
        let mut values = parse(file("values.yaml"));
        merge(&mut values, parse(Profile::find(named)?.text));
        merge(&mut values, given);
        Self::checked(values)
    }

    /// Values that were kept, with files and single ones over them.
    ///
    /// # Errors
    /// All that the chart does not take.
    pub fn over(kept: Value, files: &[PathBuf], sets: &[String]) -> Result<Self, ValuesError> {
        // What this version has and the last one had not.
        let mut values = parse(file("values.yaml"));
        merge(&mut values, kept);
        for path in files {
            merge(&mut values, read(path)?);
        }
        for text in sets {
            set::apply(&mut values, text).map_err(|why| ValuesError::Set { text: text.clone(), why })?;
        }
        Self::checked(values)
    }

    /// Values that were built before, as they were kept.
    ///
    /// # Errors
    /// All that the chart does not take (any more).
    pub fn checked(values: Value) -> Result<Self, ValuesError> {
        let problems = schema::check(&values, &parse(file("values.schema.json")));
        if problems.is_empty() { Ok(Self(values)) } else { Err(ValuesError::Schema(problems)) }
    }

    /// With one of them another.
    ///
    /// # Errors
    /// The chart does not take it.
    pub fn with(mut self, text: &str) -> Result<Self, ValuesError> {
        set::apply(&mut self.0, text).map_err(|why| ValuesError::Set { text: text.to_owned(), why })?;
        Self::checked(self.0)
    }

    /// All of them.
    #[must_use]
    pub fn as_json(&self) -> &Value {
        &self.0
    }

    /// Whether a switch is on, by its path with slashes.
    #[must_use]
    pub fn is_on(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
    }
}

impl Profile {
    /// All, by name.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let files = super::FILES.iter().filter_map(|(path, text)| {
            let name = path.strip_prefix("profiles/")?.strip_suffix(".yaml")?;
            let about = text.lines().next().unwrap_or_default().trim_start_matches("# ");
            Some(Self { name, about, text })
        });
        files.collect()
    }

    fn find(name: &str) -> Result<Self, ValuesError> {
        let found = Self::all().into_iter().find(|profile| profile.name == name);
        found.ok_or_else(|| ValuesError::Profile { name: name.to_owned() })
    }
}

/// `over` wins; a null takes away what is there.
pub(super) fn merge(values: &mut Value, over: Value) {
    match (values, over) {
        (Value::Object(into), Value::Object(fields)) => {
            for (name, value) in fields {
                if value.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (into, over) => *into = over,
    }
}

fn read(path: &Path) -> Result<Value, ValuesError> {
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        _ => std::fs::read_to_string(path),
    };
    let text = text.map_err(|source| ValuesError::Read { path: path.to_owned(), source })?;
    let wrong = |why: String| ValuesError::File { path: path.to_owned(), why };
    let mut documents = weir_resources::documents(&text);
    let values = match documents.next() {
        None => Value::Object(serde_json::Map::new()),
        Some(document) => document.map_err(|problem| wrong(problem.to_string()))?.1,
    };
    if documents.next().is_some() {
        return Err(wrong("is more than one document".into()));
    }
    if values
        .get("apiVersion")
        .is_some_and(|version| version.as_str().unwrap_or_default().starts_with("install.istio.io/"))
    {
        return Err(wrong(
            "is an IstioOperator: Weir has values of its own; `weir profile dump default` prints them all"
                .into(),
        ));
    }
    Ok(values)
}

/// A file of the chart; tests hold that each is YAML.
fn parse(text: &str) -> Value {
    let document = weir_resources::documents(text).next().and_then(Result::ok);
    document.map_or_else(|| Value::Object(serde_json::Map::new()), |(_, value)| value)
}

fn names() -> String {
    Profile::all().iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ")
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}
