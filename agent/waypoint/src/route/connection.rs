//! Where connections go whose requests nobody reads: TLS by its SNI, TCP by the address that was dialled and by who sent it.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use weir_proto::l7;

use super::{
    backend::{Backend, Weighted, backends},
    predicate::SourcePredicate,
    rejection::{Reason, Rejection, Within as _, each},
    request::SourceView,
};

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy)]
pub enum ConnectionRouted<'f> {
    /// It goes where this route says.
    Route(&'f Arc<ConnectionRoute>),
    /// It goes to the service itself: there are no routes.
    Own,
    /// There are routes, and none matches.
    Refused,
}

/// A compiled route of connections.
#[derive(Debug)]
pub struct ConnectionRoute {
    /// For logs.
    pub name: Arc<str>,
    /// One is chosen for each connection; none to choose refuses it.
    pub backends: Weighted<Backend>,
}

/// An ordered list of routes; as with requests, the first match wins.
#[derive(Debug, Default)]
pub(crate) struct ConnectionTable {
    routes: Vec<Arc<ConnectionRoute>>,
    entries: Vec<Entry>,
    /// Places of entries, in order: by host name, by what follows `*.`, and those for any name.
    exact: HashMap<Box<str>, Vec<usize>>,
    suffixes: HashMap<Box<str>, Vec<usize>>,
    any: Vec<usize>,
}

#[derive(Debug)]
struct Entry {
    route: usize,
    subnets: Vec<IpNet>,
    source: SourcePredicate,
}

impl ConnectionTable {
    pub(crate) fn compile(forms: &[l7::ConnectionRoute]) -> Result<ConnectionTable, Rejection> {
        let mut table = ConnectionTable::default();
        for (n, form) in forms.iter().enumerate() {
            table.insert(form).within(&format!("[{n}]"))?;
        }
        Ok(table)
    }

    /// Whether routes look at the labels of clients.
    pub(crate) fn asks_labels(&self) -> bool {
        self.entries.iter().any(|entry| entry.source.asks_labels())
    }

    pub(crate) fn find(
        &self,
        sni: Option<&str>,
        destination: IpAddr,
        source: &SourceView<'_>,
    ) -> ConnectionRouted<'_> {
        if self.routes.is_empty() {
            return ConnectionRouted::Own;
        }
        let sni = sni.map(host);
        let mut first: Option<usize> = None;
        let mut look = |list: &[usize]| {
            let holds = |place: &&usize| self.entries[**place].holds(destination, source);
            let place = list.iter().take_while(|place| first.is_none_or(|first| **place < first)).find(holds);
            first = place.copied().or(first);
        };
        look(&self.any);
        if let Some(sni) = &sni {
            look(self.exact.get(sni.as_str()).map_or(&[], Vec::as_slice));
            for (dot, _) in sni.match_indices('.') {
                look(self.suffixes.get(&sni[dot + 1..]).map_or(&[], Vec::as_slice));
            }
        }
        first.map_or(ConnectionRouted::Refused, |place| {
            ConnectionRouted::Route(&self.routes[self.entries[place].route])
        })
    }

    fn insert(&mut self, form: &l7::ConnectionRoute) -> Result<(), Rejection> {
        let route = self.routes.len();
        let everything = [l7::ConnectionMatch::default()];
        let matches = if form.matches.is_empty() { &everything[..] } else { &form.matches };
        for (n, form) in matches.iter().enumerate() {
            let subnets = each("destination_subnets", &form.destination_subnets, |text| subnet(text));
            let subnets = subnets.within(&format!("[{n}]")).within("matches")?;
            let source = SourcePredicate::compile(form.source.as_ref());
            self.entries.push(Entry { route, subnets, source });
            self.insert_hosts(self.entries.len() - 1, &form.sni_hosts);
        }
        let backends = backends(&form.backends)?;
        self.routes.push(Arc::new(ConnectionRoute { name: form.name.as_str().into(), backends }));
        Ok(())
    }

    fn insert_hosts(&mut self, place: usize, hosts: &[String]) {
        if hosts.is_empty() {
            self.any.push(place);
        }
        for name in hosts {
            let name = host(name);
            match name.strip_prefix("*.") {
                Some(suffix) => self.suffixes.entry(suffix.into()).or_default().push(place),
                None if name == "*" => self.any.push(place),
                None => self.exact.entry(name.into()).or_default().push(place),
            }
        }
    }
}

impl Entry {
    fn holds(&self, destination: IpAddr, source: &SourceView<'_>) -> bool {
        let destination = destination.to_canonical();
        (self.subnets.is_empty() || self.subnets.iter().any(|subnet| subnet.contains(&destination)))
            && self.source.holds(source)
    }
}

/// A host name as names are compared: without case, and without the root's dot.
fn host(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// A CIDR, or an address by itself.
fn subnet(text: &str) -> Result<IpNet, Rejection> {
    let subnet = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    subnet.map_err(|_| Reason::Subnet(text.to_owned()).into())
}

#[cfg(test)]
mod tests;
