//! The chart in deploy/chart/weir, which is in this binary: values in, objects out.
//!
//! It is the one source of what is installed. Helm renders it, and so does this; a test holds that both say the same.

mod schema;
mod set;
mod template;
mod values;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use template::TemplateError;
pub use values::{Profile, Values, ValuesError};

use template::Templates;

/// What the chart is rendered for.
#[derive(Debug, Clone)]
pub struct Release {
    /// Its name, as Helm has it.
    pub name: String,
    /// The namespace that it is in: the mesh's own.
    pub namespace: String,
    /// What the cluster serves, as `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
}

/// An object of the chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The template that it is from.
    pub template: String,
    /// The object.
    pub object: Value,
}

/// Why there are no objects.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A template refused.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What a template says is no YAML; a value with a line break may do that.
    #[error("chart, {template}: with these values it says what is no YAML: {problem}")]
    Yaml {
        /// Which one.
        template: String,
        /// What is wrong.
        problem: weir_resources::YamlProblem,
    },
}

impl Release {
    /// A release of the usual name, for a cluster of which nothing is known.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self { name: "weir".into(), namespace: namespace.into(), api_versions: Vec::new() }
    }
}

/// The objects of a release with these values, in the order in which they are to be made.
///
/// # Errors
/// A value that a template cannot do with.
pub fn render(values: &Values, release: &Release) -> Result<Vec<Manifest>, ChartError> {
    let is_template = |name: &str| name.starts_with("templates/");
    let files = FILES.iter().copied().filter(|(name, _)| !is_template(name)).collect::<BTreeMap<_, _>>();
    let templates = Templates::read(FILES.iter().copied().filter(|(name, _)| is_template(name)), files)?;
    let mut manifests = Vec::new();
    for (template, text) in templates.render(&root(values, release))? {
        for document in weir_resources::documents(&text) {
            let (_, object) =
                document.map_err(|problem| ChartError::Yaml { template: template.to_owned(), problem })?;
            manifests.push(Manifest { template: template.to_owned(), object });
        }
    }
    manifests.sort_by_key(|manifest| rank(manifest.object["kind"].as_str().unwrap_or_default()));
    Ok(manifests)
}

/// The version that this binary has, and installs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file of the chart.
fn file(name: &str) -> &'static str {
    FILES.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text)
}

fn root(values: &Values, release: &Release) -> Value {
    json!({
        "Values": values.as_json(),
        "Release": {"Name": release.name, "Namespace": release.namespace, "Service": "Helm"},
        "Chart": {"Name": "weir", "Version": VERSION, "AppVersion": VERSION},
        "Capabilities": {"APIVersions": release.api_versions},
    })
}

/// What others are made in, or by, is made before them.
fn rank(kind: &str) -> usize {
    ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len())
}

const ORDER: &[&str] = &[
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Deployment",
    "DaemonSet",
];

/// Every file of the chart, by its path in it.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/chart.rs"));

#[cfg(test)]
mod tests;
