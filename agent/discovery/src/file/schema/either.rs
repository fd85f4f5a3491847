//! Values with a short form (text) and a long form (fields).

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::Port;

/// A virtual address: `10.0.0.1`, `10.0.0.0/24`, or with its network.
#[derive(Debug)]
pub(in crate::file) struct Address {
    pub(in crate::file) network: String,
    /// An address or a range.
    pub(in crate::file) address: String,
}

/// A workload behind a service: its name, its uid, or one of them with ports of its own.
pub(in crate::file) struct Endpoint {
    pub(in crate::file) workload: String,
    pub(in crate::file) ports: Vec<Spanned<Port>>,
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            #[serde(default)]
            network: String,
            address: String,
        }
        let short = |address: String| Self { network: String::new(), address };
        let long = |long: Long| Self { network: long.network, address: long.address };
        let expected = "an address, a range, or {network, address}";
        deserializer.deserialize_any(Either { expected, short, long: (long, std::marker::PhantomData) })
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            workload: String,
            #[serde(default)]
            ports: Vec<Spanned<Port>>,
        }
        let short = |workload: String| Self { workload, ports: Vec::new() };
        let long = |long: Long| Self { workload: long.workload, ports: long.ports };
        let expected = "the name or uid of a workload, or {workload, ports}";
        deserializer.deserialize_any(Either { expected, short, long: (long, std::marker::PhantomData) })
    }
}

struct Either<S, L, F> {
    expected: &'static str,
    short: S,
    long: (F, std::marker::PhantomData<L>),
}

impl<'de, T, S, L, F> Visitor<'de> for Either<S, L, F>
where
    S: FnOnce(String) -> T,
    L: Deserialize<'de>,
    F: FnOnce(L) -> T,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        String::deserialize(StrDeserializer::new(text)).map(self.short)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        L::deserialize(MapAccessDeserializer::new(map)).map(self.long.0)
    }
}
