//! Making a client connection in one of the ways that applications do.

use std::io::{self, Read, Write};
use std::mem::size_of;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Where to, and how the socket is prepared.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Dial {
    /// Destination; several are taken in turn.
    #[arg(long, required = true)]
    pub(crate) to: Vec<SocketAddr>,
    /// Destination ports from the given one upwards, in turn.
    #[arg(long, default_value_t = 1)]
    pub(crate) spread: u16,
    /// Way of connecting.
    #[arg(long, value_enum, default_value = "plain")]
    how: How,
    /// First destination of `--how reconnect`.
    #[arg(long)]
    via: Option<SocketAddr>,
    /// bind() before connect(): an address, or an address with a port.
    #[arg(long)]
    bind: Option<String>,
    /// SO_BINDTODEVICE.
    #[arg(long)]
    device: Option<String>,
    /// SO_REUSEADDR.
    #[arg(long)]
    reuseaddr: bool,
    /// SO_REUSEPORT.
    #[arg(long)]
    reuseport: bool,
    /// An IPv6 socket for an IPv4 destination.
    #[arg(long)]
    mapped: bool,
    /// SO_MARK before connect().
    #[arg(long)]
    mark: Option<u32>,
    /// IP_TRANSPARENT, to bind a foreign address.
    #[arg(long)]
    transparent: bool,
    /// Limit of each step, milliseconds.
    #[arg(long, default_value_t = 5000)]
    pub(crate) timeout: u64,
}

/// Ways of connecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// connect() on a blocking socket.
    Plain,
    /// connect() on a non-blocking socket, poll, connect() again for the result.
    Nonblock,
    /// Connected elsewhere first, dissolved by AF_UNSPEC, connected again.
    Reconnect,
    /// sendto() with MSG_FASTOPEN.
    Fastopen,
    /// TCP_FASTOPEN_CONNECT, the SYN leaves with the first write.
    FastopenConnect,
    /// IPPROTO_MPTCP.
    Mptcp,
}

/// A connection, and how long connect() took.
pub(crate) struct Dialled {
    pub(crate) stream: TcpStream,
    pub(crate) took: Duration,
}

/// Where it went wrong.
pub(crate) struct Refused {
    pub(crate) stage: &'static str,
    pub(crate) error: io::Error,
}

impl Dial {
    /// Destination of the n-th connection.
    pub(crate) fn target(&self, n: usize) -> SocketAddr {
        let mut to = self.to[n % self.to.len()];
        let step = n / self.to.len() % usize::from(self.spread);
        to.set_port(to.port() + u16::try_from(step).unwrap_or(0));
        to
    }

    /// Limit of each step.
    pub(crate) fn limit(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }

    /// Connects; the first bytes to send are given because fast open sends them with the SYN.
    pub(crate) fn connect(&self, to: SocketAddr, first: &[u8]) -> Result<Dialled, Refused> {
        let at = |stage| move |error| Refused { stage, error };
        let to = if self.mapped { map(to) } else { to };
        let socket = self.socket(to).map_err(at("bind"))?;
        let start = Instant::now();
        self.connect_as_told(&socket, to, first).map_err(at("connect"))?;
        let took = start.elapsed();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(self.limit())).map_err(at("connect"))?;
        stream.set_write_timeout(Some(self.limit())).map_err(at("connect"))?;
        Ok(Dialled { stream, took })
    }

    fn socket(&self, to: SocketAddr) -> io::Result<Socket> {
        let protocol = match self.how {
            How::Mptcp => Protocol::MPTCP,
            _ => Protocol::TCP,
        };
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(protocol))?;
        socket.set_reuse_address(self.reuseaddr)?;
        socket.set_reuse_port(self.reuseport)?;
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        if let Some(mark) = self.mark {
            socket.set_mark(mark)?;
        }
        if self.transparent {
            transparent(&socket, to)?;
        }
        if let Some(local) = &self.bind {
            socket.bind(&self.local(local, to)?)?;
        }
        Ok(socket)
    }

    fn local(&self, text: &str, to: SocketAddr) -> io::Result<SockAddr> {
        let address = text
            .parse()
            .or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::from((ip, 0))))
            .map_err(|_| io::Error::other(format!("--bind {text} is no address")))?;
        Ok(if to.is_ipv6() { map(address) } else { address }.into())
    }

    fn connect_as_told(&self, socket: &Socket, to: SocketAddr, first: &[u8]) -> io::Result<()> {
        let address = SockAddr::from(to);
        match self.how {
            How::Plain | How::Mptcp => blocking(socket, &address, self.limit()),
            How::Nonblock => nonblocking(socket, &address, self.limit()),
            How::Reconnect => {
                let before = self.via.ok_or_else(|| io::Error::other("--via is missing"))?;
                let before = if self.mapped { map(before) } else { before };
                blocking(socket, &before.into(), self.limit())?;
                dissolve(socket)?;
                blocking(socket, &address, self.limit())
            }
            How::Fastopen => {
                socket.set_write_timeout(Some(self.limit()))?;
                socket.send_to_with_flags(first, &address, libc::MSG_FASTOPEN).map(drop)
            }
            How::FastopenConnect => {
                set(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)?;
                blocking(socket, &address, self.limit())
            }
        }
    }

    /// Whether `connect` has sent the first bytes already.
    pub(crate) fn sends_first(&self) -> bool {
        self.how == How::Fastopen
    }
}

/// Writes one line (unless sent already) and reads the answering one.
pub(crate) fn exchange(stream: &mut TcpStream, line: &[u8], sent: bool) -> Result<String, Refused> {
    if !sent {
        stream.write_all(line).map_err(|error| Refused { stage: "send", error })?;
    }
    line_of(stream).map_err(|error| Refused { stage: "read", error })
}

/// Reads one line, byte by byte: nothing after it may be taken from the stream.
pub(crate) fn line_of(stream: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if byte[0] == b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
            _ => line.push(byte[0]),
        }
    }
}

/// Name of the error, as in the manual pages.
pub(crate) fn name(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "EOF".into();
    }
    let known = match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => "ECONNREFUSED",
        Some(libc::ECONNRESET) => "ECONNRESET",
        Some(libc::ETIMEDOUT) => "ETIMEDOUT",
        Some(libc::EADDRNOTAVAIL) => "EADDRNOTAVAIL",
        Some(libc::EADDRINUSE) => "EADDRINUSE",
        Some(libc::ENETUNREACH) => "ENETUNREACH",
        Some(libc::EHOSTUNREACH) => "EHOSTUNREACH",
        Some(libc::EPIPE) => "EPIPE",
        Some(libc::EPERM) => "EPERM",
        Some(libc::EINVAL) => "EINVAL",
        Some(libc::EAGAIN) => "TIMEOUT",
        _ if error.kind() == io::ErrorKind::TimedOut => "TIMEOUT",
        _ => return error.to_string(),
    };
    known.into()
}

/// The address without its v4-in-v6 form.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// RST instead of FIN at close.
pub(crate) fn reset(stream: &TcpStream) {
    // A socket that is already reset has nothing to linger for.
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn map(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv6Addr::UNSPECIFIED,
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    (ip, address.port()).into()
}

/// A real blocking connect(): a limit by poll would make it another way. The send time-out ends it.
fn blocking(socket: &Socket, to: &SockAddr, limit: Duration) -> io::Result<()> {
    socket.set_write_timeout(Some(limit))?;
    match socket.connect(to) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Err(io::ErrorKind::TimedOut.into()),
        other => other,
    }
}

fn nonblocking(socket: &Socket, to: &SockAddr, limit: Duration) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(to) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => (),
        other => return other.and_then(|()| socket.set_nonblocking(false)),
    }
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    let millis = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    // SAFETY: one live pollfd.
    if unsafe { libc::poll(&raw mut poll, 1, millis) } == 0 {
        return Err(io::ErrorKind::TimedOut.into());
    }
    // The second call gives the result; 0 or EISCONN is success.
    match socket.connect(to) {
        Err(error) if error.raw_os_error() != Some(libc::EISCONN) => return Err(error),
        _ => (),
    }
    socket.set_nonblocking(false)
}

/// connect() with AF_UNSPEC ends the connection and frees the socket for another.
fn dissolve(socket: &Socket) -> io::Result<()> {
    let none = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: a live sockaddr of the given length.
    match unsafe { libc::connect(socket.as_raw_fd(), &raw const none, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn transparent(socket: &Socket, to: SocketAddr) -> io::Result<()> {
    if to.is_ipv6() {
        set(socket, libc::SOL_IPV6, libc::IPV6_TRANSPARENT, 1)
    } else {
        socket.set_ip_transparent_v4(true)
    }
}

pub(crate) fn set(socket: &Socket, level: i32, option: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: a live i32 of the given length.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
