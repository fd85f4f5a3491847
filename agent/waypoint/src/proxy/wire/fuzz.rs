//! The readers of strangers' bytes, for tests/fuzz.

use super::{Guess, Hello};

/// Where the gate stops a client's bytes, which come in these pieces; `None`: it passes all of them.
pub fn framing<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<usize> {
    let (mut framing, mut before) = (super::framing::Framing::default(), 0);
    for piece in pieces {
        if let Err((at, _)) = framing.feed(piece) {
            return Some(before + at);
        }
        before += piece.len();
    }
    None
}

/// What is spoken, once it is certain.
pub fn guess(bytes: &[u8]) -> Option<String> {
    Some(super::guess(bytes)).filter(|guess| *guess != Guess::More).map(|guess| format!("{guess:?}"))
}

/// The name in a hello, once it is certain.
pub fn server_name(bytes: &[u8]) -> Option<String> {
    Some(super::server_name(bytes)).filter(|hello| *hello != Hello::More).map(|hello| format!("{hello:?}"))
}
