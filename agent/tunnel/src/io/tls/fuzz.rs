//! What a fuzzer can do to the record layer, without sockets.

use aws_lc_rs::aead::AES_128_GCM;
use tokio::io::ReadBuf;

use super::inbox::{Inbox, Notice};
use super::record::{DATA, HEADER, Key, TRAILER};

/// Opens a stream of records as a peer behind the handshake can send it. `script` is what the peer does:
/// pieces of `kind`, two bytes of length and content, sealed with the right key; kind 0 is sent as it is.
///
/// # Panics
/// The content that came out is not the content that went in.
pub fn open(script: &[u8]) {
    let (mut sent, mut expected) = (Vec::new(), Vec::new());
    let (mut sealer, mut rest, mut honest) = (key(), script, true);
    while let [kind, high, low, more @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(more.len());
        let (content, after) = more.split_at(len);
        rest = after;
        if sent.len() + content.len() + HEADER + TRAILER > MOST {
            break;
        }
        honest &= *kind == DATA;
        if *kind == 0 {
            sent.extend_from_slice(content);
            continue;
        }
        let start = sent.len();
        sent.resize(start + HEADER + content.len() + TRAILER, 0);
        if sealer.seal(*kind, content, &mut sent[start..]).is_err() {
            return;
        }
        if honest {
            expected.extend_from_slice(content);
        }
    }
    let room = 1 + script.first().map_or(0, |b| usize::from(*b) * 97);
    let got = read(Inbox::new(key(), Vec::new(), &sent), room);
    assert!(got.starts_with(&expected) || expected.starts_with(&got), "content was made up");
}

fn read(mut inbox: Inbox, room: usize) -> Vec<u8> {
    let (mut got, mut memory) = (Vec::new(), vec![0; room]);
    loop {
        let mut out = ReadBuf::new(&mut memory);
        let result = inbox.open(&mut out);
        got.extend_from_slice(out.filled());
        match result {
            Ok(Some(Notice::KeyUpdate(_))) => inbox.set_key(key()),
            Ok(None) if !out.filled().is_empty() => {}
            Ok(_) | Err(_) => return got,
        }
    }
}

fn key() -> Key {
    Key::fixed(&AES_128_GCM)
}

/// What the handshake may leave unread.
const MOST: usize = 128 * 1024;
