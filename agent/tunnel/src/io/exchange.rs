//! Both directions of a connection, until both have ended or one has failed.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::ends::{StreamSink, StreamSource, TcpSink, TcpSource};
use super::flow::Flow;
use super::pump::{Fault, Pump};
use super::tcp;
use super::window::{Stall, Window};
use crate::core::life::{Action, Event, Life};

/// An application's socket and its stream.
pub(crate) struct Exchange<'a> {
    socket: &'a TcpStream,
    flow: &'a Flow,
    up: Pump<TcpSource<'a>, StreamSink>,
    down: Pump<StreamSource, TcpSink<'a>>,
    up_ended: bool,
    down_ended: bool,
    life: Life,
    stall: Stall,
    /// After the application's FIN, and while the peer takes no bytes, nothing is read from it, so nothing
    /// else would tell of its RST.
    broken: Option<Pin<Box<dyn Future<Output = io::Error> + 'a>>>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(
        socket: &'a TcpStream,
        send: SendStream<Bytes>,
        receive: StreamSource,
        flow: &'a Flow,
        window: Rc<Window>,
    ) -> Self {
        Self {
            socket,
            flow,
            up: Pump::new(TcpSource(socket), StreamSink::new(send)),
            down: Pump::new(receive, TcpSink::new(socket)),
            up_ended: false,
            down_ended: false,
            life: Life::default(),
            stall: Stall::new(window),
            broken: None,
        }
    }

    /// Whether the peer has accepted the stream.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.down.source, StreamSource::Open(_))
    }

    /// Moves what can be moved. Ready at the end: the peer was told whatever it must be told, and the
    /// socket will close as it should.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let result = match self.poll_ends(cx) {
            Ok(()) if !self.life.is_over() => return Poll::Pending,
            Ok(()) => Ok(()),
            Err(fault) => {
                let event = match fault {
                    Fault::App(_) => Event::AppFailed,
                    Fault::Peer(_) | Fault::Refused(_) => Event::PeerFailed,
                };
                self.on(event);
                Err(fault)
            }
        };
        if self.life.is_finished() {
            tcp::end_on_close(self.socket);
        }
        Poll::Ready(result)
    }

    fn poll_ends(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let flow = self.flow;
        // The peer first: a refusal explains why it takes no bytes.
        if !self.down_ended && self.down.poll(cx, |n| flow.count_from_peer(n))?.is_ready() {
            self.down_ended = true;
            self.on(Event::PeerEnded);
        }
        self.stall.set(self.down.is_blocked());
        if !self.up_ended && self.up.poll(cx, |n| flow.count_from_app(n))?.is_ready() {
            self.up_ended = true;
            self.on(Event::AppEnded);
        }
        if self.up_ended && self.down_ended {
            return Ok(());
        }
        if self.down_ended || self.down.is_blocked() {
            self.poll_reset(cx)?;
        }
        if self.up_ended || self.up.is_blocked() {
            self.poll_broken(cx)?;
        }
        Ok(())
    }

    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let socket = self.socket;
        let broken = self.broken.get_or_insert_with(|| Box::pin(failure(socket)));
        match broken.as_mut().poll(cx) {
            Poll::Ready(error) => Err(Fault::App(error)),
            Poll::Pending => Ok(()),
        }
    }

    /// The peer's bytes have ended or wait, so only this tells that it gave the stream up.
    fn poll_reset(&mut self, cx: &mut Context<'_>) -> Result<(), Fault> {
        match self.up.sink.stream.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => Err(Fault::Peer(reason.into())),
            Poll::Ready(Err(error)) => Err(Fault::Peer(error)),
            Poll::Pending => Ok(()),
        }
    }

    /// The pumps pass ends on by themselves, and a socket that is dropped is reset: what is left is the stream.
    fn on(&mut self, event: Event) {
        if let Action::ResetBoth(reason) = self.life.on(event) {
            self.up.sink.stream.send_reset(reason);
        }
    }
}

impl Drop for Exchange<'_> {
    /// Dropped in the middle: given up. h2 alone would say CANCEL, which Istio reads as a clean end.
    fn drop(&mut self) {
        self.on(Event::GivenUp);
    }
}

async fn failure(socket: &TcpStream) -> io::Error {
    let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
    match socket.ready(Interest::ERROR).await {
        Ok(_) => socket.take_error().ok().flatten().unwrap_or_else(reset),
        Err(error) => error,
    }
}

/// Two sockets of this process: same node, plaintext, outside the mesh.
pub(crate) async fn join(client: &TcpStream, server: &TcpStream, flow: &Flow) -> Result<(), Fault> {
    let mut up = Pump::new(TcpSource(client), TcpSink::new(server));
    let mut down = Pump::new(TcpSource(server), TcpSink::new(client));
    let (mut up_ended, mut down_ended) = (false, false);
    let mut broken = (None, None);
    std::future::poll_fn(|cx| {
        up_ended = up_ended || up.poll(cx, |n| flow.count_up(n))?.is_ready();
        down_ended = down_ended || down.poll(cx, |n| flow.count_down(n))?.is_ready();
        if up_ended && down_ended {
            return Poll::Ready(Ok(()));
        }
        for (socket, silent, broken) in [
            (client, up_ended || up.is_blocked(), &mut broken.0),
            (server, down_ended || down.is_blocked(), &mut broken.1),
        ] {
            let watch = || Box::pin(failure(socket));
            if silent && let Poll::Ready(error) = broken.get_or_insert_with(watch).as_mut().poll(cx) {
                return Poll::Ready(Err(Fault::App(error)));
            }
        }
        Poll::Pending
    })
    .await?;
    tcp::end_on_close(client);
    tcp::end_on_close(server);
    Ok(())
}
