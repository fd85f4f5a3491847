//! Matches.

use serde::Deserialize;

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HttpMatch {
    pub(crate) path: Option<ValueMatch>,
    pub(crate) headers: Vec<NamedMatch>,
    pub(crate) query_params: Vec<NamedMatch>,
    pub(crate) method: Option<String>,
}

/// Of a path.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ValueMatch {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) value: Option<String>,
}

/// Of a header or a parameter.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NamedMatch {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GrpcMatch {
    pub(crate) method: Option<MethodMatch>,
    pub(crate) headers: Vec<NamedMatch>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MethodMatch {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) method: Option<String>,
}
