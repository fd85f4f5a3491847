//! What a rule does in the place of, or before, sending a request on.

use serde::Deserialize;

use crate::value::{Bytes, Port, Regex};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Redirect {
    pub(crate) uri: String,
    pub(crate) authority: String,
    pub(crate) port: Option<Port>,
    #[serde(alias = "derive_port")]
    pub(crate) derive_port: Option<DerivePort>,
    pub(crate) scheme: String,
    #[serde(alias = "redirect_code")]
    pub(crate) redirect_code: u32,
    #[serde(alias = "prefix_rewrite")]
    pub(crate) prefix_rewrite: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum DerivePort {
    FromProtocolDefault,
    FromRequestPort,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DirectResponse {
    pub(crate) status: u32,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Body {
    pub(crate) string: Option<String>,
    pub(crate) bytes: Option<Bytes>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Delegate {
    pub(crate) name: String,
    pub(crate) namespace: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rewrite {
    pub(crate) uri: String,
    pub(crate) authority: String,
    #[serde(alias = "uri_regex_rewrite")]
    pub(crate) uri_regex_rewrite: Option<RegexRewrite>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegexRewrite {
    #[serde(rename = "match")]
    pub(crate) pattern: Regex,
    #[serde(default)]
    pub(crate) rewrite: String,
}
