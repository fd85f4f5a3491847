//! A client that has said nothing in time: it may be waiting for its server, or thinking.

use std::rc::Rc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;

use super::between::between;
use super::refuse;
use crate::proxy::choice::Choice;
use crate::proxy::report::Account;
use crate::proxy::serve::{Client, decided, known};
use crate::proxy::wire::{Guess, Patience, Peeked, Prefixed, Stream, Verdict, peek};

/// Both ends are there and the client has said nothing: whoever speaks first decides.
pub(super) async fn undecided(
    client: Rc<Client>,
    mut stream: Stream,
    mut server: Stream,
    choice: Choice,
    mut account: Account,
) {
    let (mut from_client, mut from_server) = (BytesMut::new(), BytesMut::new());
    let first = tokio::select! {
        biased;
        read = server.read_buf(&mut from_server) => read.map(|_| false),
        read = stream.read_buf(&mut from_client) => read.map(|read| read > 0),
        () = tokio::time::sleep(client.worker.config.tcp_idle_time) => Ok(false),
    };
    if !matches!(first, Ok(true)) {
        // An end or a failure is met again by the copying, which knows what to do about it.
        let server = Prefixed::put_back(from_server, server);
        return between(&client, stream, server, choice, account).await;
    }
    let limit = client.worker.config.detection_time;
    let patience = Patience { first: limit, rest: limit };
    let Ok(Peeked { bytes, verdict }) = peek(&mut stream, from_client, patience, decided).await else {
        return between(&client, stream, server, choice, account).await;
    };
    match verdict {
        Verdict::Known(guess) if guess != Guess::Other => {
            // The server has heard nothing, and the client nothing of it.
            account.unsaid();
            drop((server, choice));
            Box::pin(known(client, stream, bytes, guess)).await;
        }
        _ => between(&client, Prefixed::put_back(bytes, stream), server, choice, account).await,
    }
}

/// The client may not reach the server as it is; what it says may change that.
pub(super) async fn wait_for_client(client: Rc<Client>, mut stream: Stream) {
    let config = &client.worker.config;
    let patience = Patience { first: config.tcp_idle_time, rest: config.head_time };
    match peek(&mut stream, BytesMut::new(), patience, decided).await {
        Ok(Peeked { bytes, verdict: Verdict::Known(guess) }) => {
            Box::pin(known(client, stream, bytes, guess)).await;
        }
        _ => refuse(stream),
    }
}
