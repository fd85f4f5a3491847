//! What WebSocket's handshake over HTTP/1 has and that over HTTP/2 has not (RFC 6455 4, RFC 8441 5).

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use http::HeaderValue;

/// The nonce of a client that needed none.
pub(super) fn key(random: u128) -> HeaderValue {
    value(&random.to_be_bytes())
}

/// The proof that a server has understood the client's key.
pub(super) fn accept(key: &[u8]) -> HeaderValue {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    value(digest.finish().as_ref())
}

/// RFC 4648 4.
fn value(bytes: &[u8]) -> HeaderValue {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let number = part.iter().chain(&[0; 2]).take(3).fold(0, |n, byte| n << 8 | usize::from(*byte));
        let digits = (0..4).map(|place| match place <= part.len() {
            true => DIGITS[number >> (18 - 6 * place) & 63],
            false => b'=',
        });
        text.extend(digits);
    }
    // It is visible ASCII.
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 1.3.
    #[test]
    fn the_proof() {
        assert_eq!(accept(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key(u128::from_be_bytes(*b"the sample nonce")), "dGhlIHNhbXBsZSBub25jZQ==");
    }
}
