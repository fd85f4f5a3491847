//! The way to the control plane: one TLS connection, and the proof of who we are on every request.
//!
//! What lies in files is read when it is used, because others renew it: the roots for every connection, the token for
//! every request. TLS is ours (rustls with the one provider of this program); tonic sees a stream of bytes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

mod credentials;
mod dial;
mod error;

pub use credentials::Credentials;
pub(crate) use dial::Dialer;
use dial::Tls;
#[cfg(test)]
pub(crate) use dial::{Dialed, Stream};
pub use error::ChannelError;

/// Where the control plane is, and how it and we know each other.
#[derive(Debug, Clone, Default)]
pub struct ChannelConfig {
    /// `https://host[:port]`; port 15012 if there is none.
    pub address: String,
    /// The name that its certificate must have, if that is not the host of `address`.
    pub host: Option<String>,
    /// Roots (PEM) that its certificate must lead to.
    pub root_cert_file: PathBuf,
    /// The token that says who we are.
    pub token_file: PathBuf,
    /// Further headers of every request, such as `clusterid`.
    pub headers: Vec<(String, String)>,
}

/// The way to a control plane. Clones are the same way; nothing is connected until somebody asks.
#[derive(Debug, Clone)]
pub struct ControlChannel {
    target: Arc<Target>,
    credentials: Credentials,
    dialer: Arc<dyn Dialer>,
}

/// What a connection is made of.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) name: ServerName<'static>,
    pub(crate) root_cert_file: PathBuf,
}

impl ControlChannel {
    /// Checks what was given; the files may come later.
    ///
    /// # Errors
    /// The address is no `https` URL, or a name or header cannot be one.
    pub fn new(config: ChannelConfig) -> Result<Self, ChannelError> {
        let address = config.address.trim_end_matches('/').to_owned();
        let refuse = |reason: &'static str| ChannelError::Address { address: address.clone(), reason };
        let uri: Uri = address.parse().map_err(|_| refuse("it is not a URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(refuse("the token that we send may only travel in TLS: it must begin with https://"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(refuse("it must end after the port"));
        }
        let host = uri.host().ok_or_else(|| refuse("there is no host in it"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = config.host.unwrap_or_else(|| host.clone());
        let name = ServerName::try_from(name.clone()).map_err(|_| ChannelError::Name { name })?;
        let port = uri.port_u16().unwrap_or(DEFAULT_PORT);
        let credentials = Credentials::new(config.token_file, &config.headers)?;
        let target = Target { address, host, port, name, root_cert_file: config.root_cert_file };
        Ok(Self { target: Arc::new(target), credentials, dialer: Arc::new(Tls) })
    }

    /// The address, for messages.
    pub fn address(&self) -> &str {
        &self.target.address
    }

    /// What proves who we are; put it in front of a client.
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// A new connection, made now.
    ///
    /// # Errors
    /// The control plane cannot be reached or is not who it should be.
    pub async fn connect(&self) -> Result<Channel, ChannelError> {
        let stream = self.dialer.dial(self.target.clone()).await?;
        // The one stream is given away once: a channel that lost its connection is not mended, its owner makes another.
        let stream = Arc::new(std::sync::Mutex::new(Some(stream)));
        let connector = service_fn(move |_: Uri| {
            let stream = stream.lock().map_or(None, |mut stream| stream.take());
            async move {
                stream.map(TokioIo::new).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected))
            }
        });
        let channel = self.endpoint()?.connect_with_connector(connector).await;
        channel.map_err(|source| ChannelError::Http { address: self.target.address.clone(), source })
    }

    /// A channel that connects when it is used, and again when it has lost its connection.
    ///
    /// # Errors
    /// The address cannot be one (it was checked, so: never).
    pub fn lazy(&self) -> Result<Channel, ChannelError> {
        let (target, dialer) = (self.target.clone(), self.dialer.clone());
        let connector = service_fn(move |_: Uri| {
            let (target, dialer) = (target.clone(), dialer.clone());
            async move { dialer.dial(target).await.map(TokioIo::new) }
        });
        Ok(self.endpoint()?.connect_with_connector_lazy(connector))
    }

    /// The same way over other connections, for tests.
    #[cfg(test)]
    pub(crate) fn over(self, dialer: impl Dialer) -> Self {
        Self { dialer: Arc::new(dialer), ..self }
    }

    fn endpoint(&self) -> Result<Endpoint, ChannelError> {
        let address = &self.target.address;
        let bad = |_| ChannelError::Address { address: address.clone(), reason: "it is not a URL" };
        // tonic refuses https without its own TLS; the scheme is for the connector only, which is ours.
        let plain = format!("http://{}", address.trim_start_matches("https://"));
        let endpoint = Endpoint::from_shared(plain).map_err(bad)?;
        Ok(endpoint
            .user_agent(concat!("weir-agent/", env!("CARGO_PKG_VERSION")))
            .map_err(bad)?
            .http2_keep_alive_interval(PING)
            .keep_alive_timeout(PONG)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(2 * WINDOW))
    }
}

/// Where control planes of Istio's kind listen for TLS.
const DEFAULT_PORT: u16 = 15012;
/// How often a silent connection is asked whether it lives; servers take offence below 15 s.
const PING: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const PONG: Duration = Duration::from_secs(10);
/// A first answer is tens of megabytes in a large mesh; with the default of 64 KiB each round trip would count.
const WINDOW: u32 = 4 << 20;

#[cfg(test)]
mod tests;
