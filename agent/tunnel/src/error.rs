//! Why a connection failed or was refused.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use weir_identity::{IdentityError, PeerError};
use weir_model::{Denial, Identity, Refusal, ServiceKey};

use crate::core::connect::ConnectError;
use crate::io::tls::TlsError;

/// Why a connection failed or was refused. The text is for the log line of that connection.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// The pod is captured and the directory does not have it.
    #[error("no workload {0} in the directory: it is captured on this node, but discovery has not named it")]
    UnknownPod(Arc<str>),
    /// A connection that capture must never bring here.
    #[error("{0} is loopback or the pod's own address: such a connection is not the mesh's")]
    OwnAddress(IpAddr),
    /// An inbound connection to somebody else.
    #[error("{0} is not an address of the pod that the connection came to")]
    NotMine(IpAddr),
    /// Passing it through would come back to us.
    #[error("{0} is an address of the pod itself that the directory does not know")]
    PassThroughToSelf(SocketAddr),
    /// Routing says no.
    #[error(transparent)]
    NoRoute(#[from] Refusal),
    /// Policy says no.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The peer's address belongs to another workload.
    #[error("the peer proved {proved}, but {ip} is the address of {owner}, whose identity is {expected}")]
    SourceMismatch {
        /// The peer's address.
        ip: IpAddr,
        /// What it proved.
        proved: Box<Identity>,
        /// Workload that the directory has for the address.
        owner: Arc<str>,
        /// Its identity.
        expected: Box<Identity>,
    },
    /// The workload cannot prove who it is.
    #[error(transparent)]
    NoIdentity(#[from] Arc<IdentityError>),
    /// The peer's certificate does not say who it is.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// TCP to a peer's node, an application or a destination outside the mesh.
    #[error("connect to {addr}: {source}")]
    Connect {
        /// Where to.
        addr: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nobody answered on the tunnel's port, which is how a dropped packet looks.
    #[error(
        "connect to {addr}: no answer within {limit:?}; does a NetworkPolicy block port 15008 between the nodes?"
    )]
    NetworkPolicy {
        /// Where to.
        addr: SocketAddr,
        /// How long it was tried.
        limit: Duration,
    },
    /// It was not made within the time that a DestinationRule gives.
    #[error("connect to {addr}: not connected within {limit:?}, which is the connectTimeout of {origin}")]
    ConnectTimeout {
        /// Where to.
        addr: SocketAddr,
        /// How long it was tried.
        limit: Duration,
        /// The rule.
        origin: Arc<str>,
    },
    /// A DestinationRule allows no more.
    #[error(
        "service {service} port {port} has as many connections from this node as {origin} says ({limit})"
    )]
    TooManyConnections {
        /// The service.
        service: ServiceKey,
        /// Its port.
        port: u16,
        /// `maxConnections`.
        limit: u32,
        /// The rule.
        origin: Arc<str>,
    },
    /// TLS with a peer.
    #[error("{addr}: {source}")]
    Tls {
        /// The peer.
        addr: SocketAddr,
        /// What failed.
        source: TlsError,
    },
    /// HTTP/2 with a peer, before it answered.
    #[error("{addr}: HTTP/2: {source}")]
    Http2 {
        /// The peer.
        addr: SocketAddr,
        /// What failed.
        source: h2::Error,
    },
    /// The peer said no.
    #[error("{addr}: the destination's node answered {status}{}", meaning(*status))]
    Refused {
        /// The peer.
        addr: SocketAddr,
        /// Its answer.
        status: StatusCode,
    },
    /// The peer said nothing.
    #[error("{addr}: the destination's node did not answer CONNECT within {limit:?}")]
    NoAnswer {
        /// The peer.
        addr: SocketAddr,
        /// How long we waited.
        limit: Duration,
    },
    /// A request that cannot be served: 400.
    #[error("bad CONNECT: {0}")]
    BadRequest(#[from] ConnectError),
    /// A target that is not here: 400.
    #[error("bad CONNECT: authority {authority} is not {local}, where the connection came in")]
    WrongAuthority {
        /// What was asked for.
        authority: SocketAddr,
        /// Whom it reached.
        local: IpAddr,
    },
    /// A hostname that this workload does not serve: 503.
    #[error("{pod} serves no port of {authority}")]
    NoSuchService {
        /// The workload.
        pod: Arc<str>,
        /// What was asked for.
        authority: Box<str>,
    },
    /// A port of the mesh itself.
    #[error("port {0} is the mesh's own")]
    IllegalPort(u16),
    /// The application's socket failed.
    #[error("the application's connection failed: {0}")]
    App(io::Error),
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Stream(h2::Error),
    /// The same, while another connection waited for it.
    #[error("{0}")]
    Shared(Arc<TunnelError>),
    /// This process gave it up.
    #[error("closed by the agent: the pod left the mesh, or a deadline passed")]
    GivenUp,
}

impl TunnelError {
    /// Istio's `response_flags`; what its node proxy does not know has Envoy's.
    pub fn flags(&self) -> &'static str {
        match self {
            Self::TooManyConnections { .. } => "UO",
            Self::NoRoute(Refusal::AllLeftOut { .. }) => "UH",
            Self::Denied(_) | Self::SourceMismatch { .. } | Self::NoRoute(_) => "DENY",
            Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED => "DENY",
            Self::NoIdentity(_) | Self::Peer(_) => "IDENTITY_ERROR",
            Self::NetworkPolicy { .. } => "NETWORK_POLICY",
            Self::Tls { source, .. } if source.is_revoked() => "CERT_REVOKED",
            Self::Tls { .. } => "TLS_FAILURE",
            Self::Http2 { .. } => "H2_HANDSHAKE_FAILURE",
            Self::Shared(inner) => inner.flags(),
            Self::App(_) | Self::Stream(_) | Self::GivenUp => "-",
            _ => "CONNECT",
        }
    }

    /// Whether it speaks against the endpoint that was chosen: another one might have taken the connection. What this node
    /// lacks, and what a policy says to this client, does not.
    pub(crate) fn blames_endpoint(&self) -> bool {
        use io::ErrorKind::{
            ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
        };
        match self {
            Self::Connect { source, .. } => matches!(
                source.kind(),
                ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable | TimedOut
            ),
            Self::Refused { status, .. } => status.is_server_error(),
            Self::Shared(inner) => inner.blames_endpoint(),
            Self::NetworkPolicy { .. }
            | Self::ConnectTimeout { .. }
            | Self::Tls { .. }
            | Self::Http2 { .. }
            | Self::NoAnswer { .. } => true,
            _ => false,
        }
    }

    /// Whether a peer's node did not take the connection in time.
    pub(crate) fn is_late(&self) -> bool {
        match self {
            Self::Shared(inner) => inner.is_late(),
            other => matches!(other, Self::NetworkPolicy { .. }),
        }
    }

    /// Key of the policy that said no, if one did.
    pub fn policy(&self) -> Option<&str> {
        match self {
            Self::Denied(denial) => denial.policy().map(|key| &**key),
            _ => None,
        }
    }

    /// The answer to a CONNECT that fails so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::WrongAuthority { .. } => StatusCode::BAD_REQUEST,
            Self::Denied(_) | Self::SourceMismatch { .. } => StatusCode::UNAUTHORIZED,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn meaning(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 404 => ": it does not serve that address",
        401 | 403 => ": its policy does not allow it",
        503 => ": the application does not take connections, or the workload is not there",
        _ => "",
    }
}
