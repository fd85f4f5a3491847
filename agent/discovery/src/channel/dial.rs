//! One TCP connection with TLS on it.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ChannelError, Target};

/// How a connection is made. There is one way, and that of the tests.
pub(crate) trait Dialer: std::fmt::Debug + Send + Sync + 'static {
    fn dial(&self, target: Arc<Target>) -> Dialed;
}

/// The connection to come.
pub(crate) type Dialed = Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, ChannelError>> + Send>>;

/// A stream of bytes.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// TCP and TLS.
#[derive(Debug)]
pub(super) struct Tls;

impl Dialer for Tls {
    fn dial(&self, target: Arc<Target>) -> Dialed {
        Box::pin(async move { Ok(Box::new(dial(&target).await?) as Box<dyn Stream>) })
    }
}

/// Connects and has the control plane prove who it is.
async fn dial(target: &Target) -> Result<TlsStream<TcpStream>, ChannelError> {
    let address = || target.address.clone();
    let late = |limit, stage| ChannelError::Timeout { address: address(), limit, stage };
    // Before anybody is bothered: without roots there is nothing to ask for.
    let config = client_config(&target.root_cert_file)?;
    let tcp = tokio::time::timeout(CONNECT, TcpStream::connect((target.host.as_str(), target.port)));
    let tcp = tcp.await.map_err(|_| late(CONNECT, "TCP connection"))?;
    let tcp = tcp.map_err(|source| ChannelError::Connect { address: address(), source })?;
    tcp.set_nodelay(true).map_err(|source| ChannelError::Connect { address: address(), source })?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(target.name.clone(), tcp);
    let tls = tokio::time::timeout(HANDSHAKE, handshake).await;
    let tls = tls.map_err(|_| late(HANDSHAKE, "TLS handshake"))?.map_err(|source| ChannelError::Tls {
        address: address(),
        name: target.name.to_str().into_owned(),
        roots: target.root_cert_file.clone(),
        source,
    })?;
    match tls.get_ref().1.alpn_protocol() {
        Some(b"h2") => Ok(tls),
        _ => Err(ChannelError::Alpn { address: address() }),
    }
}

fn client_config(roots: &Path) -> Result<ClientConfig, ChannelError> {
    let unusable = |reason: String| ChannelError::Roots { path: roots.to_owned(), reason };
    let pem = std::fs::read(roots).map_err(|error| unusable(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let mut store = RootCertStore::empty();
    for certificate in certificates.map_err(|error| unusable(error.to_string()))? {
        store.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(unusable("there is no certificate in it".into()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]);
    let config = config.map_err(|error| unusable(error.to_string()))?;
    let mut config = config.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

impl From<ChannelError> for io::Error {
    fn from(error: ChannelError) -> Self {
        Self::other(error)
    }
}

const CONNECT: Duration = Duration::from_secs(5);
const HANDSHAKE: Duration = Duration::from_secs(10);
