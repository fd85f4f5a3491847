//! `exportTo`: for whose clients a resource speaks.

use std::collections::BTreeSet;

use weir_resources::Meta;

use crate::problem::{Effect, Problems, Reason, quoted};

/// `exportTo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExportTo {
    All,
    /// `.` is the resource's own namespace. Empty: nobody (`~`).
    Namespaces(BTreeSet<String>),
}

/// The clients for whom a VirtualService decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Audience {
    All,
    Namespaces(BTreeSet<String>),
}

impl ExportTo {
    pub(crate) fn read(values: &[String], meta: &Meta, problems: &mut Problems) -> Self {
        if values.is_empty() || values.iter().any(|value| value == "*") {
            return Self::All;
        }
        let mut namespaces = BTreeSet::new();
        for (i, value) in values.iter().enumerate() {
            match value.as_str() {
                "." => drop(namespaces.insert(meta.namespace.to_string())),
                "~" => {}
                name if is_namespace(name) => drop(namespaces.insert(name.to_owned())),
                other => problems.add(
                    format!("spec.exportTo[{i}]"),
                    Reason::Invalid,
                    Effect::Refused,
                    format!("{} is not a namespace, \".\", \"*\" or \"~\"", quoted(other)),
                ),
            }
        }
        Self::Namespaces(namespaces)
    }

    pub(crate) fn reaches(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Namespaces(names) => names.contains(namespace),
        }
    }

    /// Namespaces that are named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let names = match self {
            Self::All => None,
            Self::Namespaces(names) => Some(names),
        };
        names.into_iter().flatten().map(String::as_str)
    }

    /// The producers of a service speak for everybody, anybody else for the clients of his own namespace.
    pub(crate) fn audience(&self, own: &str, producers: &[&str]) -> Audience {
        match (producers.contains(&own), self) {
            (true, Self::All) => Audience::All,
            (true, Self::Namespaces(names)) => Audience::Namespaces(names.clone()),
            (false, export_to) => Audience::Namespaces(
                Some(own.to_owned()).into_iter().filter(|own| export_to.reaches(own)).collect(),
            ),
        }
    }
}

fn is_namespace(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
