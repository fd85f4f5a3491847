//! Numbers with limits.

use serde::Deserialize;

/// 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "i64")]
pub(crate) struct Port(pub(crate) u16);

impl TryFrom<i64> for Port {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let port = u16::try_from(number).ok().filter(|port| *port != 0);
        port.map(Self).ok_or_else(|| format!("{number} is not a port; expected 1 to 65535"))
    }
}

/// 0 to 100, with a fraction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Percent(pub(crate) f64);

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        match (0.0..=100.0).contains(&number) {
            true => Ok(Self(number)),
            false => Err(format!("{number} is not a percentage; expected 0 to 100")),
        }
    }
}

/// Of a million.
pub(crate) fn per_million(Percent(value): Percent) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 0 to a million")]
    let parts = (value * 10_000.0).round() as u32;
    parts
}
