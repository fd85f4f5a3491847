//! One connection, with TLS or without.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

/// A connection that gives up when the time is over.
pub(crate) struct Link {
    stream: Stream,
    until: Instant,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    pub(crate) fn plain(at: SocketAddr, until: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&at, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream: Stream::Plain(stream), until })
    }

    pub(crate) fn tls(at: SocketAddr, until: Instant, alpn: &[u8]) -> io::Result<Self> {
        let Self { stream: Stream::Plain(stream), .. } = Self::plain(at, until)? else {
            return Err(io::ErrorKind::Other.into());
        };
        let mut stream = StreamOwned::new(client(alpn)?, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream: Stream::Tls(Box::new(stream)), until })
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// What there is to read, at most `LIMIT` later; the end is an error.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer)?,
            Stream::Tls(stream) => stream.read(buffer)?,
        };
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }

    /// Says nothing until the other side has enough of it.
    pub(crate) fn outlast(mut self) -> io::Result<()> {
        while !self.is_over() {
            match self.receive(&mut [0; 4096]) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                }
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Says `bytes` one by one, over and over.
    pub(crate) fn drip(mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes.iter().cycle() {
            if self.is_over() {
                return Ok(());
            }
            self.send(&[*byte])?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

pub(crate) fn garbage(mut link: Link) -> io::Result<()> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while !link.is_over() {
        let mut bytes = [0; 1024];
        for byte in &mut bytes {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        link.send(&bytes)?;
    }
    Ok(())
}

/// The beginning of what a good client says.
pub(crate) fn half_a_hello() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    client(b"h2")?.write_tls(&mut bytes)?;
    bytes.truncate(bytes.len() / 2);
    Ok(bytes)
}

fn client(alpn: &[u8]) -> io::Result<ClientConnection> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config =
        config.map_err(io::Error::other)?.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

/// Whoever is attacked need not prove himself.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// For one step.
const LIMIT: Duration = Duration::from_millis(500);
