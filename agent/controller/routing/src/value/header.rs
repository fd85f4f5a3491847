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

/// A name of a method or of a header, or `*`, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Token(pub(crate) String);

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match !text.is_empty() && text.len() <= 256 && text.bytes().all(is_token) {
            true => Ok(Self(text)),
            false => Err(format!("{} is not a name of HTTP", quoted(&text))),
        }
    }
}

/// Whether nobody may change a header: it is of one connection (RFC 9110, 7.6.1), or says where a message ends.
pub(crate) fn is_fixed(HeaderName(name): &HeaderName) -> bool {
    FIXED.contains(&name.as_str())
}

/// Visible ASCII, blanks and tabs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HeaderValue(pub(crate) String);

impl TryFrom<String> for HeaderValue {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.bytes().all(|b| b == b'\t' || b == b' ' || b.is_ascii_graphic()) {
            true => Ok(Self(text)),
            false => Err(format!("{} has characters that headers do not have", quoted(&text))),
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

const FIXED: [&str; 9] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

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
