//! The keys of conditions.

use serde_json::Value;
use weir_proto::l7::Attribute;
use weir_proto::l7::condition::Attribute as On;

use super::asked::{Asked, NEEDS_JWT};
use super::value;
use crate::policy::finding::Severity;
use crate::policy::path::Path;
use crate::policy::read::{Unknown, quoted};
use crate::policy::term::Reader;

/// What a key is about.
enum Subject {
    Known(Attribute),
    /// Service accounts, which identities end with.
    Account,
    Header(String),
    /// Well-formed, and nobody here can look at it.
    Unsupported(&'static str),
    Unknown,
}

impl Asked {
    pub(super) fn read_key(
        &mut self,
        reader: &mut Reader<'_>,
        key: &str,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        let attribute = match subject(key) {
            Subject::Known(attribute) => On::Known(attribute.into()),
            Subject::Account => On::Known(Attribute::SourcePrincipal.into()),
            Subject::Header(name) => On::Header(name),
            Subject::Unsupported(why) => {
                reader.findings.add(Severity::Unsupported, at, format!("{} {why}", quoted(key)));
                return Err(Unknown);
            }
            Subject::Unknown => return Err(reader.unknown_key(key, at)),
        };
        self.condition.attribute = Some(attribute);
        Ok(())
    }

    pub(super) fn read_values(
        &mut self,
        reader: &mut Reader<'_>,
        key: &str,
        not: bool,
        value: &Value,
        at: &Path<'_>,
    ) -> Result<(), Unknown> {
        let condition = &mut self.condition;
        let values = match subject(key) {
            Subject::Known(Attribute::SourceIp | Attribute::RemoteIp | Attribute::DestinationIp) => {
                let blocks = if not { &mut condition.not_ip_blocks } else { &mut condition.ip_blocks };
                *blocks = reader.texts(value, at, value::block)?;
                return Ok(());
            }
            Subject::Known(Attribute::DestinationPort) => reader.texts(value, at, value::port)?,
            Subject::Known(Attribute::SourcePrincipal) => reader.identities(value, at)?,
            Subject::Known(_) => reader.names(value, at)?,
            Subject::Account => reader.accounts(value, at)?,
            Subject::Header(name) => {
                let mut values = reader.names(value, at)?;
                // Hosts have no case, whatever else headers have.
                values.iter_mut().for_each(|value| value.ignore_case = name == HOST);
                values
            }
            Subject::Unsupported(_) | Subject::Unknown => return reader.any_texts(value, at).map(drop),
        };
        *(if not { &mut condition.not_values } else { &mut condition.values }) = values;
        Ok(())
    }
}

fn subject(key: &str) -> Subject {
    Subject::Known(match key {
        "source.ip" => Attribute::SourceIp,
        "remote.ip" => Attribute::RemoteIp,
        "source.namespace" => Attribute::SourceNamespace,
        "source.principal" => Attribute::SourcePrincipal,
        "source.trustDomain" => Attribute::SourceTrustDomain,
        "destination.ip" => Attribute::DestinationIp,
        "destination.port" => Attribute::DestinationPort,
        "connection.sni" => Attribute::ConnectionSni,
        "source.serviceAccount" => return Subject::Account,
        _ if key.starts_with("request.auth.") => return Subject::Unsupported(NEEDS_JWT),
        _ if key.starts_with("experimental.envoy.filters.") => return Subject::Unsupported(OF_ENVOY),
        _ => {
            let name = key.strip_prefix("request.headers[").and_then(|rest| rest.strip_suffix(']'));
            return name.map_or(Subject::Unknown, header);
        }
    })
}

fn header(name: &str) -> Subject {
    match name {
        ":authority" => Subject::Header(HOST.to_owned()),
        // As Envoy has them: the path with its query.
        ":method" | ":path" => Subject::Header(name.to_owned()),
        _ if name.starts_with(':') => Subject::Unsupported("is no header here"),
        _ if value::is_header_name(name) => Subject::Header(name.to_ascii_lowercase()),
        _ => Subject::Unknown,
    }
}

const HOST: &str = "host";

const OF_ENVOY: &str = "is about Envoy's filters, which nobody here has";
