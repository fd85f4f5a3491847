//! Rules that another VirtualService has in the place of one of this.

use weir_proto::l7::{self, path_match::Kind as Path, string_match::Kind as Text};

use super::http::{failing, fails, finish, name};
use super::matching::matches;
use super::shell::Shell;
use super::spec::{Delegate, HttpRoute};
use super::{Context, VirtualService, action};
use crate::part::Place;
use crate::problem::{Effect, Problem, Problems, Reason};

/// The rule that delegates.
pub(super) struct Parent {
    pub(super) matches: Vec<l7::Match>,
    pub(super) shell: Shell,
    pub(super) name: String,
    pub(super) field: String,
}

impl Delegate {
    /// Its namespace; not said: that of the resource which delegates.
    pub(super) fn namespace_or<'a>(&'a self, own: &'a str) -> &'a str {
        if self.namespace.is_empty() { own } else { &self.namespace }
    }
}

/// The delegate's rules, as far as they are inside `parent`. What does not fit into them is answered with 404 by what
/// follows; without a delegate all of it is answered with 503.
pub(super) fn rules(
    context: &Context<'_>,
    route: &HttpRoute,
    parent: Parent,
    problems: &mut Problems,
) -> Vec<l7::Rule> {
    let field = format!("{}.delegate", parent.field);
    let child = match find(context, route, &field) {
        Ok(child) => child,
        Err((reason, message)) => {
            fails(&field, reason, message, problems);
            return vec![failing(parent.name, parent.matches)];
        }
    };
    if parent.shell.fails {
        return vec![failing(parent.name, parent.matches)];
    }
    let mut made = Vec::new();
    for (i, part) in child.http.iter().enumerate() {
        let field = format!("spec.http[{i}]");
        let mut own = Problems::default();
        if let Some(route) = part.get(&Place { field: &field, effect: Effect::RuleLeftOut }, &mut own) {
            made.extend(rule(&context.at(child), route, i, &parent, &mut own));
        }
        // The author of the root reads its status, and there the field that delegates.
        let of_child = |problem: Problem| Problem {
            message: format!("{} {}: {}", child.object, problem.field, problem.message),
            field: format!("{}.delegate", parent.field),
            ..problem
        };
        problems.extend(own.into_iter().filter(|problem| problem.reason != Reason::Notice).map(of_child));
    }
    made
}

fn find<'a>(
    context: &Context<'a>,
    route: &HttpRoute,
    field: &str,
) -> Result<&'a VirtualService, (Reason, String)> {
    let mut unread = Problems::default();
    let place = Place { field, effect: Effect::Notice };
    let Some(delegate) = route.delegate.get(&place, &mut unread) else {
        let message = unread.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ");
        return Err((Reason::Invalid, message));
    };
    if route.route.is_there() || route.redirect.is_there() || route.direct_response.is_there() {
        return Err((Reason::Invalid, "excludes route, redirect and directResponse".to_owned()));
    }
    let namespace = delegate.namespace_or(context.namespace());
    let named =
        |other: &&VirtualService| *other.meta.namespace == *namespace && *other.meta.name == *delegate.name;
    let label = format!("VirtualService/{namespace}/{}", delegate.name);
    let child = context.others.iter().find(named);
    let child = child.ok_or_else(|| (Reason::BackendNotFound, format!("there is no {label}")))?;
    if !child.hosts.is_empty() {
        return Err((Reason::Invalid, format!("{label} has hosts of its own; a delegate has none")));
    }
    if child.read.refused() {
        return Err((Reason::Invalid, format!("{label} cannot be used as it is")));
    }
    if !child.export_to.reaches(context.namespace()) {
        let message = format!("{label} is not exported to the namespace {}", context.namespace());
        return Err((Reason::RefNotPermitted, message));
    }
    Ok(child)
}

fn rule(
    context: &Context<'_>,
    route: &HttpRoute,
    index: usize,
    parent: &Parent,
    problems: &mut Problems,
) -> Option<l7::Rule> {
    let field = format!("spec.http[{index}]");
    let label = format!("{} by {}", name(context.virtual_service, route, index), parent.name);
    let own = matches(context, &route.matches, &field, problems).ok()??;
    let (both, outside) = inside(&parent.matches, &own);
    for i in outside.iter().filter(|_| !both.is_empty()) {
        let message = format!("lies outside of {} of the rule that delegates to it", parent.field);
        problems.add(format!("{field}.match[{i}]"), Reason::Invalid, Effect::Ignored, message);
    }
    if both.is_empty() && !(parent.matches.is_empty() && own.is_empty()) {
        let message = format!("lies outside of {} of the rule that delegates to it", parent.field);
        problems.add(format!("{field}.match"), Reason::Invalid, Effect::RuleLeftOut, message);
        return None;
    }
    if route.delegate.is_there() {
        let message = "delegates once more; one level is allowed".to_owned();
        fails(&format!("{field}.delegate"), Reason::UnsupportedValue, message, problems);
        return Some(failing(label, both));
    }
    let shell = Shell::read(context, route, &field, problems).within(&parent.shell);
    Some(finish(action::rule(context, route, shell, &field, problems), label, both))
}

/// Every pair that can hold together, the child's being the narrower; and those of the child that never hold.
fn inside(parent: &[l7::Match], child: &[l7::Match]) -> (Vec<l7::Match>, Vec<usize>) {
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
