//! Where requests are sent: hosts, ports, subsets and weights.

use weir_proto::l7::{self, weighted_backend::Target};

use super::Context;
use super::spec::Destination;
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::{Service, lookup::ServicePort};

/// What a share of requests gets that has nowhere to go.
pub(super) const NO_BACKEND: u16 = 503;

/// A destination's backend, or why there is none; that has been reported, with `effect`.
pub(super) fn backend(
    context: &Context<'_>,
    destination: &Destination,
    field: &str,
    effect: Effect,
    problems: &mut Problems,
) -> Result<l7::BackendRef, String> {
    resolve(context, destination).map_err(|(part, reason, message)| {
        problems.add(format!("{field}{part}"), reason, effect, message.clone());
        message
    })
}

/// A backend with its share, or an answer in its place.
pub(super) fn target(
    context: &Context<'_>,
    destination: &Destination,
    field: &str,
    problems: &mut Problems,
) -> Target {
    match backend(context, destination, field, Effect::ShareFails(NO_BACKEND), problems) {
        Ok(backend) => Target::Backend(backend),
        Err(reason) => Target::Unavailable(l7::Unavailable { status: NO_BACKEND.into(), reason }),
    }
}

/// The shares of several, which must not all be nothing; a single one gets everything.
pub(super) fn weights(weights: &[i32]) -> Result<Vec<u32>, String> {
    if let [_] = weights {
        return Ok(vec![1]);
    }
    if let Some(weight) = weights.iter().find(|weight| **weight < 0) {
        return Err(format!("the weight {weight} is negative"));
    }
    let weights: Vec<u32> = weights.iter().map(|weight| weight.unsigned_abs()).collect();
    match weights.iter().map(|weight| u64::from(*weight)).sum::<u64>() {
        0 => Err("all weights are 0: nothing would be sent anywhere".to_owned()),
        sum if sum > u64::from(u32::MAX) => Err(format!("the weights are {sum} together, which is too much")),
        _ => Ok(weights),
    }
}

type Wrong = (&'static str, Reason, String);

fn resolve(context: &Context<'_>, destination: &Destination) -> Result<l7::BackendRef, Wrong> {
    let host = context.mesh.resolve(&destination.host, context.namespace());
    if host.is_empty() || host.contains('*') {
        let message = match host.is_empty() {
            true => "is missing".to_owned(),
            false => format!("{} names no single host", quoted(&destination.host)),
        };
        return Err((".host", Reason::Invalid, message));
    }
    let service = context.lookup.service(&host, context.namespace());
    let service = service.ok_or_else(|| (".host", Reason::BackendNotFound, unknown_host(context, &host)))?;
    let port = port(context, destination, &service)?;
    if !destination.subset.is_empty() && !context.lookup.has_subset(&service, &destination.subset) {
        let subset = quoted(&destination.subset);
        let message = format!("no DestinationRule that holds for {host} has a subset {subset}");
        return Err((".subset", Reason::BackendNotFound, message));
    }
    let subset = destination.subset.clone();
    Ok(l7::BackendRef { namespace: service.namespace, hostname: service.hostname, port, subset })
}

fn port(context: &Context<'_>, destination: &Destination, service: &Service) -> Result<u32, Wrong> {
    let has = |number: u16| service.port(number).map(|port| port.number.into());
    let ports = || service.port_list();
    if let Some(port) = destination.port.number {
        let message = || format!("{} has no port {}; it has {}", service.hostname, port.0, ports());
        return has(port.0).ok_or_else(|| (".port.number", Reason::BackendNotFound, message()));
    }
    if !destination.port.name.is_empty() {
        let name = &destination.port.name;
        let named = service.ports.iter().find(|port| port.name == *name);
        let message = || format!("{} has no port named {}", service.hostname, quoted(name));
        let found = named.map(|port| port.number.into());
        return found.ok_or_else(|| (".port.name", Reason::BackendNotFound, message()));
    }
    match (service.ports.as_slice(), context.own) {
        ([ServicePort { number, .. }], _) => Ok((*number).into()),
        // That of the request.
        (_, Some((_, own))) => has(own).ok_or_else(|| {
            let message =
                format!("{} has several ports ({}), and none is {own}: say which", service.hostname, ports());
            (".port", Reason::BackendNotFound, message)
        }),
        (_, None) => Ok(0),
    }
}

fn unknown_host(context: &Context<'_>, host: &str) -> String {
    let suffix = format!(".svc.{}", context.mesh.domain);
    let longer = [
        format!("{host}{suffix}"),
        host.strip_suffix(".svc").map_or_else(String::new, |h| format!("{h}{suffix}")),
    ];
    let known = longer.iter().find(|name| context.lookup.service(name, context.namespace()).is_some());
    match known {
        Some(known) => format!("there is no host {}; do you mean {known}?", quoted(host)),
        None => format!("there is no host {}", quoted(host)),
    }
}
