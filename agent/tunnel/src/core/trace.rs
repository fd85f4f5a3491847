//! W3C `traceparent` (Trace Context level 1, version 00).

use std::fmt;
use std::str::FromStr;

use http::HeaderValue;

/// One connection's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Trace id, not zero.
    pub trace: u128,
    /// Id of the parent span, not zero.
    pub span: u64,
    /// Flags; bit 0 is "sampled".
    pub flags: u8,
}

/// A header that is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent: want 00-<32 hex>-<16 hex>-<2 hex> with ids that are not zero")]
pub struct NotATraceParent;

impl TraceParent {
    /// A new trace, not sampled.
    pub fn random() -> Self {
        let (trace, span) = (rand::random::<u128>().max(1), rand::random::<u64>().max(1));
        Self { trace, span, flags: 0 }
    }

    /// The header.
    pub fn header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let mut fields = text.split('-');
        let mut field = |width: usize| hex(fields.next(), width).ok_or(NotATraceParent);
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        if version != 0 || trace == 0 || span == 0 || fields.next().is_some() {
            return Err(NotATraceParent);
        }
        Ok(Self { trace, span: span as u64, flags: flags as u8 })
    }
}

/// Lower-case hexadecimal of exactly `width` digits.
fn hex(field: Option<&str>, width: usize) -> Option<u128> {
    let field = field.filter(|f| f.len() == width)?;
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if !field.bytes().all(digit) {
        return None;
    }
    u128::from_str_radix(field, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let parent = TraceParent::random();
        assert_eq!(parent.to_string().parse(), Ok(parent));
        assert_eq!(parent.to_string().len(), 55);
    }

    #[test]
    fn malformed_of_the_right_length_and_others() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(good.parse::<TraceParent>().is_ok());
        let bad = [
            good.replace("00-", "01-"),
            good.to_uppercase(),
            good.replace('-', "0"),
            good.replace("b7ad6b7169203331", "0000000000000000"),
            good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            format!("{good}-00"),
            "-".repeat(55),
            "é".repeat(27) + "1",
            String::new(),
        ];
        for text in bad {
            assert_eq!(text.parse::<TraceParent>(), Err(NotATraceParent), "{text}");
        }
    }
}
