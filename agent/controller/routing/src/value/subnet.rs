//! Ranges of addresses.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::quoted;

/// An address or a CIDR, written as a CIDR without bits of the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Subnet(pub(crate) String);

impl TryFrom<String> for Subnet {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let address = || text.parse::<IpAddr>().ok().map(|ip| IpNet::from(ip.to_canonical()));
        // `8` may be written `08` by somebody who means something else.
        let plain = text.split_once('/').is_none_or(|(_, bits)| bits == "0" || !bits.starts_with(['0', '+']));
        let net = text.parse::<IpNet>().ok().filter(|_| plain).or_else(address);
        let net = net.ok_or_else(|| format!("{} is not an address or a CIDR", quoted(&text)))?;
        Ok(Self(net.trunc().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::v4("10.0.0.0/8", Some("10.0.0.0/8"))]
    #[case::bits_of_the_host("10.1.2.3/8", Some("10.0.0.0/8"))]
    #[case::address("10.1.2.3", Some("10.1.2.3/32"))]
    #[case::v6("2001:DB8::/32", Some("2001:db8::/32"))]
    #[case::mapped("::ffff:10.0.0.1", Some("10.0.0.1/32"))]
    #[case::too_many("10.0.0.0/33", None)]
    #[case::octal("10.0.0.0/08", None)]
    #[case::name("a.b", None)]
    #[case::empty("", None)]
    fn subnets(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(Subnet::try_from(text.to_owned()).ok().map(|s| s.0).as_deref(), expected);
    }
}
