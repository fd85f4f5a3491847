//! Destinations, as one setting names them.

use std::net::IpAddr;
use std::str::FromStr;

/// A destination prefix; a bare address is a prefix of its full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) IpAddr, pub(crate) u8);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| "not an address or a prefix such as 10.0.0.0/8".to_owned())?;
        let full = if address.is_ipv4() { 32 } else { 128 };
        let length = match length.map(str::parse::<u8>) {
            None => full,
            Some(Ok(length)) if length <= full => length,
            Some(_) => return Err(format!("the prefix length must be 0 to {full}")),
        };
        Ok(Self(address, length))
    }
}
