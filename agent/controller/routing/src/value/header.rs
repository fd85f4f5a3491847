//! Names and values of header fields.

use serde::Deserialize;

use super::quoted;

/// In lower case. `:authority` and the like are names too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HeaderName(pub(crate) String);

impl TryFrom<String> for HeaderName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = text.strip_prefix(':').unwrap_or(&text);
        match !name.is_empty() && name.len() <= 256 && name.bytes().all(is_token) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(format!("{} is not the name of a header", quoted(&text))),
        }
    }
}

/// Without line breaks and other control characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HeaderValue(pub(crate) String);

impl TryFrom<String> for HeaderValue {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.bytes().any(|b| b < b' ' && b != b'\t' || b == 0x7f) {
            true => Err(format!("{} has control characters", quoted(&text))),
            false => Ok(Self(text)),
        }
    }
}

/// A `%COMMAND%` by which Envoy would insert something; `None` if there is none.
pub(crate) fn envoy_operator(value: &str) -> Option<&str> {
    let mut rest = value;
    while let Some(start) = rest.find('%') {
        let tail = &rest[start + 1..];
        let name =
            tail.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_').count();
        let end = tail.find('%')?;
        let is_name = name >= 3 && tail.as_bytes()[0].is_ascii_uppercase();
        if is_name && matches!(tail.as_bytes().get(name), Some(b'%' | b'(' | b':')) {
            return Some(&rest[start..start + end + 2]);
        }
        rest = tail;
    }
    None
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("plain", None)]
    #[case::percent("50% off, 20% on", None)]
    #[case::escaped("a%20b%2Fc", None)]
    #[case::operator("ip=%DOWNSTREAM_REMOTE_ADDRESS%", Some("%DOWNSTREAM_REMOTE_ADDRESS%"))]
    #[case::argument("%REQ(:path)%", Some("%REQ(:path)%"))]
    #[case::after_another("5% %START_TIME%", Some("%START_TIME%"))]
    #[case::unclosed("%REQ", None)]
    fn operators(#[case] value: &str, #[case] expected: Option<&str>) {
        assert_eq!(envoy_operator(value), expected);
    }

    #[rstest]
    #[case("X-Foo", true)]
    #[case(":authority", true)]
    #[case("", false)]
    #[case(":", false)]
    #[case("a b", false)]
    #[case("a:b", false)]
    #[case("ä", false)]
    fn names(#[case] name: &str, #[case] good: bool) {
        assert_eq!(HeaderName::try_from(name.to_owned()).is_ok(), good);
    }
}
