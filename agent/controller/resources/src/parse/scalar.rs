//! Values that are more than text or a number.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Unexpected, Visitor};

use super::read::quote;
use crate::{Labels, intern, names};

/// A text that other objects say too.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Text(pub(super) Arc<str>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "a string", |text| Ok(Self(intern::text(text))))
    }
}

/// An address. One that is IPv4 in IPv6 becomes IPv4: a socket never says the other form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ip(pub(super) IpAddr);

impl<'de> Deserialize<'de> for Ip {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "an IP address", |text| ip(text).map(Self))
    }
}

/// An address, or that there is none yet: empty.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct IpOrNone(pub(super) Option<IpAddr>);

impl<'de> Deserialize<'de> for IpOrNone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "an IP address", |text| match text {
            "" => Ok(Self(None)),
            text => ip(text).map(|ip| Self(Some(ip))),
        })
    }
}

/// An address of a service; none yet; or `None`, by which it says that it wants none.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ClusterIp {
    pub(super) ip: Option<IpAddr>,
    pub(super) says_none: bool,
}

impl<'de> Deserialize<'de> for ClusterIp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "an IP address", |text| match text {
            "" => Ok(Self::default()),
            "None" => Ok(Self { ip: None, says_none: true }),
            text => ip(text).map(|ip| Self { ip: Some(ip), says_none: false }),
        })
    }
}

fn ip(text: &str) -> Result<IpAddr, String> {
    let ip = text.parse::<IpAddr>().map_err(|_| format!("{} is not an IP address", quote(text)))?;
    Ok(ip.to_canonical())
}

/// The name of a service account; `default` if it is empty.
#[derive(Debug, Clone)]
pub(super) struct Account(pub(super) Arc<str>);

impl Default for Account {
    fn default() -> Self {
        Self(intern::text("default"))
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "the name of a service account", |text| match text {
            "" => Ok(Self::default()),
            text if names::is_subdomain(text) => Ok(Self(intern::text(text))),
            text => Err(format!("{} is not the name of a service account", quote(text))),
        })
    }
}

/// 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Port(pub(super) u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Port;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, 1 to 65535")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Port, E> {
                let port = u16::try_from(number).ok().filter(|port| *port != 0);
                port.map(Port)
                    .ok_or_else(|| E::custom(format_args!("{number} is not a port; expected 1 to 65535")))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Port, E> {
                Err(E::custom(format_args!("{number} is not a port; expected 1 to 65535")))
            }
        }
        from.deserialize_u64(Number)
    }
}

/// Labels, or a selector of equality.
#[derive(Debug, Default, Clone)]
pub(super) struct LabelMap(pub(super) Labels);

impl<'de> Deserialize<'de> for LabelMap {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = LabelMap;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels: names and values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelMap, A::Error> {
                let mut pairs = Vec::new();
                while let Some(LabelName(name)) = map.next_key()? {
                    let LabelValue(value) = map.next_value()?;
                    pairs.push((name, value));
                }
                pairs.sort();
                Ok(LabelMap(Labels::interned(&pairs)))
            }
        }
        from.deserialize_map(Pairs)
    }
}

struct LabelName(Arc<str>);

impl<'de> Deserialize<'de> for LabelName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "the name of a label", |text| match names::is_label_name(text) {
            true => Ok(Self(intern::text(text))),
            false => Err(format!("{} is not the name of a label", quote(text))),
        })
    }
}

struct LabelValue(Arc<str>);

impl<'de> Deserialize<'de> for LabelValue {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from, "a string; write it in quotes", |text| match names::is_label_value(text) {
            true => Ok(Self(intern::text(text))),
            false => Err(format!("{} is not the value of a label", quote(text))),
        })
    }
}

/// Reads a text and makes something of it. Not by way of `String`: most of it is thrown away.
fn text<'de, D: Deserializer<'de>, T>(
    from: D,
    expected: &'static str,
    make: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Read<M>(&'static str, M);
    impl<T, M: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Read<M> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }
        // The default says it in more words than a value of this length is worth.
        fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
            Err(E::invalid_type(Unexpected::Bool(value), &self))
        }
    }
    from.deserialize_str(Read(expected, make))
}
