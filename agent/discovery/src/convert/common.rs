//! Fields that workloads and services share.

use std::net::IpAddr;

use weir_model::{AppProtocol, GatewayAddress, GatewayDestination, PortMapping, ServiceKey};
use weir_proto::workload as proto;

use super::rejection::{Fault, Reason, within};

/// 4 or 16 bytes; a v4-mapped address becomes IPv4, or it would never equal what a socket says.
pub(super) fn ip(bytes: &[u8]) -> Result<IpAddr, Fault> {
    let ip = <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    let ip = ip.map_err(|_| (String::new(), Reason::AddressLength { length: bytes.len() }))?;
    Ok(ip.to_canonical())
}

/// An enum's known value.
pub(super) fn known<E: TryFrom<i32>>(field: &str, kind: &'static str, number: i32) -> Result<E, Fault> {
    E::try_from(number).map_err(|_| (field.to_owned(), Reason::UnknownEnum { kind, number }))
}

/// Converts every item of a list; a fault names its place.
pub(super) fn each<T, U>(
    items: &[T],
    field: &str,
    convert: impl Fn(&T) -> Result<U, Fault>,
) -> Result<Vec<U>, Fault> {
    let one = |(place, item)| convert(item).map_err(within(format_args!("{field}[{place}]")));
    items.iter().enumerate().map(one).collect()
}

pub(super) fn ports(messages: &[proto::Port]) -> Result<Vec<PortMapping>, Fault> {
    let each = |(place, message)| port(message).map_err(within(format_args!("ports[{place}]")));
    messages.iter().enumerate().map(each).collect()
}

fn port(message: &proto::Port) -> Result<PortMapping, Fault> {
    let number =
        |field: &str, port: u32| u16::try_from(port).map_err(|_| (field.to_owned(), Reason::Port { port }));
    let service_port = number("service_port", message.service_port)?;
    if service_port == 0 {
        return Err(("service_port".into(), Reason::Port { port: 0 }));
    }
    let app_protocol = match known("app_protocol", "AppProtocol", message.app_protocol)? {
        proto::AppProtocol::Unknown => AppProtocol::Unknown,
        proto::AppProtocol::Http11 => AppProtocol::Http11,
        proto::AppProtocol::Http2 => AppProtocol::Http2,
        proto::AppProtocol::Grpc => AppProtocol::Grpc,
        proto::AppProtocol::Tcp => AppProtocol::Tcp,
        proto::AppProtocol::Tls => AppProtocol::Tls,
    };
    Ok(PortMapping { service_port, target_port: number("target_port", message.target_port)?, app_protocol })
}

/// A gateway must say where it is: without, its traffic would go around it.
pub(super) fn gateway(message: proto::GatewayAddress) -> Result<GatewayAddress, Fault> {
    let destination = match message.destination {
        None => return Err(("destination".into(), Reason::Missing)),
        Some(proto::gateway_address::Destination::Hostname(name)) => {
            GatewayDestination::Hostname(ServiceKey::new(&name.namespace, &name.hostname))
        }
        Some(proto::gateway_address::Destination::Address(at)) => GatewayDestination::Address {
            network: at.network.into(),
            ip: ip(&at.address).map_err(within("address.address"))?,
        },
    };
    let port = message.hbone_mtls_port;
    let hbone_mtls_port = match u16::try_from(port) {
        Ok(0) => HBONE_PORT,
        Ok(port) => port,
        Err(_) => return Err(("hbone_mtls_port".into(), Reason::Port { port })),
    };
    Ok(GatewayAddress { destination, hbone_mtls_port })
}

/// Port of a gateway that names none.
const HBONE_PORT: u16 = 15008;
