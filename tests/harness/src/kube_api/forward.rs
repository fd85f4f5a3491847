//! Port-forwarding: a WebSocket whose channels are connections to processes that the test names.
//!
//! The protocol is the kubelet's `v4.channel.k8s.io`: of the port with number i, channel 2i has its bytes and channel 2i + 1 what is
//! wrong with it. Each begins with a frame that holds the port, in little endian.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, handshake::derive_accept_key, protocol::Role};

use super::Shared;
use super::answer::{Answer, Failure};
use super::route::{ResourcePath, Route, Target};
use super::store::Id;

type Dial = Arc<dyn Fn() -> io::Result<TcpStream> + Send + Sync>;
/// A port of a pod: namespace, name, port.
type Place = (String, String, u16);

/// How ports of pods are reached.
#[derive(Default)]
pub(crate) struct Forwards(Mutex<HashMap<Place, Dial>>);

impl std::fmt::Debug for Forwards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forwards")
    }
}

impl Forwards {
    pub(crate) fn add(&self, place: Place, dial: Dial) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place, dial);
    }

    fn get(&self, place: &Place) -> Option<Dial> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }
}

/// The pod that somebody wants to talk to.
pub(crate) fn asked(route: &Route) -> Option<&ResourcePath> {
    match &route.target {
        Target::Resource(path) if path.plural == "pods" => {
            path.subresource.as_deref().is_some_and(|sub| sub == "portforward").then_some(path)
        }
        _ => None,
    }
}

/// Changes over to the channels.
pub(crate) fn start(
    shared: &Arc<Shared>,
    route: &Route,
    path: &ResourcePath,
    request: Request<Incoming>,
) -> Result<Answer, Failure> {
    let namespace = path.namespace.clone().unwrap_or_default();
    let name = path.name.clone().unwrap_or_default();
    let is_there = {
        let store = shared.store();
        store.kind_named("pods").is_some_and(|kind| store.get(&Id::new(&kind, &namespace, &name)).is_some())
    };
    if !is_there {
        return Err(Failure::not_found("pods", &name));
    }
    let key =
        key(request.headers()).ok_or_else(|| Failure::bad_request("not a WebSocket of v4".to_owned()))?;
    let ports = route.text("ports").split(',').map(str::parse::<u16>).collect::<Result<Vec<_>, _>>();
    let ports = ports.map_err(|error| Failure::bad_request(format!("ports: {error}")))?;
    let dials =
        ports.into_iter().map(|port| (port, shared.forwards.get(&(namespace.clone(), name.clone(), port))));
    tokio::spawn(serve(request, dials.collect()));
    let answer = http::Response::builder()
        .status(101)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Empty::<Bytes>::new().map_err(|never: Infallible| match never {}).boxed());
    answer.map_err(|error| Failure::bad_request(error.to_string()))
}

fn key(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let speaks = text(header::SEC_WEBSOCKET_PROTOCOL).split(',').any(|one| one.trim() == PROTOCOL);
    let key = text(header::SEC_WEBSOCKET_KEY);
    (speaks && text(header::UPGRADE).eq_ignore_ascii_case("websocket") && !key.is_empty())
        .then(|| key.to_owned())
}

async fn serve(request: Request<Incoming>, ports: Vec<(u16, Option<Dial>)>) {
    let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let (mut sink, mut stream) = socket.split();
    let (frames, mut outgoing) = mpsc::channel::<Vec<u8>>(16);
    let mut writers = Vec::new();
    for (number, (port, dial)) in (0_u8..).step_by(2).zip(&ports) {
        let [low, high] = port.to_le_bytes();
        for channel in [number, number + 1] {
            let _ = frames.send(vec![channel, low, high]).await;
        }
        let reached = match dial {
            Some(dial) => dial().and_then(|stream| {
                stream.set_nonblocking(true)?;
                tokio::net::TcpStream::from_std(stream)
            }),
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        };
        match reached {
            Ok(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                tokio::spawn(read(number, reader, frames.clone()));
                writers.push(Some(writer));
            }
            Err(error) => {
                let text = format!("error forwarding port {port} to pod: {error}");
                let _ = frames.send([&[number + 1][..], text.as_bytes()].concat()).await;
                writers.push(None);
            }
        }
    }
    drop(frames);
    loop {
        tokio::select! {
            frame = outgoing.recv() => match frame {
                Some(frame) => if sink.send(Message::binary(frame)).await.is_err() { return },
                // Nobody has anything to say any more.
                None if writers.iter().all(Option::is_none) => {
                    // What is still sent is for nobody; the client ends it.
                    while let Some(Ok(message)) = stream.next().await {
                        if message.is_close() { return }
                    }
                    return;
                }
                None => break,
            },
            message = stream.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some((channel, bytes)) = bytes.split_first() else { continue };
                    let Some(Some(writer)) = writers.get_mut(usize::from(*channel) / 2) else { continue };
                    if writer.write_all(bytes).await.is_err() { return }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
    let _ = sink.send(Message::Close(None)).await;
}

async fn read(channel: u8, mut reader: ReadHalf<tokio::net::TcpStream>, frames: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        if frames.send([&[channel][..], &buffer[..length]].concat()).await.is_err() {
            return;
        }
    }
}

const PROTOCOL: &str = "v4.channel.k8s.io";
