//! Matches inside of matches.

use weir_proto::l7::{self, path_match::Kind as Path, string_match::Kind as Text};

/// Every pair that can hold together, the child's being the narrower; and those of the child that never hold.
pub(super) fn inside(parent: &[l7::Match], child: &[l7::Match]) -> (Vec<l7::Match>, Vec<usize>) {
    match (parent, child) {
        ([], child) => (child.to_vec(), Vec::new()),
        (parent, []) => (parent.to_vec(), Vec::new()),
        (parent, child) => {
            let with = |inner: &l7::Match| parent.iter().filter_map(|outer| both(outer, inner)).collect();
            let made: Vec<Vec<l7::Match>> = child.iter().map(with).collect();
            let outside = made.iter().enumerate().filter(|(_, pairs)| pairs.is_empty()).map(|(i, _)| i);
            (made.concat(), outside.collect())
        }
    }
}

fn both(outer: &l7::Match, inner: &l7::Match) -> Option<l7::Match> {
    let mut headers = outer.headers.clone();
    headers.extend(inner.headers.iter().filter(|header| !outer.headers.contains(header)).cloned());
    let mut query = outer.query.clone();
    query.extend(inner.query.iter().filter(|one| !outer.query.contains(one)).cloned());
    let names = [outer.name.as_str(), inner.name.as_str()];
    Some(l7::Match {
        name: names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join("-"),
        path: narrower(&outer.path, &inner.path, path_inside)?,
        method: narrower(&outer.method, &inner.method, text_inside)?,
        scheme: narrower(&outer.scheme, &inner.scheme, text_inside)?,
        authority: narrower(&outer.authority, &inner.authority, text_inside)?,
        headers,
        query,
        source: source(&outer.source, &inner.source)?,
    })
}

/// `None`: they exclude each other, or it cannot be told.
fn narrower<T: Clone>(
    outer: &Option<T>,
    inner: &Option<T>,
    is_inside: impl Fn(&T, &T) -> bool,
) -> Option<Option<T>> {
    match (outer, inner) {
        (None, other) | (other, None) => Some(other.clone()),
        (Some(outer), Some(inner)) => is_inside(outer, inner).then(|| Some(inner.clone())),
    }
}

fn path_inside(outer: &l7::PathMatch, inner: &l7::PathMatch) -> bool {
    let lower = outer.ignore_case;
    let text = |text: &str| if lower { text.to_ascii_lowercase() } else { text.to_owned() };
    let cases = outer.ignore_case || !inner.ignore_case;
    cases
        && match (&outer.kind, &inner.kind) {
            (Some(Path::Prefix(outer)), Some(Path::Prefix(inner) | Path::Exact(inner))) => {
                text(inner).starts_with(&text(outer))
            }
            (Some(Path::Exact(outer)), Some(Path::Exact(inner))) => text(outer) == text(inner),
            (Some(Path::Regex(outer)), Some(Path::Regex(inner))) => outer == inner,
            _ => false,
        }
}

fn text_inside(outer: &l7::StringMatch, inner: &l7::StringMatch) -> bool {
    match (&outer.kind, &inner.kind) {
        (Some(Text::Prefix(outer)), Some(Text::Prefix(inner) | Text::Exact(inner))) => {
            inner.starts_with(outer)
        }
        (Some(Text::Present(_)), _) => true,
        (outer, inner) => outer == inner,
    }
}

fn source(outer: &Option<l7::Source>, inner: &Option<l7::Source>) -> Option<Option<l7::Source>> {
    let (Some(outer), Some(inner)) = (outer, inner) else {
        return Some(outer.clone().or_else(|| inner.clone()));
    };
    let namespace = match (outer.namespace.as_str(), inner.namespace.as_str()) {
        (outer, "") => outer,
        ("", inner) => inner,
        (outer, inner) if outer == inner => inner,
        _ => return None,
    };
    let mut labels = outer.labels.clone();
    for (name, value) in &inner.labels {
        if labels.insert(name.clone(), value.clone()).is_some_and(|was| was != *value) {
            return None;
        }
    }
    Some(Some(l7::Source { namespace: namespace.to_owned(), labels }))
}
