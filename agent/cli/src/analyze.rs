//! Finds what is wrong with a configuration before, or while, it is in force.
//!
//! Two sources: what the controller itself would answer in the objects' statuses - its own index is asked, so that the words are the
//! same -, and checks of references between objects, which no single object shows.

mod checks;
mod code;
mod finding;
mod told;
mod world;

use weir_index::Config;

pub use code::{CODES, Code};
pub use finding::{Finding, Severity};

use crate::mesh::{Mesh, MeshError};
use crate::objects::Objects;
use world::World;

/// All that is found, the worst first.
///
/// # Errors
/// The objects cannot be handed to the index.
pub async fn analyze(objects: &Objects, config: Config, is_cluster: bool) -> Result<Vec<Finding>, MeshError> {
    let mesh = match is_cluster {
        true => Mesh::of_cluster(objects, config.clone()),
        false => Mesh::of_files(objects, config.clone()).await?,
    };
    let world = World::new(objects, &config);
    let mut findings = told::broken(objects);
    findings.extend(told::invalid(objects));
    findings.extend(told::told(objects, &mesh.changes.statuses));
    findings.extend(checks::all(&world));
    findings.retain(|finding| !is_suppressed(objects, finding));
    findings.sort_by(|a, b| {
        (a.severity, a.code, &a.object, &a.message).cmp(&(b.severity, b.code, &b.object, &b.message))
    });
    findings.dedup_by(|a, b| a.object == b.object && a.message == b.message);
    Ok(findings)
}

/// An object may say which codes it does not want to hear of, by the annotation that Istio has for it.
fn is_suppressed(objects: &Objects, finding: &Finding) -> bool {
    let Some(object) = &finding.object else { return false };
    let mut items = objects.items.iter().filter(|item| item.reference() == *object);
    items.any(|item| {
        let codes = item.meta("annotations", "galley.istio.io/analyze-suppress").unwrap_or_default();
        codes.split(',').any(|code| code.trim() == "*" || code.trim() == finding.code)
    })
}

#[cfg(test)]
mod tests;
