//! Which network namespace a pod of this node has. The control plane does not know; the node does.

use std::path::PathBuf;
use std::str::FromStr;

/// A pattern such as `/run/netns/{name}`, with `{namespace}` and `{name}` of the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsPattern(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Namespace,
    Name,
}

/// What is wrong with a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It depends on where the agent was started.
    #[error("it must be an absolute path")]
    Relative,
    /// All pods would have one namespace.
    #[error("{{name}} must be in it, or all pods would have one network namespace")]
    NoName,
    /// A word in braces that has no meaning, or a brace without its other.
    #[error("only {{namespace}} and {{name}} may stand in braces")]
    Braces,
}

impl NetnsPattern {
    /// The path for a pod; `None` if its namespace or name could lead out of the directory that was meant.
    pub fn path(&self, namespace: &str, name: &str) -> Option<PathBuf> {
        let mut path = String::new();
        for part in &self.0 {
            path.push_str(match part {
                Part::Text(text) => text,
                Part::Namespace => plain(namespace)?,
                Part::Name => plain(name)?,
            });
        }
        Some(path.into())
    }
}

impl FromStr for NetnsPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::Relative);
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').ok_or(PatternError::Braces)?;
            parts.push(Part::Text(literal(before)?));
            parts.push(match word {
                "name" => Part::Name,
                "namespace" => Part::Namespace,
                _ => return Err(PatternError::Braces),
            });
            rest = after;
        }
        parts.push(Part::Text(literal(rest)?));
        if parts.contains(&Part::Name) { Ok(Self(parts)) } else { Err(PatternError::NoName) }
    }
}

fn literal(text: &str) -> Result<String, PatternError> {
    if text.contains('}') { Err(PatternError::Braces) } else { Ok(text.to_owned()) }
}

/// The text if it is one step of a path and nothing else: it comes over the wire.
fn plain(text: &str) -> Option<&str> {
    let bad = text.is_empty() || text == "." || text == ".." || text.contains(['/', '\0']);
    (!bad).then_some(text)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::default("/run/netns/{name}", "/run/netns/web")]
    #[case::both("/x/{namespace}_{name}.ns", "/x/shop_web.ns")]
    #[case::prefix("/run/netns/c1-{name}", "/run/netns/c1-web")]
    fn is_filled_in(#[case] pattern: &str, #[case] path: &str) {
        let pattern: NetnsPattern = pattern.parse().unwrap();
        assert_eq!(pattern.path("shop", "web"), Some(path.into()));
    }

    #[rstest]
    #[case("run/{name}", PatternError::Relative)]
    #[case("", PatternError::Relative)]
    #[case("/run/netns/web", PatternError::NoName)]
    #[case("/run/{namespace}", PatternError::NoName)]
    #[case("/run/{pod}", PatternError::Braces)]
    #[case("/run/{name", PatternError::Braces)]
    #[case("/run/name}{name}", PatternError::Braces)]
    #[case("/run/{name}}", PatternError::Braces)]
    fn is_refused(#[case] pattern: &str, #[case] error: PatternError) {
        assert_eq!(pattern.parse::<NetnsPattern>(), Err(error));
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("..")]
    #[case("../../etc")]
    #[case("a/b")]
    #[case("a\0")]
    fn a_name_cannot_lead_elsewhere(#[case] name: &str) {
        let pattern: NetnsPattern = "/run/{namespace}/{name}".parse().unwrap();
        assert_eq!(pattern.path("shop", name), None);
        assert_eq!(pattern.path(name, "web"), None);
    }
}
