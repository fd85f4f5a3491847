//! TLS that is passed through: the name in its hello says where it goes.

use std::rc::Rc;

use bytes::BytesMut;

use super::{Carried, carry};
use crate::proxy::serve::Client;
use crate::proxy::wire::{Hello, Patience, Peeked, Stream, Verdict, peek, server_name};

/// Carries a connection by its server name; `bytes` have been read from it already.
pub(crate) async fn carry_tls(client: Rc<Client>, mut stream: Stream, bytes: BytesMut) {
    let config = &client.worker.config;
    let patience = Patience { first: config.idle_time, rest: config.head_time };
    let known = |bytes: &[u8]| match server_name(bytes) {
        Hello::More => None,
        Hello::Name(name) => Some(name),
        // What is no TLS has no name; a route for any name may still take it.
        Hello::Not => Some(None),
    };
    let Ok(Peeked { bytes, verdict }) = peek(&mut stream, bytes, patience, known).await else {
        return;
    };
    match verdict {
        Verdict::Known(name) => carry(client, stream, bytes, Carried::Tls(name)).await,
        Verdict::Late | Verdict::End | Verdict::Full if bytes.is_empty() => {}
        Verdict::Late | Verdict::End | Verdict::Full => {
            carry(client, stream, bytes, Carried::Tls(None)).await
        }
    }
}
