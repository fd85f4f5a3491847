//! A service as its clients see it: its ports, and on each of them the routes.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
};

use weir_proto::l7::{self, Protocol};

use super::{
    backend::port,
    connection::{ConnectionRouted, ConnectionTable},
    rejection::{Reason, Rejection, Within as _},
    request::{RequestHead, SourceView},
    table::{Routed, Table},
};

/// A compiled `Frontend`. Its authorizations are compiled apart.
#[derive(Debug)]
pub struct Frontend {
    ports: HashMap<u16, Port>,
}

/// A port of a service.
#[derive(Debug)]
pub struct Port {
    /// What is spoken there.
    pub protocol: Protocol,
    number: u16,
    sets: Vec<Table>,
    /// The first set that holds for the clients of a namespace.
    by_namespace: HashMap<Box<str>, usize>,
    /// The first that holds for all.
    for_all: Option<usize>,
    tls: ConnectionTable,
    tcp: ConnectionTable,
    asks_labels: bool,
}

impl Frontend {
    /// Compiles the form, all of it or nothing.
    pub fn compile(form: &l7::Frontend) -> Result<Frontend, Rejection> {
        let mut ports = HashMap::new();
        for (n, form) in form.ports.iter().enumerate() {
            let compiled = Port::compile(form).and_then(|port| match ports.entry(port.number) {
                Entry::Occupied(_) => Err(Reason::Duplicate).within("port"),
                Entry::Vacant(place) => Ok(place.insert(port)),
            });
            compiled.within(&format!("[{n}]")).within("ports")?;
        }
        Ok(Frontend { ports })
    }

    /// The port that a client dialled.
    pub fn port(&self, port: u16) -> Option<&Port> {
        self.ports.get(&port)
    }

    /// All of its ports.
    pub fn ports(&self) -> impl Iterator<Item = &Port> {
        self.ports.values()
    }
}

impl Port {
    fn compile(form: &l7::FrontendPort) -> Result<Port, Rejection> {
        let protocol = Protocol::try_from(form.protocol);
        let protocol = protocol.map_err(|_| Reason::UnknownValue(form.protocol)).within("protocol")?;
        let mut sets = Vec::with_capacity(form.http.len());
        let (mut by_namespace, mut for_all) = (HashMap::new(), None);
        for (n, set) in form.http.iter().enumerate() {
            sets.push(Table::compile(&set.rules).within(&format!("[{n}]")).within("http")?);
            if set.source_namespace.is_empty() {
                for_all.get_or_insert(n);
            } else {
                by_namespace.entry(set.source_namespace.as_str().into()).or_insert(n);
            }
        }
        let tls = ConnectionTable::compile(&form.tls).within("tls")?;
        let tcp = ConnectionTable::compile(&form.tcp).within("tcp")?;
        Ok(Port {
            asks_labels: sets.iter().any(Table::asks_labels) || tls.asks_labels() || tcp.asks_labels(),
            protocol,
            number: port(form.port).within("port")?,
            sets,
            by_namespace,
            for_all,
            tls,
            tcp,
        })
    }

    /// As clients dial it.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// What is to be done with a request. Its path is normalised already.
    pub fn route(&self, request: &RequestHead<'_>, source: &SourceView<'_>) -> Routed<'_> {
        if self.is_unclear(source) {
            return Routed::Unknown;
        }
        let for_them = source.namespace.and_then(|namespace| self.by_namespace.get(namespace));
        let set = match (for_them.copied(), self.for_all) {
            (Some(one), Some(other)) => one.min(other),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return Routed::Own,
        };
        self.sets[set].find(request, source).map_or(Routed::NotFound, Routed::Rule)
    }

    /// Where a TLS connection goes that is passed through. `sni` is what the client's hello says.
    pub fn tls_route(
        &self,
        sni: Option<&str>,
        destination: IpAddr,
        source: &SourceView<'_>,
    ) -> ConnectionRouted<'_> {
        match self.is_unclear(source) {
            true => ConnectionRouted::Refused,
            false => self.tls.find(sni, destination, source),
        }
    }

    /// Where a TCP connection goes.
    pub fn tcp_route(&self, destination: IpAddr, source: &SourceView<'_>) -> ConnectionRouted<'_> {
        match self.is_unclear(source) {
            true => ConnectionRouted::Refused,
            false => self.tcp.find(None, destination, source),
        }
    }

    /// Whether routes look at the labels of clients.
    pub fn asks_labels(&self) -> bool {
        self.asks_labels
    }

    /// What its routes mean for the client is not to be said.
    fn is_unclear(&self, source: &SourceView<'_>) -> bool {
        self.asks_labels && !source.labels.are_known()
    }
}

#[cfg(test)]
mod tests;
