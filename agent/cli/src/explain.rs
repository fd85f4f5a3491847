//! What becomes of a connection or a request, and why: the agents' and waypoints' own functions, asked about a mesh that nobody runs.

mod model;
mod waypoint;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::Serialize;
use weir_model::{
    Connection, Directory, Ejected, Identity, Route, Terms, TunnelProtocol, Verdict, Workload, admit, route,
};

pub use model::Names;
pub use waypoint::Asked;

/// The answer, step by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// Whether it arrives.
    pub allowed: bool,
    /// What is decided where, in order.
    pub steps: Vec<Step>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Who decides: the agent of a node, a waypoint.
    pub place: String,
    /// What.
    pub decision: String,
    /// By which rule, and why.
    pub why: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Nothing is called so.
    #[error("{what} {name:?} is not in this mesh; `weir config {list}` lists what is")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// What was given.
        name: String,
        /// What lists them.
        list: &'static str,
    },
    /// It cannot be read.
    #[error("{text:?}: {why}")]
    Unreadable {
        /// What was given.
        text: String,
        /// Why not.
        why: &'static str,
    },
    /// A resource of ours is not what an agent takes.
    #[error("what the index says cannot be read: {0}")]
    Index(String),
}

/// Where something is tried to get to.
#[derive(Debug, Clone)]
pub struct Dialled {
    /// What is dialled.
    pub address: SocketAddr,
    /// How it was named.
    pub name: String,
}

impl Explanation {
    /// What becomes of a connection of `source`, and, if one is asked about, of a request on it.
    ///
    /// # Errors
    /// The mesh cannot be read.
    pub fn of(
        mesh: &weir_index::Snapshot,
        directory: &Directory,
        source: &Arc<Workload>,
        dialled: &Dialled,
        asked: Option<&Asked>,
    ) -> Result<Self, ExplainError> {
        let mut explanation = Self::default();
        let agent = node_of(source);
        let Some(source_ip) = source.addresses.first().copied() else {
            return Err(ExplainError::Unreadable { text: source.uid.to_string(), why: "it has no address" });
        };
        if source.tunnel_protocol != TunnelProtocol::Hbone {
            explanation.say(&agent, "not captured", "the source is not in the mesh: it speaks plainly, and no agent or waypoint of its side decides");
            explanation.plainly(directory, dialled, source_ip);
            return Ok(explanation);
        }
        // The first endpoint: the others differ in nothing that is decided here.
        let mut first = |_: u64| 0;
        match route(directory, source, dialled.address, &mut first, &|_, _| Ejected::default()) {
            Route::Refuse(refusal) => explanation.end(&agent, false, "refused", &refusal.to_string()),
            Route::PassThrough { addr, terms } => {
                explanation.terms(&agent, terms.as_ref());
                explanation.end(
                    &agent,
                    true,
                    "passed through",
                    &format!("{addr} is nothing that the mesh knows: it goes there as it is"),
                );
            }
            Route::Direct { workload, addr, terms, .. } => {
                explanation.terms(&agent, terms.as_ref());
                let why = format!("{} at {addr} is not in the mesh: plaintext", workload.uid);
                explanation.say(&agent, "sent plainly", &why);
                explanation.arrive(directory, &workload, None, source_ip, addr);
            }
            Route::Tunnel { workload, addr, expected, gateway: None, terms, .. } => {
                explanation.terms(&agent, terms.as_ref());
                let why = format!("to {} at {addr}, which must prove {}", workload.uid, any_of(&expected));
                explanation.say(&agent, "tunnelled", &why);
                let peer = source.identity();
                explanation.arrive(directory, &workload, Some(&peer), source_ip, addr);
            }
            Route::Tunnel { workload, addr, service, gateway: Some(gateway), .. } => {
                let why =
                    format!("{} is reached through waypoint {} at {gateway}", dialled.name, workload.uid);
                explanation.say(&agent, "sent to the waypoint", &why);
                let at =
                    waypoint::At { workload: &workload, service: service.as_deref(), source, dialled: addr };
                waypoint::pass(&mut explanation, mesh, directory, &at, asked)?;
            }
        }
        Ok(explanation)
    }

    /// As whoever is not captured sends it: past waypoints, in plaintext.
    fn plainly(&mut self, directory: &Directory, dialled: &Dialled, source_ip: IpAddr) {
        let (ip, port) = (dialled.address.ip(), dialled.address.port());
        if let Some(workload) = directory.workload_by_ip("", ip) {
            let workload = workload.clone();
            return self.arrive(directory, &workload, None, source_ip, dialled.address);
        }
        let Some(service) = directory.service_by_vip("", ip, "") else {
            return self.end("the network", true, "passed", "the mesh does not know the destination");
        };
        let endpoint = directory.endpoints(&service.key).find_map(|workload| {
            let target =
                workload.services.get(&service.key)?.iter().find(|mapping| mapping.service_port == port)?;
            Some((workload.clone(), SocketAddr::new(*workload.addresses.first()?, target.target_port)))
        });
        match endpoint {
            Some((workload, address)) => self.arrive(directory, &workload, None, source_ip, address),
            None => {
                self.end("the network", false, "nobody is there", "the service has no endpoint on that port")
            }
        }
    }

    /// What the destination's side says.
    fn arrive(
        &mut self,
        directory: &Directory,
        workload: &Workload,
        peer: Option<&Identity>,
        source_ip: IpAddr,
        destination: SocketAddr,
    ) {
        let agent = node_of(workload);
        if workload.tunnel_protocol != TunnelProtocol::Hbone {
            return self.end(
                &agent,
                true,
                "not captured",
                "the destination is not in the mesh: nobody asks a policy",
            );
        }
        match admit(directory, workload, &Connection { peer, source_ip, destination }) {
            Verdict::Allow => {
                let policies = directory.policies_for(workload).count();
                let who = peer.map_or_else(|| "plaintext".to_owned(), ToString::to_string);
                let why = format!(
                    "{who} may come in at port {}; {policies} policies were asked",
                    destination.port()
                );
                self.end(&agent, true, "let in", &why);
            }
            Verdict::Deny(denial) => {
                let note = denial.policy().map_or("", |policy| made_of(policy));
                self.end(&agent, false, "denied", &format!("{denial}{note}"));
            }
        }
    }

    fn say(&mut self, place: &str, decision: &str, why: &str) {
        self.steps.push(Step { place: place.into(), decision: decision.into(), why: why.into() });
    }

    /// What limits the connection, if something does.
    fn terms(&mut self, agent: &str, terms: Option<&Terms>) {
        let Some(Terms { service, port, policy }) = terms else { return };
        let limits = [
            policy.max_connections.map(|most| format!("at most {most} connections from this node at a time")),
            policy.connect_timeout.map(|limit| format!("{limit:?} to connect")),
            policy.keepalive.map(|_| "TCP keepalive".to_owned()),
            policy.outlier.map(|outlier| {
                let failures = outlier.consecutive_failures;
                format!("endpoints that fail {failures} times in a row are left out for a while")
            }),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        let why = format!("{} port {port}: {}, says {}", service.key, limits.join(", "), policy.origin);
        self.say(agent, "limited", &why);
    }

    fn end(&mut self, place: &str, allowed: bool, decision: &str, why: &str) {
        self.allowed = allowed;
        self.say(place, decision, why);
    }
}

fn node_of(workload: &Workload) -> String {
    match &*workload.node {
        "" => "agent".to_owned(),
        node => format!("agent of {node}"),
    }
}

/// What a policy that nobody wrote was made of.
fn made_of(policy: &str) -> &'static str {
    let name = policy.split_once('/').map_or(policy, |(_, name)| name);
    match name {
        name if name.starts_with("istio_converted") => " (of PeerAuthentication STRICT: no plaintext)",
        name if name.starts_with("weir_waypoint_only") => " (only its waypoint may come here)",
        _ => "",
    }
}

fn any_of(identities: &[Identity]) -> String {
    identities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
