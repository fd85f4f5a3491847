//! `bytes` of protobuf in JSON.

use serde::Deserialize;
use weir_resources::base64;

/// Base64, either alphabet, padded or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        base64(&text).map(Self).ok_or("is not base64")
    }
}
