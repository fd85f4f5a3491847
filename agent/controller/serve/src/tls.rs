//! The control plane's own TLS.
//!
//! Its certificate is of the mesh's CA and names the host that clients dial. It is replaced at half of its life, and when
//! the CA changes, since clients of a new root must be let in and those who trust only the old one must be convinced.

mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::WantsServerCert;
use rustls::version::{TLS12, TLS13};
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio::sync::watch;
use weir_identity::ca::{AuthorityError, CaAuthority, ServerCredentials};
use weir_identity::{AnswerError, Clock, TlsClock, optional_client_verifier};

pub use config::{TlsConfig, service_names};

/// The configuration for the next handshake.
pub type TlsSource = Arc<ArcSwap<ServerConfig>>;

/// Makes a server's configuration, and keeps it good.
pub struct Tls {
    authority: CaAuthority,
    config: TlsConfig,
    clock: Arc<dyn Clock>,
    source: TlsSource,
    renew_at: SystemTime,
    changes: watch::Receiver<u64>,
}

impl Tls {
    /// A first configuration.
    ///
    /// # Errors
    /// The CA cannot sign it.
    pub fn new(authority: CaAuthority, config: TlsConfig, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        // Taken before the CA is read: a change in between must not be missed.
        let changes = authority.changes();
        let (first, renew_at) = make(&authority, &config, clock.clone())?;
        let source = Arc::new(ArcSwap::from_pointee(first));
        Ok(Self { authority, config, clock, source, renew_at, changes })
    }

    /// What the acceptor reads for each connection.
    pub fn source(&self) -> TlsSource {
        self.source.clone()
    }

    /// Renews the certificate for ever.
    pub async fn run(mut self) {
        loop {
            let left = self.renew_at.duration_since(self.clock.now()).unwrap_or_default();
            tokio::select! {
                // In short steps, because the wall clock may be set and the machine may sleep.
                () = tokio::time::sleep(left.min(STEP)) => {
                    if self.clock.now() < self.renew_at {
                        continue;
                    }
                }
                changed = self.changes.changed() => {
                    // The sender lives in our own authority.
                    if changed.is_err() {
                        return;
                    }
                }
            }
            self.renew();
        }
    }

    fn renew(&mut self) {
        match make(&self.authority, &self.config, self.clock.clone()) {
            Ok((config, renew_at)) => {
                self.source.store(Arc::new(config));
                self.renew_at = renew_at;
                tracing::info!(names = ?self.config.names.dns, "the server has a new certificate");
            }
            Err(error) => {
                self.renew_at = self.clock.now() + RETRY;
                tracing::error!(names = ?self.config.names.dns, "the server keeps its certificate: {error}");
            }
        }
    }
}

fn make(
    authority: &CaAuthority,
    config: &TlsConfig,
    clock: Arc<dyn Clock>,
) -> Result<(ServerConfig, SystemTime), TlsError> {
    let ServerCredentials { chain, key, roots, renew_at } =
        authority.server_credentials(&config.names, config.lifetime)?;
    let builder = builder(clock)?;
    let builder: ConfigBuilder<ServerConfig, WantsServerCert> = match &config.clients {
        Some(trust_domain) => {
            builder.with_client_cert_verifier(optional_client_verifier(trust_domain, &roots)?)
        }
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_single_cert(chain, key)?;
    server.alpn_protocols = config.alpn.clone();
    // A resumed session would skip the check of the client's certificate against today's roots.
    server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok((server, renew_at))
}

fn builder(clock: Arc<dyn Clock>) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let clock = Arc::new(TlsClock(clock));
    ServerConfig::builder_with_details(provider, clock).with_protocol_versions(&[&TLS13, &TLS12])
}

/// Why a server has no configuration.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The CA gives no certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The CA's roots are none.
    #[error("clients cannot be verified: {0}")]
    Clients(#[from] AnswerError),
    /// rustls does not take it.
    #[error("the certificate cannot be used for TLS: {0}")]
    Tls(#[from] rustls::Error),
}

const STEP: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(10);
