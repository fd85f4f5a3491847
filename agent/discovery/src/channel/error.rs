//! Why there is no way to the control plane.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no way to the control plane.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The address is wrong.
    #[error(
        "{address:?} is not the address of a control plane: {reason}; an example is https://weir-controller.weir-system.svc:15012"
    )]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No certificate can have this name.
    #[error("{name:?} is neither a DNS name nor an address, so no certificate of a control plane has it")]
    Name {
        /// What was given.
        name: String,
    },
    /// Not a header.
    #[error("{name:?} is not the name of a header, or its value has characters that a header cannot have")]
    Header {
        /// Its name.
        name: String,
    },
    /// No TCP connection.
    #[error("cannot reach the control plane {address}: {source}")]
    Connect {
        /// Of the control plane.
        address: String,
        /// What the kernel or the resolver said.
        source: io::Error,
    },
    /// Something takes too long.
    #[error("the control plane {address} did not answer within {limit:?} ({stage})")]
    Timeout {
        /// Of the control plane.
        address: String,
        /// How long was waited.
        limit: Duration,
        /// What was under way.
        stage: &'static str,
    },
    /// The roots cannot be used.
    #[error("the control plane's roots in {} cannot be used: {reason}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The control plane could not prove who it is.
    #[error("TLS with the control plane {address} failed: {source}; it must prove to be {name} under the roots in {}", roots.display())]
    Tls {
        /// Of the control plane.
        address: String,
        /// The name that was expected.
        name: String,
        /// Where the roots are.
        roots: PathBuf,
        /// What rustls said.
        source: io::Error,
    },
    /// It speaks TLS and no HTTP/2.
    #[error("{address} speaks no HTTP/2; is it a control plane?")]
    Alpn {
        /// Of the control plane.
        address: String,
    },
    /// HTTP/2 could not begin.
    #[error("HTTP/2 with the control plane {address} failed: {source}")]
    Http {
        /// Of the control plane.
        address: String,
        /// What tonic said.
        source: tonic::transport::Error,
    },
}
