//! Who a client says it is, held against who it has proved to be.

use std::net::IpAddr;
use std::sync::Arc;

use prost_types::value::Kind;
use weir_proto::core;

use super::Refusal;
use crate::auth::Caller;

/// What is kept of the `Node` of a first request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: Arc<str>,
    /// Its Kubernetes node: the workloads there are always sent. Empty: not said.
    pub(crate) node_name: Arc<str>,
    /// A node proxy, which asks for workloads and policies, both.
    pub(crate) is_node_proxy: bool,
    /// It asks for what waypoints are told.
    pub(crate) is_waypoint: bool,
    /// One of ours, which waits for the rest of an answer that comes in parts.
    pub(crate) joins_parts: bool,
}

impl Node {
    /// Reads and checks a node: its form, and that the caller is who it claims to be.
    pub(crate) fn admit(message: &core::Node, caller: &Caller) -> Result<Self, Refusal> {
        let id = &*message.id;
        if id.is_empty() {
            return Err(Refusal::NoNode);
        }
        let bad = || Refusal::BadNode(shortened(id));
        let parts: Vec<&str> = id.split('~').collect();
        let [kind, ip, _, domain] = parts[..] else { return Err(bad()) };
        let has_ip = [ip].into_iter().chain(text(message, "INSTANCE_IPS").unwrap_or_default().split(','));
        if id.len() > LONGEST || kind.is_empty() || !has_ip.into_iter().any(|ip| ip.parse::<IpAddr>().is_ok())
        {
            return Err(bad());
        }
        let namespace = match text(message, "NAMESPACE") {
            Some(namespace) if !namespace.is_empty() => namespace,
            _ => domain.split('.').next().unwrap_or_default(),
        };
        let account = text(message, "SERVICE_ACCOUNT").filter(|account| !account.is_empty());
        if namespace != &*caller.namespace
            || account.is_some_and(|account| account != &*caller.service_account)
        {
            let claim = shortened(&format!("{namespace}/{}", account.unwrap_or("*")));
            return Err(Refusal::NotTheCaller { caller: caller.to_string(), claim });
        }
        let node_name = text(message, "NODE_NAME").filter(|name| name.len() <= LONGEST).unwrap_or_default();
        Ok(Self {
            id: id.into(),
            node_name: node_name.into(),
            is_node_proxy: kind == "ztunnel",
            is_waypoint: kind == "waypoint",
            joins_parts: text(message, "WEIR_VERSION").is_some(),
        })
    }
}

/// A metadata value that is a text.
fn text<'a>(message: &'a core::Node, key: &str) -> Option<&'a str> {
    match message.metadata.as_ref()?.fields.get(key)?.kind.as_ref()? {
        Kind::StringValue(text) => Some(text),
        _ => None,
    }
}

/// What may be shown of a text that a stranger chose.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Longest id, in bytes: names of a pod and a namespace, a domain, and what is between.
const LONGEST: usize = 1024;
const SHOWN: usize = 512;
