//! Who our workloads are, and proof of who the peers are.
//!
//! This crate makes keys (in memory, never written), asks a [`CertificateAuthority`] to sign for them, renews
//! the certificates while they are still good, and turns each into the two rustls configurations of the
//! tunnel. It knows nothing of connections: the tunnel asks for a configuration per connection and reads
//! the peer's [`Identity`](weir_model::Identity) when the handshake is done.
//!
//! ```text
//!   enrolment --fetch()--> Certificates --sign()--> CertificateAuthority   (FileAuthority: a directory)
//!                               |                          
//!   worker ----current()------> WorkloadCertificate --server_config() / client_config(expected)--> rustls
//!                                                                          |
//!   worker <---peer_identity()------------------------------ peer's chain <+
//! ```
#![forbid(unsafe_code)]

mod authority;
pub mod ca;
mod certificate;
mod certificates;
mod clock;
mod config;
mod error;
mod peer;
mod remote;
mod request;
mod revocation;
pub mod stamp;
mod tls;
mod trust;

#[cfg(test)]
mod fixture;

pub use authority::{CaError, CertificateAuthority, RequestError, SignFuture, SignedChain};
pub use ca::FileAuthority;
pub use certificate::{AnswerError, CertificateSummary, WorkloadCertificate, pem};
pub use certificates::{CertificateState, Certificates, Status};
pub use clock::{Clock, TlsClock};
pub use config::{Backoff, Config};
pub use error::{Failure, FetchError, IdentityError};
pub use peer::{PeerError, peer_identity};
pub use remote::{RemoteAuthority, RemoteConfig, TokenSource};
pub use revocation::CrlError;
pub use tls::{ALPN_H2, explain, optional_client_verifier, server_name};
