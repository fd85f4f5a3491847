//! `weir config`: what an agent or a waypoint knows.

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Error, print};
use crate::cli::{Global, Outcome};
use crate::live::{self, ADMIN, Process};
use crate::output::{self, Format};

/// Commands of `weir config`.
#[derive(Subcommand)]
pub(crate) enum Config {
    /// Workloads that an agent knows.
    Workloads(From),
    /// Services that an agent knows.
    Services(From),
    /// Policies of layer 4 that an agent enforces.
    Policies(From),
    /// Certificates that an agent or a waypoint holds.
    Certificates(From),
    /// Connections that are open now, of one node or of all.
    Connections(From),
    /// Services that a waypoint serves, and their routes.
    Routes(From),
    /// Backends of a waypoint, and their endpoints.
    Endpoints(From),
    /// The whole dump, as JSON.
    All(From),
}

/// From whom.
#[derive(Args)]
#[command(
    after_help = "The first agent that answers, if nobody is named: all agents know the same workloads, services and policies."
)]
pub(crate) struct From {
    /// Pod of an agent or a waypoint: NAMESPACE/NAME, or NAME in the mesh's namespace.
    #[arg(value_name = "POD")]
    pod: Option<String>,
    /// The agent of this node.
    #[arg(long, value_name = "NAME", conflicts_with = "pod")]
    node: Option<String>,
    /// Admin endpoint of an agent or a waypoint, without a cluster.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["pod", "node"])]
    admin: Option<SocketAddr>,
    /// A file with a dump, as `weir config all` or a bug report has it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pod", "node", "admin"])]
    file: Option<std::path::PathBuf>,
    /// Only of this namespace.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl Config {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let (from, part, view): (_, _, fn(&[Value]) -> String) = match self {
            Self::Workloads(from) => (from, "workloads", workloads),
            Self::Services(from) => (from, "services", services),
            Self::Policies(from) => (from, "policies", policies),
            Self::Certificates(from) => (from, "certificates", certificates),
            Self::Connections(from) => return from.connections(global).await,
            Self::Routes(from) => (from, "frontends", routes),
            Self::Endpoints(from) => (from, "backends", endpoints),
            Self::All(from) => {
                let dump = from.dump(global, true).await?;
                let format = if from.output == Format::Table { Format::Json } else { from.output };
                print(&output::text(format, &dump, String::new)?)?;
                return Ok(Outcome::Done);
            }
        };
        let is_waypoints = matches!(part, "frontends" | "backends");
        let dump = from.dump(global, !is_waypoints).await?;
        let Some(items) = dump[part].as_array() else {
            let who = if dump.get("gateway").is_some() { "a waypoint" } else { "an agent" };
            return Err(Error::Refused(format!("the dump of {who} has no {part}")));
        };
        let is_in =
            |item: &&Value| from.namespace.as_ref().is_none_or(|wanted| item["namespace"] == **wanted);
        let items: Vec<_> = items.iter().filter(is_in).cloned().collect();
        print(&output::text(from.output, &items, || view(&items))?)?;
        Ok(Outcome::Done)
    }
}

impl From {
    /// Those of one agent, or of all: each knows those of its own node.
    async fn connections(&self, global: &Global) -> Result<Outcome, Error> {
        let mut silent = Vec::new();
        let mut items = Vec::new();
        if let Some(path) = &self.file {
            let page: Value =
                serde_json::from_str(&std::fs::read_to_string(path)?).map_err(output::OutputError::from)?;
            let Value::Array(all) = page else {
                let why = "a dump has no connections; a bug report has them in a file of their own, *_connections.json";
                return Err(Error::Refused(why.into()));
            };
            items = all;
        } else {
            for (node, process, page) in self.pages(global).await? {
                match page {
                    Ok(Value::Array(all)) => items.extend(all.into_iter().map(|mut one| {
                        one["node"] = node.clone().into();
                        one
                    })),
                    Ok(_) => silent.push(format!("{process}: its answer is no list of connections")),
                    Err(why) => silent.push(why),
                }
            }
        }
        items.retain(|item| self.namespace.as_ref().is_none_or(|wanted| item["namespace"] == **wanted));
        print(&output::text(self.output, &items, || connections(&items))?)?;
        silent.iter().for_each(|why| eprintln!("weir: {why}"));
        Ok(if silent.is_empty() { Outcome::Done } else { Outcome::Found })
    }

    /// What is open on each node that is meant.
    async fn pages(&self, global: &Global) -> Result<Vec<(String, Process, Result<Value, String>)>, Error> {
        const PATH: &str = "/connections";
        if let Some(address) = self.admin {
            let page = live::page(None, &Process::At(address), ADMIN, PATH).await?;
            return Ok(vec![("-".into(), Process::At(address), Ok(page))]);
        }
        let cluster = global.cluster().await?;
        let pods = live::pods(&cluster, &global.mesh_namespace, "app=weir-agent").await?;
        let name = self.pod.as_ref().map(|pod| pod.rsplit_once('/').map_or(&**pod, |(_, name)| name));
        let is_meant = |pod: &&Value| {
            self.node.as_ref().is_none_or(|node| pod["spec"]["nodeName"] == **node)
                && name.is_none_or(|name| pod["metadata"]["name"] == *name)
        };
        let meant: Vec<_> = pods.iter().filter(is_meant).collect();
        if meant.is_empty() {
            let which = match (&self.node, &self.pod) {
                (Some(node), _) => format!("no agent runs on node {node}"),
                (_, Some(pod)) => {
                    format!("{pod} is no agent's pod that runs; waypoints do not list their connections")
                }
                _ => format!("no agent runs in namespace {}", global.mesh_namespace),
            };
            return Err(Error::Refused(which));
        }
        let nodes = meant.iter().map(|pod| text(&pod["spec"]["nodeName"])).collect::<Vec<_>>();
        let processes = meant.into_iter().map(live::process).collect();
        let pages = live::pages(Some(&cluster), processes, ADMIN, PATH).await;
        Ok(nodes.into_iter().zip(pages).map(|(node, (process, page))| (node, process, page)).collect())
    }

    async fn dump(&self, global: &Global, agents: bool) -> Result<Value, Error> {
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path)?;
            return Ok(serde_json::from_str(&text).map_err(output::OutputError::from)?);
        }
        if let Some(address) = self.admin {
            return Ok(live::page(None, &Process::At(address), ADMIN, "/config_dump").await?);
        }
        let cluster = global.cluster().await?;
        let namespace = &global.mesh_namespace;
        let process = match &self.pod {
            Some(pod) => {
                let (namespace, name) = pod.split_once('/').unwrap_or((namespace, pod));
                Process::Pod(crate::cluster::PodRef { namespace: namespace.into(), name: name.into() })
            }
            None if agents => {
                let pods = live::pods(&cluster, namespace, "app=weir-agent").await?;
                let is_on =
                    |pod: &&Value| self.node.as_ref().is_none_or(|node| pod["spec"]["nodeName"] == **node);
                let found = pods.iter().find(is_on);
                let absent = || match &self.node {
                    Some(node) => Error::Refused(format!("no agent runs on node {node}")),
                    None => Error::Refused(format!("no agent runs in namespace {namespace}")),
                };
                live::process(found.ok_or_else(absent)?)
            }
            None => {
                return Err(Error::Refused("name the waypoint's pod (NAMESPACE/NAME), or --admin".into()));
            }
        };
        Ok(live::page(Some(&cluster), &process, ADMIN, "/config_dump").await?)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        value => value.to_string(),
    }
}

fn workloads(items: &[Value]) -> String {
    let rows = items.iter().map(|w| {
        let waypoint = text(&w["waypoint"]["destination"]);
        [
            text(&w["namespace"]),
            text(&w["name"]),
            text(&w["workloadIps"]),
            text(&w["node"]),
            text(&w["protocol"]),
            mtls(w).to_owned(),
            waypoint,
        ]
    });
    output::table(&["NAMESPACE", "NAME", "ADDRESS", "NODE", "PROTOCOL", "MTLS", "WAYPOINT"], rows)
}

/// Controllers write a PeerAuthentication as a policy that denies who has no identity, as Istio's does; a mesh file says the mode itself.
fn mtls(workload: &Value) -> &str {
    let policies =
        workload["authorizationPolicies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<&str> = policies.map(|key| key.rsplit('/').next().unwrap_or(key)).collect();
    match workload["peerAuthentication"].as_str() {
        Some(mode) if mode != "PERMISSIVE" => mode,
        _ if names.contains(&"istio_converted_static_strict") => "STRICT",
        _ if names.iter().any(|name| name.starts_with("converted_peer_authentication_")) => "BY PORT",
        mode => mode.unwrap_or("-"),
    }
}

fn services(items: &[Value]) -> String {
    let rows = items.iter().map(|s| {
        let all = s["endpoints"].as_object();
        let healthy =
            all.into_iter().flatten().filter(|(_, endpoint)| endpoint["status"] == "Healthy").count();
        let endpoints = format!("{healthy}/{}", all.map_or(0, serde_json::Map::len));
        [
            text(&s["namespace"]),
            text(&s["hostname"]),
            text(&s["vips"]),
            text(&s["waypoint"]["destination"]),
            endpoints,
        ]
    });
    output::table(&["NAMESPACE", "HOST", "VIP", "WAYPOINT", "ENDPOINTS"], rows)
}

fn policies(items: &[Value]) -> String {
    let rows = items.iter().map(|p| {
        let rules = p["rules"].as_array().map_or(0, Vec::len).to_string();
        [
            text(&p["namespace"]),
            text(&p["name"]),
            text(&p["action"]),
            text(&p["scope"]),
            rules,
            text(&p["dryRun"]),
        ]
    });
    output::table(&["NAMESPACE", "NAME", "ACTION", "SCOPE", "RULES", "DRY RUN"], rows)
}

fn certificates(items: &[Value]) -> String {
    let rows = items.iter().map(|c| {
        let leaf = &c["certChain"][0];
        [
            text(&c["identity"]),
            text(&c["state"]),
            text(&leaf["serialNumber"]),
            text(&leaf["validFrom"]),
            text(&leaf["expirationTime"]),
        ]
    });
    output::table(&["IDENTITY", "STATE", "SERIAL", "VALID FROM", "UNTIL"], rows)
}

fn connections(items: &[Value]) -> String {
    let rows = items.iter().map(|c| {
        let is_out = c["direction"] == "outbound";
        let peer = if is_out { &c["destinationIdentity"] } else { &c["sourceIdentity"] };
        [
            text(&c["node"]),
            format!("{}/{}", text(&c["namespace"]), text(&c["workload"])),
            text(&c["direction"]),
            text(&c["source"]),
            text(&c["destination"]),
            text(&c["service"]),
            text(peer),
            text(&c["bytesSent"]),
            text(&c["bytesReceived"]),
            text(&c["seconds"]),
        ]
    });
    let head =
        ["NODE", "WORKLOAD", "DIRECTION", "FROM", "TO", "SERVICE", "PEER", "SENT", "RECEIVED", "SECONDS"];
    output::table(&head, rows)
}

fn routes(items: &[Value]) -> String {
    let rows = items.iter().flat_map(|frontend| {
        let ports = frontend["ports"].as_array().into_iter().flatten();
        ports.map(|port| {
            [
                text(&frontend["name"]),
                text(&port["port"]),
                text(&port["protocol"]),
                text(&port["routes"]),
                text(&frontend["authorizations"]),
            ]
        })
    });
    output::table(&["SERVICE", "PORT", "PROTOCOL", "ROUTES", "POLICIES"], rows)
}

fn endpoints(items: &[Value]) -> String {
    let rows = items.iter().flat_map(|backend| {
        let clusters = backend["clusters"].as_array().into_iter().flatten();
        clusters.flat_map(|cluster| {
            let endpoints = cluster["endpoints"].as_array().into_iter().flatten();
            endpoints.map(|endpoint| {
                let state = match (&endpoint["ejected"], &endpoint["healthy"]) {
                    (Value::Bool(true), _) => "ejected",
                    (_, Value::Bool(false)) => "unhealthy",
                    _ => "ok",
                };
                [
                    text(&backend["name"]),
                    text(&cluster["port"]),
                    text(&cluster["subset"]),
                    text(&endpoint["address"]),
                    state.to_owned(),
                    text(&endpoint["requests"]),
                ]
            })
        })
    });
    output::table(&["BACKEND", "PORT", "SUBSET", "ENDPOINT", "STATE", "REQUESTS"], rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_of_a_dump() {
        let workload = json!({"namespace": "shop", "name": "web", "workloadIps": ["10.0.0.1", "fd00::1"], "node": "a", "protocol": "HBONE", "peerAuthentication": "STRICT"});
        assert_eq!(
            workloads(&[workload]),
            "NAMESPACE  NAME  ADDRESS           NODE  PROTOCOL  MTLS    WAYPOINT\n\
             shop       web   10.0.0.1,fd00::1  a     HBONE     STRICT  -\n"
        );
        let of = |policy: &str| json!({"peerAuthentication": "PERMISSIVE", "authorizationPolicies": ["shop/other", policy]});
        assert_eq!(mtls(&of("weir-system/istio_converted_static_strict")), "STRICT");
        assert_eq!(mtls(&of("shop/converted_peer_authentication_web")), "BY PORT");
        assert_eq!(mtls(&of("shop/web")), "PERMISSIVE");
        let service = json!({"namespace": "shop", "hostname": "web.shop", "vips": ["/10.96.0.1"], "endpoints": {"a": {"status": "Healthy"}, "b": {"status": "Unhealthy"}}});
        assert!(services(&[service]).ends_with("shop       web.shop  /10.96.0.1  -         1/2\n"));
        let frontend = json!({"name": "shop/web.shop", "ports": [{"port": 80, "protocol": "HTTP", "routes": ["a", "b"]}]});
        assert!(routes(&[frontend]).ends_with("shop/web.shop  80    HTTP      a,b     -\n"));
        let backend = json!({"name": "b", "clusters": [{"port": 80, "endpoints": [{"address": "10.0.0.1:80", "healthy": true, "ejected": true, "requests": 2}]}]});
        assert!(endpoints(&[backend]).ends_with("b        80    -       10.0.0.1:80  ejected  2\n"));
    }
}
