//! What is said about a file.

use std::fmt;
use std::path::PathBuf;

/// Something in a file that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) file: PathBuf,
    /// Line and column.
    pub(super) place: Option<(usize, usize)>,
    pub(super) message: String,
    pub(super) severity: Severity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Something that was meant is not in force.
    Error,
    /// Probably as meant.
    Note,
}

impl Report {
    pub(super) fn log(&self) {
        match self.severity {
            Severity::Error => tracing::error!("{self}"),
            Severity::Note => tracing::info!("{self}"),
        }
    }
}

impl fmt::Display for Report {
    /// `/mesh/a.yaml:3:5: ...`, as editors find it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}
