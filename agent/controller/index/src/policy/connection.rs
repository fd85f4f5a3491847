//! What a rule can ask of a connection, which is all that node proxies see.

use serde_json::Value;
use weir_proto::security::Match;

use super::finding::Severity;
use super::path::Path;
use super::read::{self, Unknown, quoted};
use super::term::{Asks, Reader};
use super::value;

impl Asks for Match {
    fn source(
        &mut self,
        reader: &mut Reader<'_>,
        name: &str,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        let namespace = reader.namespace;
        let account = |text: &str| value::account(text, namespace);
        match name {
            "principals" => self.principals = reader.principals(value, at)?,
            "notPrincipals" => self.not_principals = reader.principals(value, at)?,
            "namespaces" => self.namespaces = reader.patterns(value, at)?,
            "notNamespaces" => self.not_namespaces = reader.patterns(value, at)?,
            "serviceAccounts" => self.service_accounts = reader.texts(value, at, account)?,
            "notServiceAccounts" => self.not_service_accounts = reader.texts(value, at, account)?,
            "ipBlocks" => self.source_ips = reader.texts(value, at, value::range)?,
            "notIpBlocks" => self.not_source_ips = reader.texts(value, at, value::range)?,
            "requestPrincipals" | "notRequestPrincipals" | "remoteIpBlocks" | "notRemoteIpBlocks" => {
                return reader.unsupported(value, at, NEEDS_WAYPOINT);
            }
            "trustDomains" | "notTrustDomains" => return reader.unsupported(value, at, NOT_COMPARED),
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
        match name {
            "ports" => self.destination_ports = reader.texts(value, at, value::port)?,
            "notPorts" => self.not_destination_ports = reader.texts(value, at, value::port)?,
            "hosts" | "notHosts" | "methods" | "notMethods" | "paths" | "notPaths" => {
                return reader.unsupported(value, at, NEEDS_WAYPOINT);
            }
            _ => return Err(read::unknown_field(at, reader.findings)),
        }
        Ok(())
    }

    fn key(&mut self, reader: &mut Reader<'_>, key: &str, at: &Path<'_>) -> Result<(), Unknown> {
        let of_requests = key == "remote.ip"
            || key == "connection.sni"
            || ["request.", "experimental.envoy.filters."].iter().any(|prefix| key.starts_with(prefix));
        let why = match key {
            "source.ip" | "source.namespace" | "source.principal" | "destination.ip" | "destination.port" => {
                return Ok(());
            }
            "source.trustDomain" | "source.serviceAccount" => NOT_COMPARED,
            _ if of_requests => NEEDS_WAYPOINT,
            _ => return Err(reader.unknown_key(key, at)),
        };
        reader.findings.add(Severity::Unsupported, at, format!("{} {why}", quoted(key)));
        Err(Unknown)
    }

    fn values(
        &mut self,
        reader: &mut Reader<'_>,
        key: &str,
        not: bool,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        match (key, not) {
            ("source.ip", false) => self.source_ips = reader.texts(value, at, value::range)?,
            ("source.ip", true) => self.not_source_ips = reader.texts(value, at, value::range)?,
            ("source.namespace", false) => self.namespaces = reader.patterns(value, at)?,
            ("source.namespace", true) => self.not_namespaces = reader.patterns(value, at)?,
            ("source.principal", false) => self.principals = reader.principals(value, at)?,
            ("source.principal", true) => self.not_principals = reader.principals(value, at)?,
            ("destination.ip", false) => self.destination_ips = reader.texts(value, at, value::range)?,
            ("destination.ip", true) => self.not_destination_ips = reader.texts(value, at, value::range)?,
            ("destination.port", false) => self.destination_ports = reader.texts(value, at, value::port)?,
            ("destination.port", true) => {
                self.not_destination_ports = reader.texts(value, at, value::port)?
            }
            _ => drop(reader.any_texts(value, at)?),
        }
        Ok(())
    }

    fn forget_peers(&mut self) {
        self.service_accounts.clear();
        self.not_service_accounts.clear();
        self.principals.clear();
        self.not_principals.clear();
        self.namespaces.clear();
        self.not_namespaces.clear();
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

const NEEDS_WAYPOINT: &str =
    "is about requests; node proxies see connections, so it needs a policy of a waypoint (targetRefs)";

const NOT_COMPARED: &str =
    "is nothing that a policy can tell a node proxy; it needs a policy of a waypoint (targetRefs)";
