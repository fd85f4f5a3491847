//! One match of a rule: everything that it asks for must hold.

use std::borrow::Cow;

use http::HeaderName;
use regex::bytes::Regex;
use weir_proto::l7;

use super::{
    pattern::{Extent, pattern},
    rejection::{Reason, Rejection, Within as _, each},
    request::{RequestHead, SourceView},
    text::{Case, TextMatch},
};

/// How a request's path was matched; a rewrite of a prefix depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathMatched {
    /// The rule did not look.
    Any,
    /// All of it.
    Whole,
    /// As many bytes, with the semantics of VirtualService.
    Prefix(usize),
    /// As many bytes, with the semantics of the Gateway API: what follows is nothing or begins with a slash.
    Segments(usize),
}

/// A compiled `Match`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Predicate {
    pub(crate) path: Option<PathPredicate>,
    /// Apart, because most matches ask for a path and nothing else: a large table of them is small so.
    pub(crate) more: Option<Box<More>>,
}

/// What a match asks for beside the path.
#[derive(Debug, Clone, Default)]
pub(crate) struct More {
    method: Option<TextMatch>,
    scheme: Option<TextMatch>,
    pub(crate) authority: Option<TextMatch>,
    pub(crate) headers: Vec<HeaderPredicate>,
    pub(crate) query: Vec<QueryPredicate>,
    source: SourcePredicate,
}

impl Predicate {
    pub(crate) fn compile(form: &l7::Match) -> Result<Predicate, Rejection> {
        let text = |field: &str, form: Option<&l7::StringMatch>| {
            form.map(TextMatch::compile).transpose().within(field)
        };
        let path = form.path.as_ref().map(PathPredicate::compile).transpose().within("path")?;
        let more = More {
            method: text("method", form.method.as_ref())?,
            scheme: text("scheme", form.scheme.as_ref())?,
            authority: text("authority", form.authority.as_ref())?,
            headers: each("headers", &form.headers, HeaderPredicate::compile)?,
            query: each("query", &form.query, QueryPredicate::compile)?,
            source: SourcePredicate::compile(form.source.as_ref()),
        };
        Ok(Predicate { path, more: (!more.is_nothing()).then(|| Box::new(more)) })
    }

    /// Whether it looks at the labels of clients.
    pub(crate) fn asks_labels(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.source.asks_labels())
    }

    pub(crate) fn holds(&self, request: &RequestHead<'_>, source: &SourceView<'_>) -> Option<PathMatched> {
        let path = self.path.as_ref().map_or(Some(PathMatched::Any), |path| path.matches(request.path))?;
        self.more.as_ref().is_none_or(|more| more.holds(request, source)).then_some(path)
    }
}

impl More {
    fn is_nothing(&self) -> bool {
        self.method.is_none()
            && self.scheme.is_none()
            && self.authority.is_none()
            && self.headers.is_empty()
            && self.query.is_empty()
            && self.source.is_anybody()
    }

    fn holds(&self, request: &RequestHead<'_>, source: &SourceView<'_>) -> bool {
        let text = |wanted: &Option<TextMatch>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.matches(value.as_bytes()))
        };
        text(&self.method, request.method.as_str())
            && text(&self.scheme, request.scheme)
            && text(&self.authority, request.authority)
            && self.source.holds(source)
            && self.headers.iter().all(|header| header.holds(request))
            && self.query.iter().all(|query| query.holds(request))
    }
}

/// A compiled `PathMatch`.
#[derive(Debug, Clone)]
pub(crate) enum PathPredicate {
    Exact(Box<str>, Case),
    Prefix(Box<str>, Case),
    /// Without a slash at its end.
    Segments(Box<str>, Case),
    /// And its text, for the index.
    Regex(Regex, Box<str>),
}

impl PathPredicate {
    fn compile(form: &l7::PathMatch) -> Result<PathPredicate, Rejection> {
        use l7::path_match::Kind;
        let case = Case::new(form.ignore_case);
        Ok(match form.kind.as_ref().ok_or(Reason::Missing)? {
            Kind::Exact(path) => PathPredicate::Exact(path.as_str().into(), case),
            Kind::Prefix(path) => PathPredicate::Prefix(path.as_str().into(), case),
            // The Gateway API: a slash at the end does not count.
            Kind::Segments(path) => {
                PathPredicate::Segments(path.strip_suffix('/').unwrap_or(path).into(), case)
            }
            Kind::Regex(text) => PathPredicate::Regex(
                pattern(text, Extent::Whole, false).within("regex")?,
                text.as_str().into(),
            ),
        })
    }

    fn matches(&self, path: &str) -> Option<PathMatched> {
        let starts = |prefix: &str, case: Case| {
            let start = path.as_bytes().get(..prefix.len());
            start.is_some_and(|start| case.equal(prefix.as_bytes(), start))
        };
        match self {
            PathPredicate::Exact(exact, case) => {
                case.equal(exact.as_bytes(), path.as_bytes()).then_some(PathMatched::Whole)
            }
            PathPredicate::Prefix(prefix, case) => {
                starts(prefix, *case).then_some(PathMatched::Prefix(prefix.len()))
            }
            PathPredicate::Segments(prefix, case) => {
                let ends = matches!(path.as_bytes().get(prefix.len()), None | Some(b'/'));
                (starts(prefix, *case) && ends).then_some(PathMatched::Segments(prefix.len()))
            }
            PathPredicate::Regex(regex, _) => regex.is_match(path.as_bytes()).then_some(PathMatched::Whole),
        }
    }
}

/// A compiled `HeaderMatch`.
#[derive(Debug, Clone)]
pub(crate) struct HeaderPredicate {
    pub(crate) name: HeaderName,
    pub(crate) value: TextMatch,
    pub(crate) invert: bool,
}

impl HeaderPredicate {
    fn compile(form: &l7::HeaderMatch) -> Result<HeaderPredicate, Rejection> {
        let name = HeaderName::from_bytes(form.name.as_bytes());
        let value = form.value.as_ref().ok_or(Reason::Missing).within("value")?;
        Ok(HeaderPredicate {
            name: name.map_err(|_| Reason::NotHttp(form.name.clone())).within("name")?,
            value: TextMatch::compile(value).within("value")?,
            invert: form.invert,
        })
    }

    fn holds(&self, request: &RequestHead<'_>) -> bool {
        request.header(&self.name).is_some_and(|value| self.value.matches(&value)) != self.invert
    }
}

/// A compiled `QueryMatch`.
#[derive(Debug, Clone)]
pub(crate) struct QueryPredicate {
    pub(crate) name: Box<str>,
    pub(crate) value: TextMatch,
}

impl QueryPredicate {
    fn compile(form: &l7::QueryMatch) -> Result<QueryPredicate, Rejection> {
        let value = form.value.as_ref().ok_or(Reason::Missing).within("value")?;
        Ok(QueryPredicate {
            name: form.name.as_str().into(),
            value: TextMatch::compile(value).within("value")?,
        })
    }

    fn holds(&self, request: &RequestHead<'_>) -> bool {
        parameter(request.query, &self.name).is_some_and(|value| self.value.matches(&value))
    }
}

/// A compiled `Source`.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourcePredicate {
    namespace: Option<Box<str>>,
    labels: Vec<(Box<str>, Box<str>)>,
}

impl SourcePredicate {
    pub(crate) fn compile(form: Option<&l7::Source>) -> SourcePredicate {
        let Some(form) = form else { return SourcePredicate::default() };
        SourcePredicate {
            namespace: (!form.namespace.is_empty()).then(|| form.namespace.as_str().into()),
            labels: form
                .labels
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
        }
    }

    fn is_anybody(&self) -> bool {
        self.namespace.is_none() && self.labels.is_empty()
    }

    /// Whether it looks at the labels of clients.
    pub(crate) fn asks_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    pub(crate) fn holds(&self, source: &SourceView<'_>) -> bool {
        let labelled = |(name, value): &(Box<str>, Box<str>)| source.labels.has(name, value);
        self.namespace.as_deref().is_none_or(|namespace| source.namespace == Some(namespace))
            && self.labels.iter().all(labelled)
    }
}

/// The first parameter of this name in a query, percent-decoded; empty if it has no `=`.
pub(crate) fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, [u8]>> {
    let split = |pair: &'a str| pair.split_once('=').unwrap_or((pair, ""));
    let mut pairs = query?.split('&').map(split);
    let (_, value) = pairs.find(|(found, _)| decoded(found).as_ref() == name.as_bytes())?;
    Some(decoded(value))
}

/// Percent-decoded; what is no escape stays as it is.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match escape(&bytes[at..]) {
            Some(meant) => (out.push(meant), at += 3),
            None => (out.push(*byte), at += 1),
        };
    }
    Cow::Owned(out)
}

/// The byte that a percent sign and two digits at the beginning stand for.
pub(crate) fn escape(bytes: &[u8]) -> Option<u8> {
    let &[b'%', high, low, ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
