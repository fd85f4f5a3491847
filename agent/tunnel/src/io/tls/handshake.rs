//! The handshake, by rustls; what comes after it is the record layer's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::kernel::KernelConnection;
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, UnbufferedConnectionCommon, UnbufferedStatus,
};
use rustls::{ClientConfig, CommonState, ConnectionTrafficSecrets, Error, ExtractedSecrets, ServerConfig};
use tokio::net::TcpStream;

use super::TlsError;

/// A connection after its handshake.
pub(crate) struct Established {
    pub(crate) socket: TcpStream,
    /// What the peer proved itself with, its own certificate first.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(super) secrets: ExtractedSecrets,
    pub(super) schedule: Box<dyn Schedule>,
    /// Content that came right behind the peer's last handshake message.
    pub(super) early: Vec<u8>,
    /// Bytes that were read and are no whole record.
    pub(super) unread: Vec<u8>,
    /// Our last flight: it leaves with the first records, in one packet.
    pub(super) unsent: Vec<u8>,
}

/// Key updates (RFC 8446 section 7.2).
pub(super) trait Schedule {
    fn next_sending(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error>;
    fn next_receiving(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error>;
}

impl<Data> Schedule for KernelConnection<Data> {
    fn next_sending(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error> {
        self.update_tx_secret()
    }

    fn next_receiving(&mut self) -> Result<(u64, ConnectionTrafficSecrets), Error> {
        self.update_rx_secret()
    }
}

/// Handshakes as a client. The configuration pins the peer; its name is of no interest.
///
/// # Errors
/// The peer is not who was expected, or does not answer within `limit`.
pub(crate) async fn connect(
    socket: TcpStream,
    config: Arc<ClientConfig>,
    limit: Duration,
) -> Result<Established, TlsError> {
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0; 4])));
    let mut tls = Box::new(UnbufferedClientConnection::new(config, nobody)?);
    let step = UnbufferedConnectionCommon::<ClientConnectionData>::process_tls_records;
    let flight = within(limit, drive(&socket, &mut tls, step)).await?;
    let certificates = agreed(&tls)?;
    let (secrets, kernel) = tls.dangerous_into_kernel_connection()?;
    Ok(flight.establish(socket, certificates, secrets, Box::new(kernel)))
}

/// Handshakes as a server; the configuration demands a certificate.
///
/// # Errors
/// The peer's certificate is not of the mesh, or the peer does not answer within `limit`.
pub(crate) async fn accept(
    socket: TcpStream,
    config: Arc<ServerConfig>,
    limit: Duration,
) -> Result<Established, TlsError> {
    let mut tls = Box::new(UnbufferedServerConnection::new(config)?);
    let step = UnbufferedConnectionCommon::<ServerConnectionData>::process_tls_records;
    let flight = within(limit, drive(&socket, &mut tls, step)).await?;
    let certificates = agreed(&tls)?;
    let (secrets, kernel) = tls.dangerous_into_kernel_connection()?;
    Ok(flight.establish(socket, certificates, secrets, Box::new(kernel)))
}

async fn within<T>(
    limit: Duration,
    handshake: impl Future<Output = Result<T, TlsError>>,
) -> Result<T, TlsError> {
    match tokio::time::timeout(limit, handshake).await {
        Ok(result) => result,
        Err(_) => Err(TlsError::Timeout(limit)),
    }
}

fn agreed(tls: &CommonState) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    if tls.alpn_protocol() != Some(b"h2") {
        return Err(TlsError::NoHttp2);
    }
    let chain = tls.peer_certificates().unwrap_or_default();
    Ok(chain.iter().map(|c| c.clone().into_owned()).collect())
}

/// What is left over when a handshake is complete.
#[derive(Default)]
struct Flight {
    early: Vec<u8>,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

impl Flight {
    fn establish(
        self,
        socket: TcpStream,
        certificates: Vec<CertificateDer<'static>>,
        secrets: ExtractedSecrets,
        schedule: Box<dyn Schedule>,
    ) -> Established {
        let Self { early, unread, unsent } = self;
        Established { socket, certificates, secrets, schedule, early, unread, unsent }
    }
}

/// Runs rustls's states until the connection may carry data.
async fn drive<Data>(
    socket: &TcpStream,
    tls: &mut UnbufferedConnectionCommon<Data>,
    step: impl for<'c, 'i> Fn(
        &'c mut UnbufferedConnectionCommon<Data>,
        &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Data>,
) -> Result<Flight, TlsError> {
    let mut flight = Flight::default();
    let unread = &mut flight.unread;
    loop {
        let UnbufferedStatus { mut discard, state } = step(tls, unread);
        let mut starved = false;
        match state {
            Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut flight.unsent)?,
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::BlockedHandshake) => starved = true,
            Ok(ConnectionState::ReadTraffic(mut data)) => {
                while let Some(record) = data.next_record() {
                    let record = record?;
                    discard += record.discard;
                    flight.early.extend_from_slice(record.payload);
                }
            }
            Ok(ConnectionState::WriteTraffic(_)) => {
                unread.drain(..discard);
                return Ok(flight);
            }
            Ok(_) => return Err(TlsError::Closed),
            Err(error) => {
                unread.drain(..discard);
                say_why(socket, step(tls, unread), &mut flight.unsent);
                return Err(error.into());
            }
        }
        unread.drain(..discard);
        if starved {
            send(socket, &mut flight.unsent).await?;
            receive(socket, unread).await?;
        }
    }
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> Result<(), TlsError> {
    let start = out.len();
    let size = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        _ => return Ok(()),
    };
    out.resize(start + size, 0);
    data.encode(&mut out[start..]).map_err(|e| Error::General(e.to_string()))?;
    Ok(())
}

/// The alert that tells the peer what was wrong with it, as far as the socket takes it at once.
fn say_why<Data>(socket: &TcpStream, status: UnbufferedStatus<'_, '_, Data>, out: &mut Vec<u8>) {
    if let Ok(ConnectionState::EncodeTlsData(data)) = status.state
        && encode(data, out).is_ok()
    {
        let _ = socket.try_write(out);
    }
}

async fn send(socket: &TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    let mut sent = 0;
    while sent < out.len() {
        match socket.try_write(&out[sent..]) {
            Ok(n) => sent += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(e) => return Err(e),
        }
    }
    out.clear();
    Ok(())
}

async fn receive(socket: &TcpStream, unread: &mut Vec<u8>) -> Result<(), TlsError> {
    if unread.len() >= MAX_UNREAD {
        return Err(TlsError::Protocol("a handshake message that is too long"));
    }
    let start = unread.len();
    loop {
        unread.resize(start + READ, 0);
        let result = crate::io::tcp::try_read(socket, &mut unread[start..]);
        unread.truncate(start + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => return Err(TlsError::Closed),
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.readable().await?,
            Err(e) => return Err(e.into()),
        }
    }
}

/// What one read of the handshake takes.
const READ: usize = 8 * 1024;
/// rustls refuses handshake messages above 64 KiB; a buffer that large and still not enough is an attack.
const MAX_UNREAD: usize = 128 * 1024;
