//! What a rule can ask of a request.

use serde_json::Value;
use weir_proto::l7::{Condition, Operation, Peer, StringMatch};

use super::value;
use crate::policy::path::Path;
use crate::policy::read::{self, Unknown};
use crate::policy::term::{Asks, Reader};

/// What a part of a rule asks of a request. A source, an operation or a condition: the other two are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::policy) struct Asked {
    pub(super) peer: Peer,
    pub(super) operation: Operation,
    pub(super) condition: Condition,
}

impl Asks for Asked {
    fn source(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        let peer = &mut self.peer;
        match name {
            "principals" => peer.principals = reader.identities(value, at)?,
            "notPrincipals" => peer.not_principals = reader.identities(value, at)?,
            "namespaces" => peer.namespaces = reader.names(value, at)?,
            "notNamespaces" => peer.not_namespaces = reader.names(value, at)?,
            "serviceAccounts" => peer.principals = reader.accounts(value, at)?,
            "notServiceAccounts" => peer.not_principals = reader.accounts(value, at)?,
            "trustDomains" => peer.trust_domains = reader.names(value, at)?,
            "notTrustDomains" => peer.not_trust_domains = reader.names(value, at)?,
            "ipBlocks" => peer.ip_blocks = reader.texts(value, at, value::block)?,
            "notIpBlocks" => peer.not_ip_blocks = reader.texts(value, at, value::block)?,
            "remoteIpBlocks" => peer.remote_ip_blocks = reader.texts(value, at, value::block)?,
            "notRemoteIpBlocks" => peer.not_remote_ip_blocks = reader.texts(value, at, value::block)?,
            "requestPrincipals" | "notRequestPrincipals" => return reader.unsupported(value, at, NEEDS_JWT),
            _ => return Err(read::unknown_field(at, reader.findings)),
        }
        Ok(())
    }

    fn operation(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        let operation = &mut self.operation;
        match name {
            "hosts" => operation.hosts = reader.names(value, at)?,
            "notHosts" => operation.not_hosts = reader.names(value, at)?,
            "ports" => operation.ports = reader.texts(value, at, crate::policy::value::port)?,
            "notPorts" => operation.not_ports = reader.texts(value, at, crate::policy::value::port)?,
            "methods" => operation.methods = reader.methods(value, at)?,
            "notMethods" => operation.not_methods = reader.methods(value, at)?,
            "paths" => operation.paths = reader.paths(value, at)?,
            "notPaths" => operation.not_paths = reader.paths(value, at)?,
            _ => return Err(read::unknown_field(at, reader.findings)),
        }
        Ok(())
    }

    fn key(&mut self, reader: &mut Reader<'_>, key: &str, at: &Path<'_>) -> Result<(), Unknown> {
        self.read_key(reader, key, at)
    }

    fn values(
        &mut self,
        reader: &mut Reader<'_>,
        key: &str,
        not: bool,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        self.read_values(reader, key, not, value, at)
    }

    fn forget_peers(&mut self) {
        self.peer.principals.clear();
        self.peer.not_principals.clear();
        self.peer.namespaces.clear();
        self.peer.not_namespaces.clear();
    }

    fn is_empty(&self) -> bool {
        let c = &self.condition;
        let no_values = c.values.is_empty() && c.not_values.is_empty();
        let no_blocks = c.ip_blocks.is_empty() && c.not_ip_blocks.is_empty();
        self.peer == Peer::default() && self.operation == Operation::default() && no_values && no_blocks
    }
}

impl Reader<'_> {
    /// Patterns of names.
    pub(super) fn names(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        Ok(self.patterns(value, at)?.into_iter().map(value::neutral).collect())
    }

    /// Patterns of peers' identities.
    pub(super) fn identities(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        Ok(self.principals(value, at)?.into_iter().map(value::neutral).collect())
    }

    /// Service accounts of any trust domain, as identities.
    pub(super) fn accounts(&mut self, value: &Value, at: &Path<'_>) -> Result<Vec<StringMatch>, Unknown> {
        let namespace = self.namespace;
        self.texts(value, at, |text| value::account(text, namespace))
    }
}

pub(super) const NEEDS_JWT: &str = "is about tokens (JWT), which nobody here looks at yet";
