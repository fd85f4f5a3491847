//! The settings of a cluster's TLS, made once.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use weir_proto::l7;

use super::verifier::{Expected, Verifier};
use super::{Authorities, Credential, provider};

/// TLS of one cluster: SIMPLE or MUTUAL.
#[derive(Debug)]
pub struct Tls {
    /// With no protocol offered, and with each of those of HTTP.
    connectors: [Connector; 3],
    /// `None`: the name is in the request.
    server: Option<Arc<str>>,
}

struct Connector(TlsConnector);

/// Which protocol is offered to the server (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// None: nobody here knows what is spoken.
    Unknown = 0,
    /// HTTP/1.1.
    Http1 = 1,
    /// HTTP/2.
    Http2 = 2,
}

/// Why there is no TLS. There is no connection without it either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The mesh's own TLS, or none, is not made here.
    #[error("mode {0:?} is no TLS of a user's")]
    Mode(l7::TlsMode),
    /// A secret is named and not there.
    #[error("secret {0} is not there")]
    NoSecret(String),
    /// The secret is there, and has not what the mode needs.
    #[error("secret {0} has no certificate to show")]
    NoCertificate(String),
    /// Nobody is trusted.
    #[error("nothing says who may sign the server's certificate, and this system trusts no authority")]
    NoAuthority,
    /// A name that cannot be in a certificate.
    #[error("{0:?} can be no name of a server")]
    Name(String),
    /// rustls does not take it.
    #[error("{0}")]
    Config(String),
}

impl Tls {
    /// By the settings, the secret that they name, and what the system trusts.
    ///
    /// # Errors
    /// Something that was asked for cannot be made.
    pub fn compile(
        form: &l7::UpstreamTls,
        secret: Option<&Credential>,
        system: &Authorities,
    ) -> Result<Self, TlsError> {
        let mutual = match form.mode() {
            l7::TlsMode::Simple => false,
            l7::TlsMode::Mutual => true,
            other @ (l7::TlsMode::Plaintext | l7::TlsMode::Mesh) => return Err(TlsError::Mode(other)),
        };
        if secret.is_none() && !form.secret.is_empty() {
            return Err(TlsError::NoSecret(form.secret.clone()));
        }
        let own = secret.and_then(|secret| secret.certified.clone()).filter(|_| mutual);
        if mutual && own.is_none() {
            return Err(TlsError::NoCertificate(form.secret.clone()));
        }
        let verifier = verifier(form, secret, system)?;
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder
            .map_err(|why| TlsError::Config(why.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match own {
            Some(own) => {
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own)))
            }
            None => builder.with_no_client_auth(),
        };
        let server = Some(&*form.sni).filter(|sni| !sni.is_empty());
        if let Some(sni) = server {
            name(sni)?;
        }
        let connectors = [vec![], vec![b"http/1.1".to_vec()], vec![b"h2".to_vec()]].map(|offered| {
            let mut config = config.clone();
            config.alpn_protocols = offered;
            Connector(Arc::new(config).into())
        });
        Ok(Self { connectors, server: server.map(Arc::from) })
    }

    /// The name by which a server is called and known: what the settings say, else the host of the request, else that of the
    /// service. `None`: none of them is one.
    pub(crate) fn server<'a>(&'a self, authority: Option<&'a str>, hostname: &'a str) -> Option<&'a str> {
        match (&self.server, authority) {
            (Some(said), _) => Some(said),
            (None, Some(authority)) => Some(authority),
            // Of many names nobody knows which.
            (None, None) => Some(hostname).filter(|hostname| !hostname.starts_with('*')),
        }
    }

    pub(super) fn connector(&self, alpn: Alpn) -> &TlsConnector {
        &self.connectors[alpn as usize].0
    }
}

/// As it is given to rustls: an address is not sent, and must be in the certificate as well.
pub(super) fn name(text: &str) -> Result<ServerName<'static>, TlsError> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Ok(ServerName::from(ip)),
        Err(_) => ServerName::try_from(text.to_owned()).map_err(|_| TlsError::Name(text.to_owned())),
    }
}

fn verifier(
    form: &l7::UpstreamTls,
    secret: Option<&Credential>,
    system: &Authorities,
) -> Result<Verifier, TlsError> {
    let expected = |text: &String| Expected::parse(text).ok_or_else(|| TlsError::Name(text.clone()));
    let names = form.subject_alt_names.iter().map(expected).collect::<Result<_, _>>()?;
    let algorithms = provider().signature_verification_algorithms;
    let revoked = secret.and_then(|secret| secret.revoked.clone());
    if form.insecure_skip_verify {
        return Ok(Verifier { anchors: None, revoked, names, algorithms });
    }
    let anchors = secret.and_then(|secret| secret.anchors.clone());
    let anchors = anchors.unwrap_or_else(|| system.get().clone());
    match anchors.is_empty() {
        true => Err(TlsError::NoAuthority),
        false => Ok(Verifier { anchors: Some(anchors), revoked, names, algorithms }),
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}
