//! What a runtime is told when something cannot be done: numbers of the CNI specification (1.1, "Error").

use serde_json::{Value, json};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CniError {
    /// The configuration is of a version that nobody here knows.
    #[error("CNI version {0:?} is not supported")]
    Version(String),
    /// The environment is not what the specification says.
    #[error("{name}: {reason}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Stdin could not be read.
    #[error("the configuration cannot be read from stdin: {0}")]
    Io(#[from] std::io::Error),
    /// Stdin is no configuration.
    #[error("the configuration on stdin is not one: {0}")]
    Decode(String),
    /// The configuration is one, and cannot be used.
    #[error("{0}")]
    Config(String),
    /// The agent is not there, or cannot say yet what is wanted.
    #[error("{0}")]
    TryAgain(String),
    /// The agent can take no calls (STATUS).
    #[error("{0}")]
    NotAvailable(String),
    /// The agent refuses the pod.
    #[error("{0}")]
    Refused(String),
}

impl CniError {
    /// The number.
    pub fn code(&self) -> u16 {
        match self {
            Self::Version(_) => 1,
            Self::Environment { .. } => 4,
            Self::Io(_) => 5,
            Self::Decode(_) => 6,
            Self::Config(_) => 7,
            Self::TryAgain(_) => 11,
            Self::NotAvailable(_) => 50,
            Self::Refused(_) => 100,
        }
    }

    /// What goes to stdout.
    pub(crate) fn body(&self, version: &str) -> Value {
        let short = match self {
            Self::Version(_) => "incompatible CNI version",
            Self::Environment { .. } => "invalid environment variable",
            Self::Io(_) => "I/O failure",
            Self::Decode(_) => "failed to decode content",
            Self::Config(_) => "invalid network config",
            Self::TryAgain(_) => "try again later",
            Self::NotAvailable(_) => "plugin not available",
            Self::Refused(_) => "the pod cannot be captured",
        };
        json!({"cniVersion": version, "code": self.code(), "msg": format!("weir-cni: {short}"), "details": self.to_string()})
    }
}
