//! Why a mesh file is not taken, said so that the line can be found.

use std::fmt;
use std::path::PathBuf;

/// A mesh file that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the mesh file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It was read and is wrong somewhere, so nothing of it is used.
    #[error("the mesh file is refused as a whole: {}", Listed(path, problems))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of the file; at least one.
        problems: Vec<Problem>,
    },
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line, from 1; 0 if it is not known.
    pub line: u64,
    /// Column, from 1; 0 if it is not known.
    pub column: u64,
    /// Path of the field, as in `workloads[2].addresses[0]`; empty for the file as such.
    pub field: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

/// `file:line:column: field: message`, the form that editors make a link of, on one line of a log.
struct Listed<'a>(&'a PathBuf, &'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.1.len().min(SHOWN);
        for (place, problem) in self.1[..shown].iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{}:{problem}", self.0.display())?;
        }
        if self.1.len() > shown {
            write!(f, "; and {} more", self.1.len() - shown)?;
        }
        Ok(())
    }
}

/// A file of another kind has a problem on every line; the first few tell.
const SHOWN: usize = 20;
