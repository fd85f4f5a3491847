//! Who a workload is: a SPIFFE id of the one shape the mesh uses.
//!
//! The shape is Istio's, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. Parsing is strict
//! because what parses here is compared with what a peer proved: a lenient parser would make two spellings
//! of one name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A SPIFFE id of the form `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
///
/// Cheap to clone. Equality is byte equality of the three parts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    trust_domain: Arc<str>,
    namespace: Arc<str>,
    service_account: Arc<str>,
}

impl Identity {
    /// Makes an identity of its parts.
    ///
    /// # Errors
    /// A part that is empty, too long, or has a character that SPIFFE does not allow in that place.
    pub fn new(trust_domain: &str, namespace: &str, service_account: &str) -> Result<Self, IdentityError> {
        check("trust domain", trust_domain)?;
        check("namespace", namespace)?;
        check("service account", service_account)?;
        Ok(Self::from_parts(trust_domain.into(), namespace.into(), service_account.into()))
    }

    /// For parts that were checked before.
    pub(crate) fn from_parts(trust_domain: Arc<str>, namespace: Arc<str>, service_account: Arc<str>) -> Self {
        Self { trust_domain, namespace, service_account }
    }

    /// The trust domain, `cluster.local` by default.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The Kubernetes namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The Kubernetes service account.
    pub fn service_account(&self) -> &str {
        &self.service_account
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let rest =
            text.strip_prefix("spiffe://").ok_or_else(|| IdentityError::NotSpiffe { text: clip(text) })?;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts[..] {
            [trust_domain, "ns", namespace, "sa", service_account] => {
                Self::new(trust_domain, namespace, service_account)
            }
            _ => Err(IdentityError::Shape { text: clip(text) }),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/ns/{}/sa/{}", self.trust_domain, self.namespace, self.service_account)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is not an [`Identity`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The scheme is another one.
    #[error("'{text}' is not a SPIFFE id: it must start with spiffe://")]
    NotSpiffe {
        /// What was read, clipped.
        text: String,
    },
    /// The path is not the five segments of the mesh.
    #[error("'{text}' must read spiffe://<trust domain>/ns/<namespace>/sa/<service account>")]
    Shape {
        /// What was read, clipped.
        text: String,
    },
    /// A part is empty.
    #[error("the {part} of a SPIFFE id must not be empty")]
    Empty {
        /// Which part.
        part: &'static str,
    },
    /// A part is longer than SPIFFE or Kubernetes can have.
    #[error("the {part} of a SPIFFE id has {length} characters, the limit is {MAX_PART}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// A part has a character that is not allowed, or is `.` or `..`.
    #[error("the {part} '{text}' of a SPIFFE id may only have letters, digits, '.', '-' and '_'")]
    Character {
        /// Which part.
        part: &'static str,
        /// The part, clipped.
        text: String,
    },
}

fn check(part: &'static str, text: &str) -> Result<(), IdentityError> {
    if text.is_empty() {
        return Err(IdentityError::Empty { part });
    }
    if text.len() > MAX_PART {
        return Err(IdentityError::TooLong { part, length: text.len() });
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if text == "." || text == ".." || !text.bytes().all(allowed) {
        return Err(IdentityError::Character { part, text: clip(text) });
    }
    Ok(())
}

/// A peer chooses this text; the log line must stay a line.
fn clip(text: &str) -> String {
    text.chars().take(120).flat_map(char::escape_default).collect()
}

/// Longest trust domain of the SPIFFE standard; a Kubernetes name has at most 253.
const MAX_PART: usize = 255;

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn reads_and_writes_the_same() {
        let text = "spiffe://cluster.local/ns/shop/sa/web-1";
        let id: Identity = text.parse().unwrap();
        assert_eq!(
            (id.trust_domain(), id.namespace(), id.service_account()),
            ("cluster.local", "shop", "web-1")
        );
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
    }

    #[rstest]
    #[case::scheme("https://td/ns/a/sa/b")]
    #[case::scheme_in_capitals("SPIFFE://td/ns/a/sa/b")]
    #[case::empty("")]
    #[case::no_path("spiffe://td")]
    #[case::four("spiffe://td/ns/a/sa")]
    #[case::six("spiffe://td/ns/a/sa/b/c")]
    #[case::trailing_slash("spiffe://td/ns/a/sa/b/")]
    #[case::other_words("spiffe://td/namespace/a/sa/b")]
    #[case::swapped("spiffe://td/sa/a/ns/b")]
    #[case::empty_trust_domain("spiffe:///ns/a/sa/b")]
    #[case::empty_namespace("spiffe://td/ns//sa/b")]
    #[case::empty_account("spiffe://td/ns/a/sa/")]
    #[case::dot("spiffe://td/ns/./sa/b")]
    #[case::dots("spiffe://td/ns/../sa/b")]
    #[case::escape("spiffe://td/ns/a%2fb/sa/b")]
    #[case::port("spiffe://td:1/ns/a/sa/b")]
    #[case::user("spiffe://u@td/ns/a/sa/b")]
    #[case::query("spiffe://td/ns/a/sa/b?x")]
    #[case::space("spiffe://td/ns/a/sa/b ")]
    #[case::unicode("spiffe://td/ns/ä/sa/b")]
    #[case::nul("spiffe://td/ns/a/sa/b\0")]
    fn is_none(#[case] text: &str) {
        assert!(text.parse::<Identity>().is_err());
    }

    #[test]
    fn a_long_part_is_refused_and_a_message_stays_short_and_on_one_line() {
        let long = "x".repeat(256);
        let error = Identity::new("td", &long, "sa").unwrap_err();
        assert_eq!(error, IdentityError::TooLong { part: "namespace", length: 256 });
        let error = format!("{}\n", "y".repeat(10_000)).parse::<Identity>().unwrap_err().to_string();
        assert!(error.len() < 250, "{error}");
        let error = "spiffe://td/ns/a\nb/sa/c".parse::<Identity>().unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
    }
}
