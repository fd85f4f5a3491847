//! A certificate authority over gRPC: `istio.v1.auth.IstioCertificateService`.
//!
//! The same call serves istiod and `weir-controller`. The answer is only taken apart here; whether it names whom it was
//! asked for and holds against its own roots is checked for every authority, in `certificate::answer`.

mod answer;
mod request;
#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::{Code, Status};
use weir_model::Identity;
use weir_proto::ca::istio_certificate_service_client::IstioCertificateServiceClient;

use crate::stamp::stamp;
use crate::{CaError, CertificateAuthority, RequestError, SignFuture, SignedChain};

/// Gives the bearer token for one request; read each time, since kubelet renews the file. `None`: the channel brings
/// its own proof.
pub type TokenSource = Arc<dyn Fn() -> io::Result<Option<String>> + Send + Sync>;

/// Asks a CA behind a gRPC channel.
pub struct RemoteAuthority<C> {
    channel: C,
    config: RemoteConfig,
}

/// How a [`RemoteAuthority`] asks.
#[derive(Clone)]
pub struct RemoteConfig {
    /// What errors call it: the address.
    pub name: String,
    /// The proof of who we are.
    pub token: TokenSource,
    /// Further gRPC metadata (`clusterid`, and the user's own).
    pub headers: Vec<(String, String)>,
    /// For one call.
    pub deadline: Duration,
    /// A file with the control plane's roots. When it changes, all certificates are renewed, so that a rotation of the
    /// root need not wait for half of their lives.
    pub roots_file: Option<PathBuf>,
}

impl<C> RemoteAuthority<C>
where
    C: GrpcService<Body> + Clone + Send + Sync + 'static,
    C::Future: Send,
    C::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <C::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    /// Asks over `channel` (a tonic `Channel`, or whatever wraps one).
    pub fn new(channel: C, config: RemoteConfig) -> Self {
        Self { channel, config }
    }

    async fn ask(
        &self,
        csr_der: Vec<u8>,
        identity: &Identity,
        lifetime: Duration,
    ) -> Result<SignedChain, Failed> {
        let request = request::build(&self.config, &csr_der, identity, lifetime).map_err(Failed::Here)?;
        // A certificate and its chain are a few KiB.
        let mut client =
            IstioCertificateServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_ANSWER);
        let deadline = self.config.deadline;
        let answer = tokio::time::timeout(deadline, client.create_certificate(request)).await;
        let answer =
            answer.map_err(|_| Failed::Here(format!("no answer within {deadline:?}; is it up?").into()))?;
        answer::read(&answer?.into_inner().cert_chain).map_err(|error| Failed::Here(error.into()))
    }

    fn error(&self, identity: Identity, failed: Failed) -> CaError {
        let authority = self.config.name.clone();
        match failed {
            Failed::Here(source) => CaError::Unavailable { authority, identity, source },
            Failed::There(status) if is_refusal(status.code()) => {
                let reason = RequestError::Remote(text(&status));
                CaError::Refused { authority, identity, reason }
            }
            Failed::There(status) => {
                CaError::Unavailable { authority, identity, source: text(&status).into() }
            }
        }
    }
}

impl<C> CertificateAuthority for RemoteAuthority<C>
where
    C: GrpcService<Body> + Clone + Send + Sync + 'static,
    C::Future: Send,
    C::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <C::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    fn sign(&self, csr_der: Vec<u8>, identity: Identity, lifetime: Duration) -> SignFuture<'_> {
        Box::pin(async move {
            let answer = self.ask(csr_der, &identity, lifetime).await;
            answer.map_err(|failed| self.error(identity, failed))
        })
    }

    fn generation(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.config.roots_file.as_deref().and_then(stamp).hash(&mut hasher);
        hasher.finish()
    }
}

enum Failed {
    /// Before or after the call.
    Here(StdError),
    /// What the authority said, or the channel in its place.
    There(Status),
}

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self::There(status)
    }
}

/// Whether the authority said no to this request, rather than nothing to any.
fn is_refusal(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::Unauthenticated | Code::PermissionDenied)
}

/// On one line and of a decent length, since the other side chooses the message.
fn text(status: &Status) -> String {
    let message: String = status.message().chars().take(MAX_TEXT).flat_map(char::escape_debug).collect();
    let mut text = format!("{:?}: {message}", status.code());
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

const MAX_ANSWER: usize = 1 << 20;
const MAX_TEXT: usize = 500;
