//! TLS towards endpoints.

use weir_proto::l7;

use super::cluster::Context;
use super::level::At;
use super::spec::{Tls, TlsMode};
use crate::Credential;
use crate::part::Place;
use crate::problem::{Effect, Problems, Reason};

/// `Ok(None)`: nothing is said.
///
/// # Errors
/// What was asked for cannot be done, which has been reported; nothing may be sent without it.
pub(super) fn tls(
    context: &Context<'_>,
    at: &At<'_, Tls>,
    problems: &mut Problems,
) -> Result<Option<l7::UpstreamTls>, String> {
    let Some((part, field)) = at else { return Ok(None) };
    let effect = Effect::ClusterRefused;
    let given = part.try_get(&Place { field, effect }, problems);
    let given = given.map_err(|_| format!("{field} cannot be read"))?;
    let Some(given) = given else { return Ok(None) };
    form(context, given, field, problems).map(Some).map_err(|(part, reason, message)| {
        problems.add(format!("{field}{part}"), reason, effect, message.clone());
        format!("{field}{part}: {message}")
    })
}

type Wrong = (&'static str, Reason, String);

fn form(
    context: &Context<'_>,
    given: &Tls,
    field: &str,
    problems: &mut Problems,
) -> Result<l7::UpstreamTls, Wrong> {
    let mode = match given.mode {
        TlsMode::Disable => l7::TlsMode::Plaintext,
        TlsMode::Simple => l7::TlsMode::Simple,
        TlsMode::Mutual => l7::TlsMode::Mutual,
        TlsMode::IstioMutual => l7::TlsMode::Mesh,
    };
    if matches!(given.mode, TlsMode::Disable | TlsMode::IstioMutual) {
        let own =
            [&given.client_certificate, &given.private_key, &given.ca_certificates, &given.credential_name];
        if own.iter().any(|text| !text.is_empty()) {
            problems.notice(
                format!("{field}.mode"),
                "uses no certificates but the mesh's: those that are named have no effect",
            );
        }
        let subject_alt_names = given.subject_alt_names.clone();
        return Ok(l7::UpstreamTls {
            mode: mode.into(),
            sni: given.sni.clone(),
            subject_alt_names,
            ..Default::default()
        });
    }
    let material = material(context, given)?;
    Ok(l7::UpstreamTls {
        mode: mode.into(),
        sni: given.sni.clone(),
        subject_alt_names: given.subject_alt_names.clone(),
        client_certificate: material.certificate,
        private_key: material.private_key,
        ca_certificates: material.ca_certificates,
        insecure_skip_verify: given.insecure_skip_verify,
        crl: material.crl,
        ..Default::default()
    })
}

fn material(context: &Context<'_>, given: &Tls) -> Result<Credential, Wrong> {
    let files = [
        (".clientCertificate", &given.client_certificate),
        (".privateKey", &given.private_key),
        (".caCertificates", &given.ca_certificates),
        (".caCrl", &given.ca_crl),
    ];
    let is_file = |text: &str| !text.is_empty() && text != SYSTEM;
    if let Some((field, _)) = files.into_iter().find(|(_, path)| is_file(path)) {
        let message = "is a file of a sidecar, and there is none; use credentialName";
        return Err((field, Reason::UnsupportedValue, message.to_owned()));
    }
    let mutual = given.mode == TlsMode::Mutual;
    if given.credential_name.is_empty() {
        return match mutual {
            true => {
                Err((".credentialName", Reason::Invalid, "is missing: MUTUAL needs a certificate".to_owned()))
            }
            false => Ok(Credential::default()),
        };
    }
    let namespace = context.rule.map_or("", |rule| &rule.meta.namespace);
    let credential = context.lookup.credential(namespace, &given.credential_name);
    let mut credential = credential.map_err(|why| (".credentialName", Reason::BackendNotFound, why))?;
    if mutual && (credential.certificate.is_empty() || credential.private_key.is_empty()) {
        let message = format!("{namespace}/{} has no certificate and key", given.credential_name);
        return Err((".credentialName", Reason::Invalid, message));
    }
    if !mutual {
        // SIMPLE shows no certificate.
        credential.certificate.clear();
        credential.private_key.clear();
    }
    Ok(credential)
}

/// `caCertificates` that means those of the system.
const SYSTEM: &str = "system";
