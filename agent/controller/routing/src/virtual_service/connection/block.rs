//! Match blocks of connections.

use std::collections::BTreeMap;

use weir_proto::l7;

use super::super::Context;
use super::super::matching::source;
use super::super::spec::{TcpMatch, TlsMatch};
use crate::part::Reported;
use crate::problem::{Effect, Problems, Reason, quoted};
use crate::value::{Port, Subnet, covers, is_host};

/// Where a block is for, and what it asks.
pub(super) type Read<'a> = Result<(Option<Port>, &'a [String], l7::ConnectionMatch), Reported>;

/// A match block.
pub(super) trait Block {
    fn form(&self, context: &Context<'_>, field: &str, problems: &mut Problems) -> Read<'_>;
}

impl Block for TlsMatch {
    fn form(&self, context: &Context<'_>, field: &str, problems: &mut Problems) -> Read<'_> {
        let hosts = context.virtual_service.hosts(context.mesh);
        let mut wrong = |field: String, message: String| {
            problems.add(field, Reason::Invalid, Effect::RuleLeftOut, message);
            Err(Reported)
        };
        if self.sni_hosts.is_empty() {
            return wrong(format!("{field}.sniHosts"), "is missing".to_owned());
        }
        for (i, name) in self.sni_hosts.iter().enumerate() {
            let lower = name.to_ascii_lowercase();
            let full = context.mesh.resolve(name, context.namespace());
            let allowed = |host: &String| covers(host, &lower) || covers(host, &full);
            if !is_host(name)
                || lower == "*" && hosts.iter().all(|host| host != "*")
                || !hosts.iter().any(allowed)
            {
                let message = format!("{} is not among the hosts of the VirtualService", quoted(name));
                return wrong(format!("{field}.sniHosts[{i}]"), message);
            }
        }
        let any = self.sni_hosts.iter().any(|name| name == "*");
        let sni_hosts =
            self.sni_hosts.iter().map(|name| name.to_ascii_lowercase()).filter(|_| !any).collect();
        let form = connection(&self.destination_subnets, &self.source_namespace, &self.source_labels);
        Ok((self.port, &self.gateways, l7::ConnectionMatch { sni_hosts, ..form }))
    }
}

impl Block for TcpMatch {
    fn form(&self, _: &Context<'_>, field: &str, problems: &mut Problems) -> Read<'_> {
        if !self.source_subnet.is_empty() {
            let message = "clients cannot be told by their addresses; use sourceLabels or sourceNamespace";
            let field = format!("{field}.sourceSubnet");
            problems.add(field, Reason::UnsupportedValue, Effect::RuleLeftOut, message);
            return Err(Reported);
        }
        let form = connection(&self.destination_subnets, &self.source_namespace, &self.source_labels);
        Ok((self.port, &self.gateways, form))
    }
}

fn connection(subnets: &[Subnet], namespace: &str, labels: &BTreeMap<String, String>) -> l7::ConnectionMatch {
    l7::ConnectionMatch {
        sni_hosts: Vec::new(),
        destination_subnets: subnets.iter().map(|subnet| subnet.0.clone()).collect(),
        source: source(namespace, labels),
    }
}
