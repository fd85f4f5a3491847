//! Whether peers must prove who they are.

use serde_json::Value;

use super::finding::{Findings, Severity};
use super::path::Path;
use super::read::{self, Unknown, quoted};

/// What it asks of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// What the next level says.
    Unset,
    /// Nothing. (`DISABLE`, too: a node proxy cannot take what peers encrypted as anything else.)
    Permissive,
    /// That the peer proves who it is.
    Strict,
}

impl Mode {
    /// `{mode: ..}`, at `mtls` or at a port.
    pub(super) fn read(value: &Value, path: &Path<'_>, findings: &mut Findings) -> Self {
        let Ok(fields) = read::object(value, path, findings) else { return Self::Strict };
        let mut mode = Self::Unset;
        for (name, value) in fields {
            let at = path.field(name);
            mode = match name.as_str() {
                "mode" => mode.stricter(Self::named(value, &at, findings)),
                _ => {
                    read::unknown_field(&at, findings);
                    Self::Strict
                }
            };
        }
        mode
    }

    fn named(value: &Value, path: &Path<'_>, findings: &mut Findings) -> Self {
        match read::text(value, path, findings) {
            Ok("UNSET") => Self::Unset,
            Ok("DISABLE" | "PERMISSIVE") => Self::Permissive,
            Ok("STRICT") => Self::Strict,
            Ok(other) => {
                let message = format!("{} is none of UNSET, DISABLE, PERMISSIVE and STRICT", quoted(other));
                findings.add(Severity::Invalid, path, message);
                Self::Strict
            }
            Err(Unknown) => Self::Strict,
        }
    }

    /// This mode, or the inherited if it says nothing.
    pub(super) fn or(self, inherited: Self) -> Self {
        if self == Self::Unset { inherited } else { self }
    }

    /// The one that asks for more.
    pub(super) fn stricter(self, other: Self) -> Self {
        match (self, other) {
            (Self::Strict, _) | (_, Self::Strict) => Self::Strict,
            (Self::Permissive, _) | (_, Self::Permissive) => Self::Permissive,
            _ => Self::Unset,
        }
    }
}
