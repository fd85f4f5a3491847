//! How a waypoint's Gateway stands.

use std::sync::Arc;

use serde_json::{Value, json};
use weir_resources::{Gateway, GatewayStatus, Key, Kind, Phase, Service};

use super::listener::{RESOLVED_REFS, Verdict, told, verdicts};
use super::{Deployed, Gateways};
use crate::StatusUpdate;
use crate::condition::{ACCEPTED, PROGRAMMED, Wanted};
use crate::store::Item;
use crate::waypoint::MANAGED;
use crate::world::World;

/// Reason and message of what is not so; `None`: it is so.
type Not = Option<(&'static str, String)>;

/// What a gateway of ours is to be told.
pub(crate) fn wanted(world: &World, gateways: &Gateways, gateway: &Gateway) -> Option<StatusUpdate> {
    let meta = &gateway.meta;
    let name = (meta.namespace.clone(), meta.name.clone());
    let verdicts = verdicts(gateway);
    let deployed = gateways.deployed.get(&name);
    let not_accepted = not_accepted(gateway, &verdicts, deployed);
    let (not_programmed, addresses) = match &not_accepted {
        Some(_) => (Some(("Invalid", "see condition Accepted".to_owned())), None),
        None => placed(world, gateway, deployed),
    };
    let mut wanted = Wanted::default();
    match &not_accepted {
        Some((reason, message)) => wanted.say(ACCEPTED, false, reason, message.as_str()),
        None => match verdicts.iter().find(|(_, verdict)| !matches!(verdict, Verdict::Served)) {
            Some((listener, _)) => {
                let message = format!("listener {} is not served: see status.listeners", listener.name);
                wanted.say(ACCEPTED, true, "ListenersNotValid", message);
            }
            None => wanted.say(ACCEPTED, true, "Accepted", ""),
        },
    }
    match &not_programmed {
        Some((reason, message)) => wanted.say(PROGRAMMED, false, reason, message.as_str()),
        None => wanted.say(PROGRAMMED, true, PROGRAMMED, "pods are ready"),
    }
    wanted.say(RESOLVED_REFS, true, RESOLVED_REFS, "");
    let listeners: Vec<_> = verdicts
        .iter()
        .map(|(listener, verdict)| told(listener, verdict, not_programmed.is_none(), meta.generation))
        .collect();
    let listeners = (!is_told(&listeners, &gateway.told.listeners)).then_some(listeners);
    let addresses = addresses.filter(|addresses| *addresses != gateway.told.addresses);
    let key = Key { kind: Kind::Gateway, namespace: name.0, name: name.1 };
    wanted.update_gateway(key, meta, GatewayStatus { addresses, listeners, features: None })
}

fn not_accepted(
    gateway: &Gateway,
    verdicts: &[(&weir_resources::Listener, Verdict)],
    deployed: Option<&Deployed>,
) -> Not {
    if let Some(problem) = &gateway.problem {
        return Some(("Invalid", problem.to_string()));
    }
    if !verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Served)) {
        let why = verdicts.first().map(|(listener, verdict)| match verdict {
            Verdict::Unsupported(why) | Verdict::Conflicted(_, why) => {
                format!("; listener {}: {why}", listener.name)
            }
            Verdict::Served => String::new(),
        });
        let message = "spec.listeners: a waypoint needs one with protocol HBONE and port 15008";
        return Some(("ListenersNotValid", format!("{message}{}", why.unwrap_or_default())));
    }
    if let Some(other) = gateway.wanted_addresses.iter().find(|address| &*address.kind != "Hostname") {
        let message = format!(
            "spec.addresses: {:?} of type {} cannot be given to a waypoint; leave it out, or name (type Hostname) the \
             Service of one that you deploy yourself",
            other.value, other.kind
        );
        return Some(("UnsupportedAddress", message));
    }
    match deployed {
        Some(Deployed::Invalid(why)) => {
            Some(("InvalidParameters", format!("{why}; what runs is left as it is")))
        }
        _ => None,
    }
}

/// Where it is; `None` leaves the addresses that it has: traffic for a waypoint whose pods are away is refused, not sent
/// past it.
fn placed(world: &World, gateway: &Gateway, deployed: Option<&Deployed>) -> (Not, Option<Vec<Value>>) {
    match deployed {
        Some(Deployed::Foreign(why)) => return (Some(("Invalid", why.clone())), None),
        Some(Deployed::Failed(why)) => return (Some(("Pending", why.clone())), None),
        _ => {}
    }
    let (namespace, service) = match service_name(world, gateway) {
        Ok(name) => name,
        Err(why) => return (Some(("AddressNotUsable", why)), None),
    };
    let Some(found) = world.services.get(&namespace, &service) else {
        return (Some(("Pending", format!("there is no Service {namespace}/{service} yet"))), None);
    };
    let is_ours = found.meta.labels.get(MANAGED) == Some(MANAGED_BY);
    if world.config.deploys_waypoints && gateway.wanted_addresses.is_empty() && !is_ours {
        let why = format!("Service {namespace}/{service} is there and was not made by weir-controller");
        return (Some(("Invalid", why)), None);
    }
    if !is_ready(world, found) {
        let reason = if gateway.told.addresses.is_empty() { "AddressNotAssigned" } else { "Pending" };
        return (Some((reason, format!("no pod of Service {namespace}/{service} is ready"))), None);
    }
    let host = format!("{service}.{namespace}.svc.{}", world.config.cluster_domain);
    let ips = found.cluster_ips.iter().map(|ip| json!({"type": "IPAddress", "value": ip}));
    let host = [json!({"type": "Hostname", "value": host})];
    (None, Some(ips.chain(host).collect()))
}

/// Namespace and name of the Service: of the one that the gateway names, or of the one that is made for it.
fn service_name(world: &World, gateway: &Gateway) -> Result<(Arc<str>, Arc<str>), String> {
    let meta = &gateway.meta;
    let Some(address) = gateway.wanted_addresses.first() else {
        let own = meta.annotations.get(NAME_OVERRIDE).filter(|name| !name.is_empty());
        return Ok((meta.namespace.clone(), own.map_or_else(|| meta.name.clone(), Arc::from)));
    };
    let suffix = format!(".{}.svc.{}", meta.namespace, world.config.cluster_domain);
    match address.value.strip_suffix(&suffix) {
        Some(name) if !name.is_empty() && !name.contains('.') => Ok((meta.namespace.clone(), name.into())),
        _ => Err(format!(
            "spec.addresses: {:?} is no Service of namespace {}; expected NAME.{}.svc.{}",
            address.value, meta.namespace, meta.namespace, world.config.cluster_domain
        )),
    }
}

fn is_ready(world: &World, service: &Service) -> bool {
    let (namespace, name) = (&service.meta.namespace, &service.meta.name);
    let pods = match service.selector.is_empty() {
        true => Vec::new(),
        false => world.pods.matching(namespace, &service.selector),
    };
    let pods = pods.into_iter().filter_map(|id| world.pods.at(id));
    let mut ready = pods.filter(|pod| pod.ready && pod.phase == Phase::Running && !pod.meta().deleting);
    let slices = world.slices_of.get(namespace, name).into_iter().flatten();
    let mut slices = slices.filter_map(|slice| world.slices.get(namespace, slice));
    ready.next().is_some() || slices.any(|slice| slice.endpoints.iter().any(|endpoint| endpoint.ready))
}

/// Whether `status.listeners` says all of it.
fn is_told(wanted: &[(Value, Vec<weir_resources::Condition>)], told: &[Value]) -> bool {
    let is = |((fields, conditions), told): (&(Value, Vec<_>), &Value)| {
        let same = |(name, value): (&String, &Value)| told.get(name) == Some(value);
        let has = weir_resources::conditions(told);
        fields.as_object().is_some_and(|fields| fields.iter().all(same))
            && conditions.iter().all(|condition| has.contains(condition))
    };
    wanted.len() == told.len() && wanted.iter().zip(told).all(is)
}

/// As `weir-render` labels what it makes.
const MANAGED_BY: &str = "weir.dev-mesh-controller";
const NAME_OVERRIDE: &str = "gateway.istio.io/name-override";
