//! What a client speaks, by its first bytes.

/// How a connection begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    /// A request line of HTTP/1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// A TLS handshake record.
    Tls,
    /// Nothing that we know.
    Other,
    /// It can still become something that we know.
    More,
}

/// Longer methods exist (in no registry); whoever uses one says by the port's name that it is HTTP.
const LONGEST_METHOD: usize = 24;
const LONGEST_TARGET: usize = 8192;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Looks at everything that has come so far.
pub(crate) fn guess(bytes: &[u8]) -> Guess {
    match bytes {
        [] => Guess::More,
        [0x16] => Guess::More,
        [0x16, 3, ..] => Guess::Tls,
        _ if bytes.starts_with(PREFACE) => Guess::Http2,
        _ if PREFACE.starts_with(bytes) => Guess::More,
        _ => request_line(bytes),
    }
}

/// `method SP target SP HTTP/1`: the version is awaited, since a text protocol of a client that speaks first can
/// begin with a word and a space as well.
fn request_line(bytes: &[u8]) -> Guess {
    let Some(method) = bytes.iter().position(|b| !is_method(*b)) else {
        return if bytes.len() > LONGEST_METHOD { Guess::Other } else { Guess::More };
    };
    if method == 0 || method > LONGEST_METHOD || bytes[method] != b' ' {
        return Guess::Other;
    }
    let target = &bytes[method + 1..];
    let Some(end) = target.iter().position(|b| *b <= b' ' || *b == 0x7f) else {
        return if target.len() > LONGEST_TARGET { Guess::Other } else { Guess::More };
    };
    let version = &target[end..];
    const VERSION: &[u8] = b" HTTP/1.";
    if end == 0 {
        Guess::Other
    } else if version.starts_with(VERSION) {
        Guess::Http1
    } else if VERSION.starts_with(version) {
        Guess::More
    } else {
        Guess::Other
    }
}

fn is_method(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte == b'-' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"", Guess::More)]
    #[case(b"G", Guess::More)]
    #[case(b"GET ", Guess::More)]
    #[case(b"GET /a HTTP/1", Guess::More)]
    #[case(b"GET /a HTTP/1.1\r\n", Guess::Http1)]
    #[case(b"M-SEARCH * HTTP/1.1\r\n", Guess::Http1)]
    #[case(b"P", Guess::More)]
    #[case(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Guess::Http2)]
    #[case(b"PRI * HTTP/2.0\r\n\r\nSM", Guess::More)]
    #[case(b"POST / HTTP/1.0\r\n", Guess::Http1)]
    #[case(b"\x16\x03\x01\x02\x00", Guess::Tls)]
    #[case(b"\x16\x04", Guess::Other)]
    #[case(b"PING\r\n", Guess::Other)]
    #[case(b"HELO there you\r\n", Guess::Other)]
    #[case(b"*1\r\n$4\r\nPING\r\n", Guess::Other)]
    #[case(b"get / http/1.1\r\n", Guess::Other)]
    #[case(b"SSH-2.0-OpenSSH_9.2\r\n", Guess::Other)]
    #[case(b"\0\0\0\x08\x04\xd2\x16\x2f", Guess::Other)]
    fn beginnings(#[case] bytes: &[u8], #[case] expected: Guess) {
        assert_eq!(guess(bytes), expected);
    }

    proptest! {
        /// What was certain once stays so, however the bytes are cut.
        #[test]
        fn more_bytes_do_not_change_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0usize..64) {
            let first = guess(&bytes[..cut.min(bytes.len())]);
            if first != Guess::More {
                prop_assert_eq!(first, guess(&bytes));
            }
        }
    }
}
