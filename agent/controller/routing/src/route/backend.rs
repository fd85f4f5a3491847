//! References to backends.

use weir_proto::l7::{self, weighted_backend::Target};

use super::Context;
use super::filter::{self, Filters};
use super::parent::ISTIO;
use super::spec::BackendRef;
use crate::part::{Part, Place};
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::{Grant, Service};

/// A rule's backends. What cannot be used keeps its share, which is answered with an error.
pub(super) fn backends(
    context: &Context<'_>,
    parts: &[Part<BackendRef>],
    prefixes: bool,
    field: &str,
    problems: &mut Problems,
) -> Vec<l7::WeightedBackend> {
    let mut backends = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let field = format!("{field}[{i}]");
        let effect = Effect::ShareFails(context.error());
        let read = part.try_get(&Place { field: &field, effect }, problems);
        backends.push(match read {
            Ok(Some(given)) => weighted(context, given, prefixes, &field, problems),
            _ => {
                if read.is_ok() {
                    problems.add(&field, Reason::UnsupportedValue, effect, "is nothing");
                }
                unavailable(context, 1, format!("{field} cannot be read"))
            }
        });
    }
    backends
}

fn weighted(
    context: &Context<'_>,
    given: &BackendRef,
    prefixes: bool,
    field: &str,
    problems: &mut Problems,
) -> l7::WeightedBackend {
    let effect = Effect::ShareFails(context.error());
    let weight = given.weight.unwrap_or(1);
    let weight = u32::try_from(weight).ok().filter(|weight| *weight <= 1_000_000).unwrap_or_else(|| {
        let message = format!("{weight} is not a weight; expected 0 to 1000000");
        problems.add(format!("{field}.weight"), Reason::UnsupportedValue, Effect::Ignored, message);
        1
    });
    let unknown = given.unknown.report(&Place { field, effect }, problems).is_err();
    let filters_field = format!("{field}.filters");
    let filters =
        filter::filters(context, &given.filters, filter::Level::Backend, prefixes, &filters_field, problems);
    let backend = reference(context, given, field, effect, problems);
    match (backend, filters) {
        (Err(reason), _) => unavailable(context, weight, reason),
        (Ok(_), Err(_)) => unavailable(context, weight, format!("{filters_field} cannot be done")),
        (Ok(_), _) if unknown => unavailable(context, weight, format!("{field} cannot be read")),
        (Ok(backend), Ok(filters)) => {
            let Filters { request, response, rewrite, mirrors, .. } = filters;
            l7::WeightedBackend {
                target: Some(Target::Backend(backend)),
                weight,
                request_headers: request,
                response_headers: response,
                rewrite,
                mirrors,
            }
        }
    }
}

fn unavailable(context: &Context<'_>, weight: u32, reason: String) -> l7::WeightedBackend {
    let target = Target::Unavailable(l7::Unavailable { status: context.error().into(), reason });
    l7::WeightedBackend { target: Some(target), weight, ..l7::WeightedBackend::default() }
}

/// What a reference means, or why it means nothing; that has been reported with `effect`.
pub(super) fn reference(
    context: &Context<'_>,
    given: &BackendRef,
    field: &str,
    effect: Effect,
    problems: &mut Problems,
) -> Result<l7::BackendRef, String> {
    resolve(context, given).map_err(|(part, reason, message)| {
        problems.add(format!("{field}{part}"), reason, effect, message.clone());
        message
    })
}

type Wrong = (&'static str, Reason, String);

fn resolve(context: &Context<'_>, given: &BackendRef) -> Result<l7::BackendRef, Wrong> {
    let (group, kind) = (given.group.as_deref().unwrap_or(""), given.kind.as_deref().unwrap_or("Service"));
    let namespace = given.namespace.as_deref().unwrap_or(context.namespace());
    if given.name.is_empty() {
        return Err((".name", Reason::UnsupportedValue, "is missing".to_owned()));
    }
    let service = match (group, kind) {
        ("" | "core", "Service") => kubernetes(context, given, namespace)?,
        // A host, as the route's namespace knows it.
        (ISTIO, "Hostname") => {
            let host = given.name.to_ascii_lowercase();
            let found = context.lookup.service(&host, context.namespace());
            found.ok_or_else(|| {
                (".name", Reason::BackendNotFound, format!("there is no host {}", quoted(&host)))
            })?
        }
        _ => {
            let message =
                format!("{} cannot be a backend; a Service can", quoted(&format!("{group}/{kind}")));
            return Err((".kind", Reason::InvalidKind, message));
        }
    };
    let Some(port) = given.port else {
        return Err((".port", Reason::UnsupportedValue, format!("is missing; a {kind} needs one")));
    };
    if service.port(port.0).is_none() {
        let message = format!("{} has no port {}; it has {}", service.hostname, port.0, service.port_list());
        return Err((".port", Reason::BackendNotFound, message));
    }
    let Service { namespace, hostname, .. } = service;
    Ok(l7::BackendRef { namespace, hostname, port: port.0.into(), subset: String::new() })
}

fn kubernetes(context: &Context<'_>, given: &BackendRef, namespace: &str) -> Result<Service, Wrong> {
    // Before it is known whether it is there: that is nobody's business without a grant.
    if !is_permitted(context, given, namespace) {
        let message = format!("no ReferenceGrant in {namespace} permits the Service {}", quoted(&given.name));
        return Err((".namespace", Reason::RefNotPermitted, message));
    }
    let host = context.mesh.service_host(namespace, &given.name);
    let message = || format!("there is no Service {namespace}/{}", given.name);
    let found = context.lookup.service(&host, context.namespace());
    // A host of a ServiceEntry may have the same name.
    let found = found.filter(|service| service.namespace == namespace);
    found.ok_or_else(|| (".name", Reason::BackendNotFound, message()))
}

/// The services of its own namespace are the route's; those of its parent's namespace are where the client wanted to go
/// anyway. All others must be granted.
fn is_permitted(context: &Context<'_>, given: &BackendRef, namespace: &str) -> bool {
    let home = namespace == context.namespace()
        || context.parent.is_some_and(|(service, _)| service.namespace == namespace);
    home || context.lookup.is_granted(&Grant {
        from_kind: context.route.object.kind.name(),
        from_namespace: context.namespace(),
        to_group: "",
        to_kind: "Service",
        to_namespace: namespace,
        to_name: &given.name,
    })
}
