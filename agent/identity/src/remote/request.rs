//! What is sent: the request in PEM, whom it is for, and who asks.

use std::collections::BTreeMap;
use std::time::Duration;

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::Request;
use tonic::codegen::StdError;
use tonic::metadata::{MetadataKey, MetadataValue};
use weir_model::Identity;
use weir_proto::ca::IstioCertificateRequest;

use super::RemoteConfig;
use crate::certificate::pem;

/// The request, with its metadata. The identity is always named, also the asker's own.
pub(super) fn build(
    config: &RemoteConfig,
    csr_der: &[u8],
    identity: &Identity,
    lifetime: Duration,
) -> Result<Request<IstioCertificateRequest>, StdError> {
    let name = Value { kind: Some(Kind::StringValue(identity.to_string())) };
    let mut request = Request::new(IstioCertificateRequest {
        csr: pem("CERTIFICATE REQUEST", csr_der),
        validity_duration: i64::try_from(lifetime.as_secs())?,
        metadata: Some(Struct { fields: BTreeMap::from([(IMPERSONATED.to_owned(), name)]) }),
    });
    request.set_timeout(config.deadline);
    let token = (config.token)().map_err(|error| format!("the token cannot be read: {error}"))?;
    if let Some(token) = token {
        let bearer = format!("Bearer {}", token.trim());
        let mut value: MetadataValue<_> =
            bearer.parse().map_err(|_| "the token has characters that no header may have")?;
        value.set_sensitive(true);
        request.metadata_mut().insert("authorization", value);
    }
    for (key, value) in &config.headers {
        let bad = || format!("header '{key}' cannot be sent");
        let name = MetadataKey::from_bytes(key.to_lowercase().as_bytes()).map_err(|_| bad())?;
        request.metadata_mut().insert(name, value.parse().map_err(|_| bad())?);
    }
    Ok(request)
}

/// The key in the metadata of a request that names whom it is for.
const IMPERSONATED: &str = "ImpersonatedIdentity";
