//! A range of addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::route::{Reason, Rejection, each};

/// A CIDR, or one address.
#[derive(Debug)]
pub(super) struct Blocks(IpNet);

impl Blocks {
    pub(super) fn compile(field: &str, forms: &[String]) -> Result<Vec<Self>, Rejection> {
        each(field, forms, |text: &String| {
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            let net = net.map_err(|_| Rejection::of(Reason::Subnet(text.clone())))?;
            Ok(Self(canonical(net)))
        })
    }

    pub(super) fn contain(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`, as addresses are compared without their mapping.
fn canonical(net: IpNet) -> IpNet {
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (IpAddr::V4(ip), Some(bits)) if net.addr().is_ipv6() => IpNet::new(ip.into(), bits).unwrap_or(net),
        _ => net,
    }
}
