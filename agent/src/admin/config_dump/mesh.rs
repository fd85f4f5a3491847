//! The mesh as JSON: workloads, services and policies.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use weir_control::dump::compact;
use weir_model::{
    Directory, GatewayAddress, GatewayDestination, Health, HealthPolicy, LoadBalancing, NetworkMode, Policy,
    Service, TunnelProtocol, Visibility, Workload,
};

use super::limits;

pub(super) fn workload(w: &Workload) -> Value {
    compact(json!({
        "uid": &*w.uid,
        "name": &*w.name,
        "namespace": &*w.namespace,
        "workloadIps": w.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>(),
        "protocol": match w.tunnel_protocol { TunnelProtocol::Hbone => "HBONE", TunnelProtocol::None => "TCP" },
        "network": &*w.network,
        "networkMode": match w.network_mode { NetworkMode::Standard => None, NetworkMode::HostNetwork => Some("HostNetwork") },
        "trustDomain": &*w.trust_domain,
        "serviceAccount": &*w.service_account,
        "workloadName": &*w.workload_name,
        "workloadType": w.workload_type,
        "canonicalName": &*w.canonical_name,
        "canonicalRevision": &*w.canonical_revision,
        "hostname": &*w.hostname,
        "node": &*w.node,
        "nativeTunnel": w.native_tunnel.then_some(true),
        "applicationTunnel": w.application_tunnel,
        "authorizationPolicies": w.authorization_policies,
        "status": health(w.status),
        "clusterId": &*w.cluster_id,
        "locality": compact(json!(w.locality)),
        "waypoint": w.waypoint.as_deref().map(gateway),
        "networkGateway": w.network_gateway.as_deref().map(gateway),
        "capacity": w.capacity,
        "services": w.services.keys().map(ToString::to_string).collect::<Vec<_>>(),
        "peerAuthentication": format!("{:?}", w.peer_authentication.mode).to_uppercase(),
    }))
}

pub(super) fn service(s: &Service, directory: &Directory) -> Value {
    let endpoints = directory.endpoints(&s.key).map(|w| {
        let ports = w.services.get(&s.key).into_iter().flatten();
        let ports = ports.map(|p| (p.service_port.to_string(), json!(p.target_port)));
        let ports: Map<_, _> = ports.collect();
        (w.uid.to_string(), json!({ "workloadUid": &*w.uid, "port": ports, "status": health(w.status) }))
    });
    compact(json!({
        "name": &*s.name,
        "namespace": &*s.key.namespace,
        "hostname": &*s.key.hostname,
        "vips": s.vips.iter().map(|(network, ip)| format!("{network}/{ip}")).collect::<Vec<_>>(),
        "cidrVips": s.cidr_vips.iter().map(|(network, net)| format!("{network}/{net}")).collect::<Vec<_>>(),
        "ports": s.ports.iter().map(|p| (p.service_port.to_string(), json!(p.target_port))).collect::<Map<_, _>>(),
        "endpoints": endpoints.collect::<Map<_, _>>(),
        "subjectAltNames": s.subject_alt_names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "waypoint": s.waypoint.as_ref().map(gateway),
        "loadBalancer": balancer(&s.load_balancing),
        "visibility": (s.visibility == Visibility::Namespace).then_some("Namespace"),
        "canonical": s.canonical,
        "audiences": s.audiences.iter().map(limits::audience).collect::<Vec<_>>(),
    }))
}

pub(super) fn policy(p: &Policy) -> Value {
    json!({
        "name": p.name(),
        "namespace": &*p.namespace,
        "scope": p.scope,
        "action": p.action,
        "rules": p.rules,
        "dryRun": p.dry_run,
    })
}

fn health(status: Health) -> &'static str {
    match status {
        Health::Healthy => "Healthy",
        Health::Unhealthy => "Unhealthy",
    }
}

fn gateway(gateway: &GatewayAddress) -> Value {
    let destination = match &gateway.destination {
        GatewayDestination::Hostname(key) => key.to_string(),
        GatewayDestination::Address { network, ip } => format!("{network}/{ip}"),
    };
    json!({ "destination": destination, "hboneMtlsPort": gateway.hbone_mtls_port })
}

/// Nothing if it is what every service has.
fn balancer(balancing: &LoadBalancing) -> Option<Value> {
    (*balancing != LoadBalancing::default()).then(|| {
        json!({
            "routingPreferences": balancing.routing_preference.iter().map(|scope| format!("{scope:?}")).collect::<Vec<_>>(),
            "mode": format!("{:?}", balancing.mode),
            "healthPolicy": match balancing.health_policy {
                HealthPolicy::OnlyHealthy => "OnlyHealthy",
                HealthPolicy::AllowAll => "AllowAll",
            },
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::policy::{Action, Clause, Match, Rule};
    use weir_model::{PolicyScope, ServiceKey};

    #[test]
    fn a_policy_reads_as_istios_tools_expect_it() {
        let ports = Match { destination_ports: [80].into_iter().collect(), ..Match::default() };
        let mut policy = Policy::new("shop", "only-80", PolicyScope::WorkloadSelector, Action::Deny);
        policy.rules = vec![Rule { clauses: vec![Clause { matches: vec![ports] }] }];
        let dump = super::policy(&policy);
        assert_eq!((&dump["name"], &dump["namespace"]), (&json!("only-80"), &json!("shop")));
        assert_eq!((&dump["scope"], &dump["action"]), (&json!("WorkloadSelector"), &json!("Deny")));
        assert_eq!(dump["rules"][0][0][0]["destinationPorts"], json!([80]), "{dump}");
        assert_eq!(dump["dryRun"], json!(false));
    }

    #[test]
    fn a_workload_names_its_waypoint_and_leaves_out_what_is_empty() {
        let destination = GatewayDestination::Hostname(ServiceKey::new("shop", "waypoint.shop.svc"));
        let waypoint = Some(Box::new(GatewayAddress { destination, hbone_mtls_port: 15008 }));
        let dump = workload(&Workload { waypoint, ..Workload::pod("shop", "web") });
        assert_eq!(
            dump["waypoint"],
            json!({ "destination": "shop/waypoint.shop.svc", "hboneMtlsPort": 15008 })
        );
        assert_eq!(dump.get("locality"), None);
        assert_eq!(dump.get("nativeTunnel"), None);
    }
}
