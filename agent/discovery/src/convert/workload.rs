//! `istio.workload.Workload` to [`Workload`].

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_model::{
    ApplicationTunnel, DEFAULT_CAPACITY, DEFAULT_CLUSTER, DEFAULT_SERVICE_ACCOUNT, DEFAULT_TRUST_DOMAIN,
    Health, Identity, Locality, NetworkMode, PeerAuthentication, PortMapping, ServiceKey, TunnelProtocol,
    Workload, WorkloadType,
};
use weir_proto::workload as proto;

use super::common::{each, gateway, ip, known, ports};
use super::rejection::{Fault, Reason, Rejection, within};

/// Converts a workload, defaults filled in. Whether it takes plaintext is not in the message: PERMISSIVE.
///
/// # Errors
/// A missing uid, a bad address or port, an enum number that is not known, LEGACY_ISTIO_MTLS, a gateway without
/// a destination, a key of `services` that is none, and parts of an identity that do not make a SPIFFE id.
pub fn workload(message: proto::Workload) -> Result<Workload, Rejection> {
    let resource = message.uid.clone();
    build(message).map_err(|(field, reason)| Rejection { resource, field, reason })
}

pub(super) fn build(message: proto::Workload) -> Result<Workload, Fault> {
    if message.uid.is_empty() {
        return Err(("uid".into(), Reason::Missing));
    }
    let workload = Workload {
        addresses: each(&message.addresses, "addresses", |bytes| ip(bytes))?,
        tunnel_protocol: tunnel_protocol(message.tunnel_protocol)?,
        workload_type: workload_type(message.workload_type)?,
        status: status(message.status)?,
        network_mode: network_mode(message.network_mode)?,
        services: Arc::new(services(&message.services)?),
        waypoint: message.waypoint.map(gateway).transpose().map_err(within("waypoint"))?.map(Box::new),
        network_gateway: message
            .network_gateway
            .map(gateway)
            .transpose()
            .map_err(within("network_gateway"))?
            .map(Box::new),
        application_tunnel: message.application_tunnel.map(application_tunnel).transpose()?,
        trust_domain: or_default(message.trust_domain, DEFAULT_TRUST_DOMAIN),
        service_account: or_default(message.service_account, DEFAULT_SERVICE_ACCOUNT),
        cluster_id: or_default(message.cluster_id, DEFAULT_CLUSTER),
        locality: Arc::new(message.locality.map(locality).unwrap_or_default()),
        capacity: message.capacity.unwrap_or(DEFAULT_CAPACITY),
        authorization_policies: message.authorization_policies.into_iter().map(Arc::from).collect(),
        native_tunnel: message.native_tunnel,
        peer_authentication: PeerAuthentication::default(),
        uid: message.uid.into(),
        name: message.name.into(),
        namespace: message.namespace.into(),
        hostname: message.hostname.into(),
        network: message.network.into(),
        node: message.node.into(),
        canonical_name: message.canonical_name.into(),
        canonical_revision: message.canonical_revision.into(),
        workload_name: message.workload_name.into(),
    };
    check_identity(&workload)?;
    Ok(workload)
}

/// A workload outside the mesh proves nothing, so it may lack a namespace; one inside must have an identity.
fn check_identity(workload: &Workload) -> Result<(), Fault> {
    if workload.tunnel_protocol == TunnelProtocol::None && workload.namespace.is_empty() {
        return Ok(());
    }
    let made = Identity::new(&workload.trust_domain, &workload.namespace, &workload.service_account);
    made.map(drop).map_err(|error| ("identity".into(), error.into()))
}

fn tunnel_protocol(number: i32) -> Result<TunnelProtocol, Fault> {
    match known("tunnel_protocol", "TunnelProtocol", number)? {
        proto::TunnelProtocol::None => Ok(TunnelProtocol::None),
        proto::TunnelProtocol::Hbone => Ok(TunnelProtocol::Hbone),
        proto::TunnelProtocol::LegacyIstioMtls => Err(("tunnel_protocol".into(), Reason::LegacyMtls)),
    }
}

fn workload_type(number: i32) -> Result<WorkloadType, Fault> {
    Ok(match known("workload_type", "WorkloadType", number)? {
        proto::WorkloadType::Deployment => WorkloadType::Deployment,
        proto::WorkloadType::Cronjob => WorkloadType::CronJob,
        proto::WorkloadType::Pod => WorkloadType::Pod,
        proto::WorkloadType::Job => WorkloadType::Job,
    })
}

fn status(number: i32) -> Result<Health, Fault> {
    Ok(match known("status", "WorkloadStatus", number)? {
        proto::WorkloadStatus::Healthy => Health::Healthy,
        proto::WorkloadStatus::Unhealthy => Health::Unhealthy,
    })
}

fn network_mode(number: i32) -> Result<NetworkMode, Fault> {
    Ok(match known("network_mode", "NetworkMode", number)? {
        proto::NetworkMode::Standard => NetworkMode::Standard,
        proto::NetworkMode::HostNetwork => NetworkMode::HostNetwork,
    })
}

fn services(
    messages: &BTreeMap<String, proto::PortList>,
) -> Result<BTreeMap<ServiceKey, Vec<PortMapping>>, Fault> {
    let mut services = BTreeMap::new();
    for (key, list) in messages {
        let field = || format!("services[{}]", key.escape_debug());
        let parts = key
            .split_once('/')
            .filter(|(ns, host)| !ns.is_empty() && !host.is_empty() && !host.contains('/'));
        let (namespace, hostname) =
            parts.ok_or_else(|| (field(), Reason::ServiceKey { key: key.clone() }))?;
        services.insert(ServiceKey::new(namespace, hostname), ports(&list.ports).map_err(within(field()))?);
    }
    Ok(services)
}

fn application_tunnel(message: proto::ApplicationTunnel) -> Result<ApplicationTunnel, Fault> {
    let protocol: proto::application_tunnel::Protocol =
        known("application_tunnel.protocol", "ApplicationTunnel.Protocol", message.protocol)?;
    let port = u16::try_from(message.port)
        .map_err(|_| ("application_tunnel.port".to_owned(), Reason::Port { port: message.port }))?;
    Ok(ApplicationTunnel { proxy_header: protocol == proto::application_tunnel::Protocol::Proxy, port })
}

fn locality(message: proto::Locality) -> Locality {
    Locality { region: message.region.into(), zone: message.zone.into(), subzone: message.subzone.into() }
}

fn or_default(value: String, default: &str) -> Arc<str> {
    if value.is_empty() { default.into() } else { value.into() }
}
