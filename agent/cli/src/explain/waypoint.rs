//! What a waypoint says: its policies, its routes, and then what the destination's side says to it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use weir_index::{Layer7, Snapshot, unscoped};
use weir_model::{Connection, Directory, Service, ServiceKey, TunnelProtocol, Verdict, Workload, admit};
use weir_proto::type_url;
use weir_waypoint::authorize::{Policies, Visit};
use weir_waypoint::configuration::{Configuration, Served};
use weir_waypoint::route::{Action, Frontend, RequestHead, Routed, SourceView, Target};

use super::{ExplainError, Explanation};

/// A request that is asked about.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Host and port, as the client writes them.
    pub authority: String,
    /// Path, with its query.
    pub path: String,
    /// Header fields.
    pub headers: HeaderMap,
}

/// What comes to which waypoint.
pub(super) struct At<'a> {
    /// A pod of the waypoint.
    pub(super) workload: &'a Arc<Workload>,
    /// The service that was dialled.
    pub(super) service: Option<&'a Service>,
    pub(super) source: &'a Workload,
    pub(super) dialled: SocketAddr,
}

/// Adds what the waypoint and the destination decide.
pub(super) fn pass(
    explanation: &mut Explanation,
    mesh: &Snapshot,
    directory: &Directory,
    at: &At<'_>,
    asked: Option<&Asked>,
) -> Result<(), ExplainError> {
    let place = format!("waypoint {}", at.workload.uid);
    let Some(service) = at.service else {
        explanation.end(
            &place,
            false,
            "not explained",
            "traffic to a workload's own address through a waypoint",
        );
        return Ok(());
    };
    let name = service.key.to_string();
    let served = served(mesh, &at.workload.namespace, &name);
    let Some(served) = served else {
        explanation.end(&place, false, "refused", &format!("it does not serve {name}"));
        return Ok(());
    };
    let fail = |error: &dyn std::fmt::Display| ExplainError::Index(error.to_string());
    let frontend = Frontend::compile(&served.routes).map_err(|error| fail(&error))?;
    let policies = Policies::compile(served.authorizations()).map_err(|error| fail(&error))?;
    let head = asked.map(|asked| head(asked, at));
    let identity = at.source.identity().to_string();
    let source = at.source.addresses.first().copied().unwrap_or(at.dialled.ip());
    let visit = Visit {
        identity: Some(&identity),
        source,
        destination: at.dialled,
        server_name: None,
        request: head.as_ref(),
    };
    if let Err(denial) = policies.check(&visit) {
        let note = if asked.is_none() {
            " (as a connection of which no request is seen; --path asks about one)"
        } else {
            ""
        };
        explanation.end(&place, false, "denied", &format!("{denial}{note}"));
        return Ok(());
    }
    explanation.say(
        &place,
        "let through",
        &format!("{} policies were asked", served.authorizations().count()),
    );
    let Some(port) = frontend.port(at.dialled.port()) else {
        explanation.end(&place, false, "refused", &format!("{name} has no port {}", at.dialled.port()));
        return Ok(());
    };
    let to = match &head {
        None => {
            explanation.say(
                &place,
                "not routed",
                "no request is asked about; --path, --method and --header ask about one",
            );
            vec![(name, at.dialled.port(), Arc::from(""))]
        }
        Some(head) => {
            let view = SourceView {
                namespace: Some(&at.source.namespace),
                labels: &(),
                address: source,
                identity: Some(&identity),
            };
            match routed(explanation, &place, port.route(head, &view), &name, at.dialled.port()) {
                Some(to) => to,
                None => return Ok(()),
            }
        }
    };
    for (name, port, subset) in to {
        forward(explanation, directory, at.workload, &name, port, &subset);
    }
    Ok(())
}

/// Where a request goes; `None`: nowhere, which is said.
fn routed(
    explanation: &mut Explanation,
    place: &str,
    routed: Routed<'_>,
    own: &str,
    port: u16,
) -> Option<Vec<(String, u16, Arc<str>)>> {
    let matched = match routed {
        Routed::Own => {
            explanation.say(place, "routed to the service itself", "there are no routes for this client");
            return Some(vec![(own.to_owned(), port, "".into())]);
        }
        Routed::NotFound => {
            explanation.end(place, false, "answered 404", "there are routes, and none matches");
            return None;
        }
        Routed::Unknown => {
            let why = "rules ask for labels of the client, and the waypoint has not heard of any";
            explanation.end(place, false, "answered 503", why);
            return None;
        }
        Routed::Rule(matched) => matched,
    };
    let rule = &matched.rule.name;
    let forward = match &matched.rule.action {
        Action::Redirect(_) => {
            explanation.end(place, true, "redirected", &format!("rule {rule}"));
            return None;
        }
        Action::Direct(_) => {
            explanation.end(place, true, "answered", &format!("rule {rule} has the answer"));
            return None;
        }
        Action::Forward(forward) => forward,
    };
    let mut to = Vec::new();
    let mut names = Vec::new();
    for backend in forward.backends.iter() {
        match &backend.target {
            Target::Service(target) => {
                names.push(match &*target.subset {
                    "" => format!("{}:{}", target.resource, target.port),
                    subset => format!("{}:{} subset {subset}", target.resource, target.port),
                });
                to.push((target.resource.to_string(), target.port, target.subset.clone()));
            }
            Target::Unavailable { status, reason } => names.push(format!("answer {status} ({reason})")),
        }
    }
    let faults = if matched.rule.fault.is_some() { ", with failures made on purpose" } else { "" };
    if to.is_empty() {
        let what = if names.is_empty() { forward.no_backend_status.to_string() } else { names.join(" or ") };
        explanation.end(place, false, "answered without a backend", &format!("rule {rule}: {what}"));
        return None;
    }
    explanation.say(place, "routed", &format!("rule {rule}: to {}{faults}", names.join(" or ")));
    Some(to)
}

/// What a destination's side says to the waypoint. The subset's choice of endpoints is the waypoint's at work.
fn forward(
    explanation: &mut Explanation,
    directory: &Directory,
    waypoint: &Workload,
    name: &str,
    port: u16,
    subset: &str,
) {
    let (namespace, hostname) = name.split_once('/').unwrap_or(("", name));
    let key = ServiceKey::new(namespace, hostname);
    let endpoint = directory.endpoints(&key).find_map(|workload| {
        let row = workload.services.get(&key)?.iter().find(|row| row.service_port == port)?;
        Some((workload, SocketAddr::new(*workload.addresses.first()?, row.target_port)))
    });
    let Some((workload, address)) = endpoint else {
        let of = if subset.is_empty() { String::new() } else { format!(" (subset {subset})") };
        return explanation.end(
            "waypoint",
            false,
            "answers 503",
            &format!("{name} port {port}{of} has no endpoint"),
        );
    };
    let place = super::node_of(workload);
    if workload.tunnel_protocol != TunnelProtocol::Hbone {
        return explanation.end(
            &place,
            true,
            "not captured",
            "the destination is not in the mesh: it is reached in plaintext",
        );
    }
    let peer = waypoint.identity();
    let source_ip = waypoint.addresses.first().copied().unwrap_or(address.ip());
    match admit(directory, workload, &Connection { peer: Some(&peer), source_ip, destination: address }) {
        Verdict::Allow => {
            explanation.end(&place, true, "let in", &format!("{peer} may come in at {address}"))
        }
        Verdict::Deny(denial) => {
            let why = format!(
                "{denial}; it is the waypoint, {peer}, that comes: a policy for pods behind a waypoint must allow it"
            );
            explanation.end(&place, false, "denied", &why);
        }
    }
}

/// What a waypoint of the namespace has in force for a service.
fn served(mesh: &Snapshot, namespace: &str, service: &str) -> Option<Arc<Served>> {
    let of = |kind: Layer7| {
        let prefix = format!("{namespace}/");
        mesh.all_layer7(kind).filter(move |resource| resource.name.starts_with(&prefix)).cloned()
    };
    for waypoint in of(Layer7::Waypoint) {
        let mut configuration = Configuration::default();
        // What it does not take, it does not serve.
        let _ = configuration.put(type_url::WAYPOINT, unscoped(&waypoint.name), &waypoint.body);
        for (kind, url) in [
            (Layer7::Frontend, type_url::FRONTEND),
            (Layer7::Backend, type_url::BACKEND),
            (Layer7::Endpoints, type_url::ENDPOINTS),
        ] {
            for resource in of(kind) {
                let _ = configuration.put(url, unscoped(&resource.name), &resource.body);
            }
        }
        let picture = configuration.settle();
        if let Some(served) = picture.services.get(service) {
            return Some(served.clone());
        }
    }
    None
}

fn head<'a>(asked: &'a Asked, at: &At<'_>) -> RequestHead<'a> {
    let (path, query) = match asked.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (asked.path.as_str(), None),
    };
    let scheme = if at.dialled.port() == 443 { "https" } else { "http" };
    RequestHead {
        method: &asked.method,
        scheme,
        authority: &asked.authority,
        path,
        query,
        headers: &asked.headers,
    }
}
