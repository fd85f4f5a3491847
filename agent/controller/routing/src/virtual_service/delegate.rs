//! Rules that another VirtualService has in the place of one of this.

mod inside;

use weir_proto::l7;

use inside::inside;

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
