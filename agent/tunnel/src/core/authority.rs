//! The target of a CONNECT: `ip:port`, `[ip]:port` or `name:port` (RFC 9110 section 9.3.6).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where a CONNECT wants to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// An address. Never v4-mapped.
    Address(SocketAddr),
    /// A service's hostname, in lower case.
    Name {
        /// The hostname.
        host: Box<str>,
        /// Port of the service, not of an endpoint.
        port: u16,
    },
}

/// Why a text is not an [`Authority`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// No `:authority` at all.
    #[error("the CONNECT names no authority")]
    Missing,
    /// There is no `:port`.
    #[error("the authority has no port")]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("the authority's port is not a number from 1 to 65535")]
    Port,
    /// Neither an address nor a hostname.
    #[error("the authority's host is neither an address nor a hostname")]
    Host,
}

impl FromStr for Authority {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        let (host, port) = text.rsplit_once(':').ok_or(AuthorityError::NoPort)?;
        let port = parse_port(port)?;
        if let Some(inner) = host.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(AuthorityError::Host)?;
            let ip: Ipv6Addr = inner.parse().map_err(|_| AuthorityError::Host)?;
            let ip = IpAddr::V6(ip).to_canonical();
            return Ok(Self::Address(SocketAddr::new(ip, port)));
        }
        if let Ok(ip) = host.parse() {
            return Ok(Self::Address(SocketAddr::new(IpAddr::V4(ip), port)));
        }
        if !is_hostname(host) {
            return Err(AuthorityError::Host);
        }
        let host = host.to_ascii_lowercase().into_boxed_str();
        Ok(Self::Name { host, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(addr) => addr.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// `u16::from_str` would take a leading `+`.
fn parse_port(text: &str) -> Result<u16, AuthorityError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AuthorityError::Port);
    }
    let port = text.parse().map_err(|_| AuthorityError::Port)?;
    if port == 0 {
        return Err(AuthorityError::Port);
    }
    Ok(port)
}

/// A name of RFC 1123, with the underscore that Kubernetes' users write. A name whose last label is a number
/// is a misspelt IPv4 address (WHATWG URL, "ends in a number").
fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let number = |l: &str| l.bytes().all(|b| b.is_ascii_digit());
    name.len() <= 253 && name.split('.').all(label) && !name.rsplit('.').next().is_some_and(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_authorities() {
        let cases = [
            ("10.1.1.2:8080", "10.1.1.2:8080"),
            ("[fd00::2]:80", "[fd00::2]:80"),
            ("[::ffff:10.1.1.2]:80", "10.1.1.2:80"),
            ("Web.shop.svc.cluster.local:80", "web.shop.svc.cluster.local:80"),
            ("web:1", "web:1"),
        ];
        for (text, shown) in cases {
            let got = text.parse::<Authority>().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(got.to_string(), shown);
        }
    }

    #[test]
    fn bad_authorities() {
        use AuthorityError::*;
        let cases = [
            ("", NoPort),
            ("10.1.1.2", NoPort),
            ("10.1.1.2:", Port),
            ("10.1.1.2:0", Port),
            ("10.1.1.2:+80", Port),
            ("10.1.1.2:65536", Port),
            ("10.1.1.2:80a", Port),
            (":80", Host),
            ("fd00::2:80", Host),
            ("[fd00::2:80", Host),
            ("[fd00::2%eth0]:80", Host),
            ("[10.1.1.2]:80", Host),
            ("10.1.1:80", Host),
            ("10.1.1.256:80", Host),
            ("user@web:80", Host),
            ("-web:80", Host),
            ("we b:80", Host),
            ("web..local:80", Host),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<Authority>(), Err(why), "{text}");
        }
    }
}
