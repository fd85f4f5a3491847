//! Operations on headers.

use std::collections::BTreeMap;

use weir_proto::l7;

use super::destination::NO_BACKEND;
use super::spec::{HeaderOperations, Headers, OldHeaders};
use crate::part::{Part, Place, Reported};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::{HeaderName, HeaderValue, authority, envoy_operator, is_fixed};

/// Of a request and of its response.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Operations {
    pub(super) request: Option<l7::HeaderOperations>,
    pub(super) response: Option<l7::HeaderOperations>,
}

/// Those of a rule or of a destination at `field`.
pub(super) fn operations(
    headers: &Part<Headers>,
    old: &OldHeaders,
    field: &str,
    problems: &mut Problems,
) -> Result<Operations, Reported> {
    let effect = Effect::RuleFails(NO_BACKEND);
    let path = format!("{field}.headers");
    let mut request = l7::HeaderOperations::default();
    let mut response = l7::HeaderOperations::default();
    if let Some(headers) = headers.try_get(&Place { field: &path, effect }, problems)? {
        request = one(&headers.request, &format!("{path}.request"), true, problems);
        response = one(&headers.response, &format!("{path}.response"), false, problems);
    }
    let mut old_ones = |add: &Part<BTreeMap<_, _>>, remove: &Part<Vec<_>>, side: &str, form: &mut _| {
        let (add_field, remove_field) =
            (format!("{field}.append{side}Headers"), format!("{field}.remove{side}Headers"));
        let add = add.try_get(&Place { field: &add_field, effect }, problems)?.cloned().unwrap_or_default();
        let remove =
            remove.try_get(&Place { field: &remove_field, effect }, problems)?.cloned().unwrap_or_default();
        if !add.is_empty() || !remove.is_empty() {
            problems.notice(&add_field, "is of 2018; it is understood, and headers is its name now");
        }
        let asked = one(
            &HeaderOperations { set: BTreeMap::new(), add, remove },
            &add_field,
            side == "Request",
            problems,
        );
        let form: &mut l7::HeaderOperations = form;
        form.add.extend(asked.add);
        form.remove.extend(asked.remove);
        Ok::<(), Reported>(())
    };
    old_ones(&old.append_request_headers, &old.remove_request_headers, "Request", &mut request)?;
    old_ones(&old.append_response_headers, &old.remove_response_headers, "Response", &mut response)?;
    let some = |form: l7::HeaderOperations| (form != l7::HeaderOperations::default()).then_some(form);
    Ok(Operations { request: some(request), response: some(response) })
}

fn one(
    operations: &HeaderOperations,
    field: &str,
    is_request: bool,
    problems: &mut Problems,
) -> l7::HeaderOperations {
    let mut headers = |from: &BTreeMap<HeaderName, HeaderValue>, verb: &str| {
        // The authority can be set, and in requests only.
        let sets = is_request && verb == "set";
        let twice = from.keys().filter(|name| is_authority(name)).count() > 1;
        let good = from.iter().filter(|(name, value)| {
            let field = format!("{field}.{verb}[{}]", name.0);
            let may = is_changeable(name) || sets && is_authority(name) && !(twice && name.0 == "host");
            told(may, name, &field, problems) && is_plain(value, &field, problems)
        });
        let header = |(name, value): (&HeaderName, &HeaderValue)| l7::Header {
            name: name.0.clone(),
            value: value.0.clone(),
        };
        let headers: Vec<l7::Header> = good.map(header).collect();
        headers
    };
    let (mut set, add) = (headers(&operations.set, "set"), headers(&operations.add, "add"));
    set.retain(|header| {
        let wrong = if is_authority_name(&header.name) { authority(&header.value).err() } else { None };
        if let Some(message) = &wrong {
            problems.add(
                format!("{field}.set[{}]", header.name),
                Reason::Invalid,
                Effect::Ignored,
                message.clone(),
            );
        }
        wrong.is_none()
    });
    let mut remove = Vec::new();
    for (i, name) in operations.remove.iter().enumerate() {
        let field = format!("{field}.remove[{i}]");
        if is_request && is_authority(name) {
            let message = "a request without a host is no request";
            problems.add(field, Reason::Invalid, Effect::Ignored, message);
        } else if told(is_changeable(name), name, &field, problems) {
            remove.push(name.0.clone());
        }
    }
    l7::HeaderOperations { set, add, remove }
}

fn is_authority(name: &HeaderName) -> bool {
    is_authority_name(&name.0)
}

fn is_authority_name(name: &str) -> bool {
    matches!(name, "host" | ":authority")
}

fn is_changeable(name: &HeaderName) -> bool {
    !name.0.starts_with(':') && name.0 != "host" && !is_fixed(name)
}

/// Says so if it may not be changed.
fn told(may: bool, name: &HeaderName, field: &str, problems: &mut Problems) -> bool {
    if !may {
        let message = format!("{} is no header that can be changed", quoted(&name.0));
        problems.add(field, Reason::UnsupportedValue, Effect::Ignored, message);
    }
    may
}

fn is_plain(value: &HeaderValue, field: &str, problems: &mut Problems) -> bool {
    let operator = envoy_operator(&value.0);
    if let Some(operator) = operator {
        let message = format!("{} is replaced by Envoy only; the header is left out", quoted(operator));
        problems.add(field, Reason::UnsupportedValue, Effect::Ignored, message);
    }
    operator.is_none()
}
