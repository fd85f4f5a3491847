//! The mesh in one YAML file.
//!
//! Text becomes a [`schema::Document`] in which every value knows its place, that becomes messages (the same
//! that xDS will bring), and those become nouns by [`crate::convert`]. Whatever is wrong makes the whole file
//! refused, with all the problems that could be found at once.

use std::path::{Path, PathBuf};

use weir_model::{Service, Workload};

mod authentication;
mod error;
mod index;
mod place;
mod schema;
mod services;
mod workloads;
mod yaml;

pub use error::{FileError, Problem};
use place::Problems;

/// A mesh file that was found good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Workloads, in the order of the file.
    pub workloads: Vec<Entry>,
    /// Services, in the order of the file.
    pub services: Vec<Service>,
}

/// A workload and what only its own node has to know about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The workload.
    pub workload: Workload,
    /// Path of its network namespace on its node.
    pub netns: Option<PathBuf>,
    /// Ports that the node's own health probes may reach in plaintext.
    pub probe_ports: Vec<u16>,
}

/// Reads a mesh file.
///
/// # Errors
/// The file cannot be read, or is refused: see [`FileError`].
pub fn load_file(path: &Path) -> Result<File, FileError> {
    let cannot_read = |source| FileError::Read { path: path.to_owned(), source };
    let text = String::from_utf8(std::fs::read(path).map_err(cannot_read)?);
    let text = text
        .map_err(|_| cannot_read(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not UTF-8")))?;
    parse(path, &text)
}

/// Reads the text of a mesh file; `path` is for the messages.
///
/// # Errors
/// [`FileError::Refused`], with every problem that could be found.
pub fn parse(path: &Path, text: &str) -> Result<File, FileError> {
    let refused = |problems| FileError::Refused { path: path.to_owned(), problems };
    let document = yaml::read(text).map_err(|problem| refused(vec![problem]))?;

    let mut problems = Problems::default();
    let index = index::Index::new(&document, &mut problems);
    let mut messages = workloads::messages(&document, &mut problems);
    let services = services::messages(&document, &index, &mut messages, &mut problems);
    let mut workloads = workloads::finish(&document, messages, &mut problems);
    let services = services::finish(&document, services, &mut problems);
    authentication::resolve(&document, &index, &mut workloads, &mut problems);
    problems.into_result().map_err(refused)?;
    Ok(File {
        workloads: workloads.into_iter().flatten().collect(),
        services: services.into_iter().flatten().collect(),
    })
}

#[cfg(test)]
mod tests;
