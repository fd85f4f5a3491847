//! TLS towards endpoints.

use weir_proto::l7;

use super::cluster::Context;
use super::level::At;
use super::spec::{Tls, TlsMode};
use crate::Credential;
use crate::part::Place;
use crate::problem::{Effect, Problem, Problems, Reason, Remark, quoted};
use crate::value::is_host;

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
    let form = l7::UpstreamTls {
        mode: mode.into(),
        sni: given.sni.clone(),
        subject_alt_names: given.subject_alt_names.clone(),
        ..Default::default()
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
        let named = !(given.sni.is_empty() && given.subject_alt_names.is_empty());
        if given.mode == TlsMode::IstioMutual && named {
            let message =
                "each endpoint has to have the identity that the mesh knows it by: names have no effect";
            problems.notice(field, message);
        }
        return Ok(form);
    }
    files(given)?;
    names(given)?;
    let subject_alt_names = match given.subject_alt_names.is_empty() {
        true => context.service.subject_alt_names.clone(),
        false => form.subject_alt_names,
    };
    let secret = secret(context, given, field, problems)?;
    Ok(l7::UpstreamTls {
        subject_alt_names,
        secret: secret.unwrap_or_default(),
        insecure_skip_verify: given.insecure_skip_verify,
        ..form
    })
}

/// A waypoint has no files of its own.
fn files(given: &Tls) -> Result<(), Wrong> {
    let files = [
        (".clientCertificate", &given.client_certificate),
        (".privateKey", &given.private_key),
        (".caCertificates", &given.ca_certificates),
        (".caCrl", &given.ca_crl),
    ];
    let is_file = |text: &str| !text.is_empty() && text != SYSTEM;
    match files.into_iter().find(|(_, path)| is_file(path)) {
        Some((field, _)) => {
            let message = "is a file of a sidecar, and there is none; use credentialName";
            Err((field, Reason::UnsupportedValue, message.to_owned()))
        }
        None => Ok(()),
    }
}

/// What can be no name of a server would never be found in a certificate.
fn names(given: &Tls) -> Result<(), Wrong> {
    let is_name = |text: &str| {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<std::net::IpAddr>().is_ok() || (is_host(text) && !text.contains('*'))
    };
    if !given.sni.is_empty() && !is_name(&given.sni) {
        return Err((".sni", Reason::Invalid, format!("{} is no name of a server", quoted(&given.sni))));
    }
    let unusable = |name: &&String| !name.contains("://") && !is_name(name);
    match given.subject_alt_names.iter().find(unusable) {
        Some(name) => {
            let message = format!("{} is neither a name nor an address nor a URI", quoted(name));
            Err((".subjectAltNames", Reason::Invalid, message))
        }
        None => Ok(()),
    }
}

/// The name of the resource with what `credentialName` names.
fn secret(
    context: &Context<'_>,
    given: &Tls,
    field: &str,
    problems: &mut Problems,
) -> Result<Option<String>, Wrong> {
    const FIELD: &str = ".credentialName";
    let (mutual, name) = (given.mode == TlsMode::Mutual, &given.credential_name);
    if name.is_empty() {
        return match mutual {
            true => Err((FIELD, Reason::Invalid, "is missing: MUTUAL needs a certificate".to_owned())),
            false => Ok(None),
        };
    }
    if !is_host(name) || name.contains('*') {
        return Err((FIELD, Reason::Invalid, format!("{} is no name of a Secret", quoted(name))));
    }
    let namespace = context.rule.map_or("", |rule| &rule.meta.namespace);
    permitted(context, namespace, name, field)?;
    let wrong = |reason, message| Err((FIELD, reason, message));
    let has = match context.lookup.credential(namespace, name) {
        Credential::Awaited => return Ok(Some(format!("{namespace}/{name}"))),
        Credential::There(material) => material,
        Credential::Missing(why) => return wrong(Reason::BackendNotFound, why),
        Credential::Unusable(why) => return wrong(Reason::Invalid, why),
    };
    if mutual && !has.has_certificate {
        return wrong(Reason::Invalid, format!("Secret {namespace}/{name} has no certificate and key"));
    }
    if !mutual && !has.has_authorities {
        let message = format!("Secret {namespace}/{name} has no ca.crt, for which SIMPLE uses it");
        return wrong(Reason::Invalid, message);
    }
    let path = format!("{field}{FIELD}");
    if !has.has_authorities {
        problems.notice(
            &path,
            format!("Secret {namespace}/{name} has no ca.crt: the system's authorities count"),
        );
    }
    if let Some(why) = has.stale {
        let message = format!(
            "the newest version of Secret {namespace}/{name} is of no use: {why}; the one before stays in force"
        );
        problems.add(&path, Reason::Invalid, Effect::Ignored, message);
    }
    if let Some(why) = has.doubt.filter(|_| mutual) {
        let message = format!("Secret {namespace}/{name}: {why}");
        problems.add(&path, Reason::Invalid, Effect::DoneAllTheSame, message);
    }
    Ok(Some(format!("{namespace}/{name}")))
}

/// Secrets do not leave their namespace: whoever can read a waypoint's memory must not learn those of others.
fn permitted(context: &Context<'_>, namespace: &str, name: &str, field: &str) -> Result<(), Wrong> {
    let (Some(client), Some(rule)) = (context.client, context.rule) else { return Ok(()) };
    if client.namespace == namespace {
        return Ok(());
    }
    let (service, at) = (&context.service.hostname, client.namespace);
    let message = format!(
        "waypoints of namespace {at}, which serve {service}, are not given Secret {namespace}/{name}"
    );
    client.remarks.borrow_mut().push(Remark {
        object: rule.object.clone(),
        problem: Problem {
            field: format!("{field}.credentialName"),
            message: message.clone(),
            reason: Reason::RefNotPermitted,
            effect: Effect::ClusterRefused,
        },
    });
    Err((".credentialName", Reason::RefNotPermitted, message))
}

/// `caCertificates` that means those of the system.
const SYSTEM: &str = "system";
