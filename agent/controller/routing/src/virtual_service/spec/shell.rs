//! What a rule does beside that.

use serde::Deserialize;

use super::Destination;
use crate::part::{Part, Unknown};
use crate::value::{IstioDuration, Percent, StringMatch, Token};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Retries {
    pub(crate) attempts: Part<i32>,
    #[serde(alias = "per_try_timeout")]
    pub(crate) per_try_timeout: Part<IstioDuration>,
    #[serde(alias = "retry_on")]
    pub(crate) retry_on: Part<String>,
    #[serde(alias = "retry_remote_localities")]
    pub(crate) retry_remote_localities: Part<bool>,
    #[serde(alias = "retry_ignore_previous_hosts")]
    pub(crate) retry_ignore_previous_hosts: Part<bool>,
    pub(crate) backoff: Part<IstioDuration>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Fault {
    pub(crate) delay: Part<Delay>,
    pub(crate) abort: Part<Abort>,
    #[serde(flatten)]
    pub(crate) unknown: Unknown,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Delay {
    /// Deprecated.
    pub(crate) percent: Option<Percent>,
    pub(crate) percentage: Option<Percentage>,
    #[serde(alias = "fixed_delay")]
    pub(crate) fixed_delay: Option<IstioDuration>,
    #[serde(alias = "exponential_delay")]
    pub(crate) exponential_delay: Option<IstioDuration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Abort {
    /// Of 2018.
    pub(crate) percent: Option<Percent>,
    pub(crate) percentage: Option<Percentage>,
    #[serde(alias = "http_status")]
    pub(crate) http_status: Option<u32>,
    #[serde(alias = "grpc_status")]
    pub(crate) grpc_status: Option<String>,
    #[serde(alias = "http2_error")]
    pub(crate) http2_error: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Percentage {
    pub(crate) value: Percent,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mirror {
    pub(crate) destination: Destination,
    pub(crate) percentage: Option<Percentage>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CorsPolicy {
    /// Deprecated.
    #[serde(alias = "allow_origin")]
    pub(crate) allow_origin: Vec<String>,
    #[serde(alias = "allow_origins")]
    pub(crate) allow_origins: Vec<StringMatch>,
    #[serde(alias = "allow_methods")]
    pub(crate) allow_methods: Vec<Token>,
    #[serde(alias = "allow_headers")]
    pub(crate) allow_headers: Vec<Token>,
    #[serde(alias = "expose_headers")]
    pub(crate) expose_headers: Vec<Token>,
    #[serde(alias = "max_age")]
    pub(crate) max_age: Option<IstioDuration>,
    #[serde(alias = "allow_credentials")]
    pub(crate) allow_credentials: bool,
    #[serde(alias = "unmatched_preflights")]
    pub(crate) unmatched_preflights: UnmatchedPreflights,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum UnmatchedPreflights {
    #[default]
    Unspecified,
    Forward,
    Ignore,
}
