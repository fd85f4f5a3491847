//! A secret as Kubernetes writes it. It is read by hand: an error that quotes what it cannot read would tell it.

use serde_json::Value;

use crate::{Meta, Problem, Secret, base64};

/// The parts that TLS needs. `stringData` is for files: an API server has none.
pub(super) fn secret(value: &Value) -> Result<Secret, Problem> {
    let part = |names: [&str; 2]| {
        let [first, second] = names;
        match read(value, first)? {
            found if !found.is_empty() => Ok(found),
            _ => read(value, second),
        }
    };
    let secret = Secret {
        meta: Meta::default(),
        certificate: part(["tls.crt", "cert"])?,
        private_key: part(["tls.key", "key"])?,
        ca_certificates: part(["ca.crt", "cacert"])?,
        crl: part(["ca.crl", "crl"])?,
        not_after: None,
    };
    secret.check()
}

fn read(value: &Value, name: &str) -> Result<Vec<u8>, Problem> {
    let field =
        |field: &str| value.get(field).and_then(|data| data.get(name)).filter(|value| !value.is_null());
    if let Some(text) = field("stringData") {
        let text = text.as_str().ok_or_else(|| Problem::new(format!("stringData[{name}]"), "is no text"))?;
        return Ok(text.as_bytes().to_vec());
    }
    let Some(data) = field("data") else { return Ok(Vec::new()) };
    let text: Option<String> =
        data.as_str().map(|text| text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let bytes = text.and_then(|text| base64(&text));
    bytes.ok_or_else(|| Problem::new(format!("data[{name}]"), "is not base64"))
}
