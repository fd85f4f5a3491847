//! Bytes in JSON.

/// Base64, either alphabet, padded or not; `None`: it is none.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for digit in digits.bytes() {
        bits = bits << 6 | u32::from(value(digit)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    (held < 6 && text.len() - digits.len() <= 2).then_some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("", Some(""))]
    #[case("aGk=", Some("hi"))]
    #[case("aGk", Some("hi"))]
    #[case("aGVsbG8gd29ybGQ=", Some("hello world"))]
    #[case("a", None)]
    #[case("a b=", None)]
    #[case("aGk====", None)]
    fn decodes(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(base64(text), expected.map(|text| text.as_bytes().to_vec()));
    }
}
