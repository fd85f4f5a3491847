//! What the texts in the lists of a waypoint's policy stand for.

use serde_json::Value;
use weir_proto::l7::authorization_path::Kind;
use weir_proto::l7::string_match::Kind as Text;
use weir_proto::l7::{AuthorizationPath, StringMatch};
use weir_proto::security;
use weir_proto::security::string_match::MatchType;

use crate::policy::finding::Severity;
use crate::policy::path::Path;
use crate::policy::read::{Unknown, quoted};
use crate::policy::term::Reader;
use crate::policy::value;

/// The neutral form of a pattern.
pub(super) fn neutral(pattern: security::StringMatch) -> StringMatch {
    let kind = pattern.match_type.map(|kind| match kind {
        MatchType::Exact(text) => Text::Exact(text),
        MatchType::Prefix(text) => Text::Prefix(text),
        MatchType::Suffix(text) => Text::Suffix(text),
        MatchType::Presence(()) => Text::Present(true),
    });
    StringMatch { kind, ignore_case: false }
}

/// A port, as conditions compare it.
pub(super) fn port(text: &str) -> Result<StringMatch, String> {
    let port = value::port(text)?;
    Ok(StringMatch { kind: Some(Text::Exact(port.to_string())), ignore_case: false })
}

/// An address or a range of addresses.
pub(super) fn block(text: &str) -> Result<String, String> {
    value::net(text).map(|net| net.trunc().to_string())
}

/// A service account, as the end of an identity: `/ns/shop/sa/web`.
pub(super) fn account(text: &str, namespace: &str) -> Result<StringMatch, String> {
    let account = value::account(text, namespace)?;
    let end = format!("/ns/{}/sa/{}", account.namespace, account.service_account);
    Ok(StringMatch { kind: Some(Text::Suffix(end)), ignore_case: false })
}

/// Whether it can be the name of a header.
pub(super) fn is_header_name(name: &str) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_token)
}

impl Reader<'_> {
    /// Methods, which have a case.
    pub(super) fn methods(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        let methods = self.names(value, at)?;
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            let item = item.as_str().unwrap_or_default();
            if item.bytes().any(|b| b.is_ascii_lowercase()) {
                let message = format!("{} has small letters, and methods have a case", quoted(item));
                self.findings.add(Severity::Notice, at.index(i), message);
            }
        }
        Ok(methods)
    }

    /// Paths, and templates of paths.
    pub(super) fn paths(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<AuthorizationPath>, Unknown> {
        let paths = self.texts(value, at, path)?;
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            let doubt = item.as_str().filter(|text| !text.contains('{')).and_then(value::doubt);
            if let Some(doubt) = doubt {
                self.findings.add(Severity::Notice, at.index(i), doubt);
            }
        }
        Ok(paths)
    }
}

fn path(text: &str) -> Result<AuthorizationPath, String> {
    if let Some(found) = text.chars().find(|c| matches!(c, '?' | '#')) {
        // A DENY would let past what it names.
        return Err(format!(
            "{} never matches: paths are compared without what begins at {found}",
            quoted(text)
        ));
    }
    let kind = match text.contains(['{', '}']) {
        true => Kind::Template(template(text)?),
        false => Kind::Text(neutral(value::pattern(text)?)),
    };
    Ok(AuthorizationPath { kind: Some(kind) })
}

/// `{*}` and `{**}` are whole segments, and nothing with a star comes after the latter.
fn template(text: &str) -> Result<String, String> {
    let wrong = |what: &str| Err(format!("{} is not a template of paths: {what}", quoted(text)));
    let mut over = false;
    for segment in text.split('/') {
        match segment {
            "{*}" | "{**}" if over => return wrong("nothing of the kind may follow {**}"),
            "{*}" => {}
            "{**}" => over = true,
            _ if segment.contains(['{', '}']) => {
                return wrong("{*} and {**} are whole segments, and nothing else has braces");
            }
            _ if segment.contains('*') => return wrong("a star stands in braces"),
            _ => {}
        }
    }
    Ok(text.to_owned())
}
