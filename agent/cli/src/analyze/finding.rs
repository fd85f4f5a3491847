//! What is found.

use std::path::PathBuf;

use serde::Serialize;

use super::code::CODES;
use crate::cluster::ObjectRef;
use crate::objects::Item;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that is meant is not in force.
    Error,
    /// Something may not be as it is meant.
    Warning,
    /// Good to know.
    Info,
}

/// Something that is found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its code, of [`CODES`].
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// File and line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<(PathBuf, usize)>,
    /// What is wrong, and what to look at.
    pub message: String,
}

impl Finding {
    /// About an object, as severe as its code is.
    pub(super) fn new(code: &'static str, item: &Item, message: impl Into<String>) -> Self {
        let severity =
            CODES.iter().find(|known| known.code == code).map_or(Severity::Error, |known| known.severity);
        let object = Some(item.reference());
        Self { code, severity, object, place: item.place.clone(), message: message.into() }
    }
}

impl std::fmt::Display for Finding {
    /// A line as compilers write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        if let Some((file, line)) = &self.place {
            write!(f, "{}:{line}: ", file.display())?;
        }
        write!(f, "{severity} [{}] ", self.code)?;
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        f.write_str(&self.message)
    }
}
