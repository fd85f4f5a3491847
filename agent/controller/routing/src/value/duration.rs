//! Lengths of time, as Istio and the Gateway API write them.

use std::time::Duration;

use serde::Deserialize;

use super::quoted;

/// Istio's: what Go reads, `1h30m`, `0.5s`, `100ms`, and protobuf's `1.5s`, which is a part of that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct IstioDuration(pub(crate) Duration);

/// The Gateway API's (GEP-2257): one to four whole numbers with a unit, at most five digits each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct GatewayDuration(pub(crate) Duration);

/// Neither knows a reason to wait longer, and sums of it stay far from any limit.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl IstioDuration {
    /// As protobuf has it.
    pub(crate) fn wire(self) -> prost_types::Duration {
        wire(self.0)
    }
}

impl GatewayDuration {
    /// As protobuf has it.
    pub(crate) fn wire(self) -> prost_types::Duration {
        wire(self.0)
    }
}

impl TryFrom<String> for IstioDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("{} is not a duration, for example 1h, 1m, 1.5s or 100ms", quoted(&text));
        if text.starts_with('-') {
            return Err(format!("{} is negative", quoted(&text)));
        }
        let length = go(text.strip_prefix('+').unwrap_or(&text)).ok_or_else(wrong)?;
        match length > LONGEST {
            true => Err(format!("{} is more than ten years", quoted(&text))),
            false => Ok(Self(length)),
        }
    }
}

impl TryFrom<String> for GatewayDuration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || {
            format!("{} is not a duration of the Gateway API, for example 10s, 1m30s or 500ms", quoted(&text))
        };
        let mut rest = text.as_str();
        let mut sum = Duration::ZERO;
        for part in 1.. {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=5).contains(&digits) || part > 4 {
                return Err(wrong());
            }
            let (number, tail) = rest.split_at(digits);
            let (unit, tail) = tail.split_at(tail.bytes().take_while(u8::is_ascii_alphabetic).count());
            let nanoseconds = gateway_unit(unit).ok_or_else(wrong)?;
            sum += Duration::from_nanos(nanoseconds * number.parse::<u64>().map_err(|_| wrong())?);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        Ok(Self(sum))
    }
}

/// `time.ParseDuration` without a sign; `0` needs no unit.
fn go(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut sum) = (text, 0u128);
    while !rest.is_empty() {
        let (whole, tail) = digits(rest);
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => digits(tail),
            None => ("", tail),
        };
        if whole.is_empty() && fraction.is_empty() || whole.len() > 18 {
            return None;
        }
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit = u128::from(unit_of(unit)?);
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // Nanoseconds are the finest there is: what comes after is cut.
        let fraction = &fraction[..fraction.len().min(18)];
        let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
        let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
        sum = sum.checked_add(whole * unit + part * unit / scale)?;
        rest = tail;
    }
    (!text.is_empty()).then(|| u64::try_from(sum).map_or(Duration::MAX, Duration::from_nanos))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn unit_of(unit: &str) -> Option<u64> {
    match unit {
        "ns" => Some(1),
        "us" | "µs" | "μs" => Some(1_000),
        other => gateway_unit(other),
    }
}

fn gateway_unit(unit: &str) -> Option<u64> {
    match unit {
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    }
}

fn wire(length: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    prost_types::Duration { seconds, nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("10s", Some(10_000))]
    #[case::fraction("0.5s", Some(500))]
    #[case::no_whole(".5s", Some(500))]
    #[case::protobuf("1.500000000s", Some(1500))]
    #[case::several("1h30m0.25s", Some(5_400_250))]
    #[case::milliseconds("100ms", Some(100))]
    #[case::microseconds("1500us", Some(1))]
    #[case::zero("0", Some(0))]
    #[case::zero_seconds("0s", Some(0))]
    #[case::plus("+1s", Some(1000))]
    #[case::empty("", None)]
    #[case::no_unit("10", None)]
    #[case::negative("-1s", None)]
    #[case::days("1d", None)]
    #[case::blank("1 s", None)]
    #[case::dot(".s", None)]
    #[case::huge("99999999999999999999s", None)]
    #[case::too_long("999999h", None)]
    fn istio(#[case] text: &str, #[case] milliseconds: Option<u128>) {
        let read = IstioDuration::try_from(text.to_owned()).ok();
        assert_eq!(read.map(|d| d.0.as_millis()), milliseconds);
    }

    #[rstest]
    #[case::seconds("10s", Some(10_000))]
    #[case::several("1h30m", Some(5_400_000))]
    #[case::four("1h1m1s1ms", Some(3_661_001))]
    #[case::five("1h1m1s1ms1ms", None)]
    #[case::fraction("0.5s", None)]
    #[case::six_digits("100000ms", None)]
    #[case::microseconds("1us", None)]
    #[case::zero("0s", Some(0))]
    #[case::zero_without_unit("0", None)]
    #[case::empty("", None)]
    fn gateway(#[case] text: &str, #[case] milliseconds: Option<u128>) {
        let read = GatewayDuration::try_from(text.to_owned()).ok();
        assert_eq!(read.map(|d| d.0.as_millis()), milliseconds);
    }
}
