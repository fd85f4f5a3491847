//! TLS 1.3 over a TCP socket, made for large reads and writes.
//!
//! rustls does the handshake and keeps the key schedule ([`rustls::kernel`]); the records are sealed and opened
//! here, because rustls copies each byte once or twice more than needed on its way through. A read takes up to
//! [`buffer::SIZE`](super::buffer::SIZE) bytes of records from the kernel at once and opens them straight into
//! the reader's memory; a write seals straight from the writer's memory, and small writes share a record.
//!
//! ```text
//!  socket -> Inbox --Opener--> h2's read buffer      h2's frames --Sealer--> Outbox -> socket
//! ```

#[cfg(feature = "fuzz")]
pub mod fuzz;
mod handshake;
mod inbox;
mod outbox;
mod record;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use handshake::{Established, accept, connect};
pub(crate) use stream::TlsStream;

/// Why a TLS connection failed.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The handshake failed, or the peer's certificate is not the one that was expected.
    #[error("TLS: {}", weir_identity::explain(.0))]
    Rustls(#[from] rustls::Error),
    /// The socket failed.
    #[error("TLS: the connection failed: {0}")]
    Io(#[from] std::io::Error),
    /// The peer closed before the handshake was complete.
    #[error("TLS: the peer closed the connection during the handshake")]
    Closed,
    /// The handshake took too long.
    #[error("TLS: no handshake within {0:?}")]
    Timeout(std::time::Duration),
    /// A record did not open: damaged, forged, or sealed with another key.
    #[error("TLS: a record failed authentication")]
    BadRecord,
    /// The peer broke the protocol after the handshake.
    #[error("TLS: the peer broke the protocol: {0}")]
    Protocol(&'static str),
    /// The peer sent an alert.
    #[error("TLS: the peer sent alert {0}")]
    Alert(u8),
    /// The negotiated suite is not one that this record layer has.
    #[error("TLS: cipher suite not supported")]
    Suite,
    /// The peer did not agree to speak HTTP/2.
    #[error("TLS: the peer did not negotiate h2")]
    NoHttp2,
}

impl From<TlsError> for std::io::Error {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Io(error) => error,
            other => std::io::Error::new(std::io::ErrorKind::InvalidData, other),
        }
    }
}

impl TlsError {
    /// Whether the peer's certificate was revoked.
    pub(crate) fn is_revoked(&self) -> bool {
        use rustls::{CertificateError, Error};
        matches!(self, Self::Rustls(Error::InvalidCertificate(CertificateError::Revoked)))
    }
}
