//! What the texts in a policy's lists stand for.

use std::net::IpAddr;

use ipnet::IpNet;
use weir_proto::security::string_match::MatchType;
use weir_proto::security::{Address, ServiceAccountMatch, StringMatch};

use super::read::quoted;

/// A text or a pattern: `*` is any that is not empty, `*x` ends so, `x*` begins so. Any other star is a star.
pub(super) fn pattern(text: &str) -> Result<StringMatch, String> {
    let match_type = match text {
        "" => return Err("must not be empty".to_owned()),
        "*" => MatchType::Presence(()),
        _ => match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(suffix), _) => MatchType::Suffix(suffix.to_owned()),
            (None, Some(prefix)) => MatchType::Prefix(prefix.to_owned()),
            (None, None) => MatchType::Exact(text.to_owned()),
        },
    };
    Ok(StringMatch { match_type: Some(match_type) })
}

/// A [`pattern`] of peers' identities. On the wire those have no scheme: one with a scheme would never match, so that a
/// policy that denies would let past whom it names.
pub(super) fn principal(text: &str) -> Result<StringMatch, String> {
    match text.starts_with("spiffe:") {
        true => Err(format!("{} never matches: principals are written without spiffe://", quoted(text))),
        false => pattern(text),
    }
}

/// An address or a range of addresses.
pub(super) fn range(text: &str) -> Result<Address, String> {
    let net = net(text)?;
    let address = match net.network() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    Ok(Address { address, length: net.prefix_len().into() })
}

/// A [`range`].
///
/// IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4: that is how connections are compared, and as a range of IPv6 it would
/// never match.
pub(super) fn net(text: &str) -> Result<IpNet, String> {
    let net = parse_range(text).ok_or_else(|| format!("{} is not an address or a CIDR", quoted(text)))?;
    Ok(match net {
        IpNet::V6(v6) => match v6.addr().to_ipv4_mapped() {
            None => net,
            Some(v4) => match v6.prefix_len().checked_sub(96) {
                Some(bits) => IpNet::new(v4.into(), bits).map_err(|e| e.to_string())?,
                None => return Err(format!("{} is neither a range of IPv4 nor one of IPv6", quoted(text))),
            },
        },
        IpNet::V4(_) => net,
    })
}

fn parse_range(text: &str) -> Option<IpNet> {
    let Some((address, bits)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    // `str::parse` would take a sign, and some read 08 as octal.
    let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    IpNet::new(address.parse().ok()?, plain.then(|| bits.parse().ok())??).ok()
}

/// A port.
pub(super) fn port(text: &str) -> Result<u32, String> {
    let port = match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse::<u16>().ok().filter(|port| *port > 0),
        false => None,
    };
    port.map(u32::from).ok_or_else(|| format!("{} is not a port (1 to 65535)", quoted(text)))
}

/// A service account, `namespace/name`, or `name` in the policy's namespace.
pub(super) fn account(text: &str, namespace: &str) -> Result<ServiceAccountMatch, String> {
    let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
    if text.contains('*') {
        return Err(format!("{} has a wildcard, which service accounts cannot have", quoted(text)));
    }
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        return Err(format!("{} is not a service account (name or namespace/name)", quoted(text)));
    }
    Ok(ServiceAccountMatch { namespace: namespace.to_owned(), service_account: name.to_owned() })
}

/// What the author of a pattern may not have meant, though it is what it says.
pub(super) fn doubt(text: &str) -> Option<String> {
    let inner = text.strip_prefix('*').or_else(|| text.strip_suffix('*')).unwrap_or(text);
    inner.contains('*').then(|| {
        format!(
            "{} has a star that is no wildcard (only one at the begin or the end is), and no name has a star",
            quoted(text)
        )
    })
}
