//! Applications: what a test does at either end of a connection.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes that are not the same everywhere.
pub(crate) fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Runs `serve` for every connection to the application.
pub(crate) fn serve<F: Future<Output = ()> + Send>(
    listener: std::net::TcpListener,
    serve: impl Fn(TcpStream, SocketAddr) -> F + Clone + Send + 'static,
) {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((socket, peer)) = listener.accept().await {
            let serve = serve.clone();
            tokio::spawn(async move { serve(socket, peer).await });
        }
    });
}

/// Runs `serve` for the first connection to the application; gives what came of it.
pub(crate) fn serve_one<T: Send + 'static, F: Future<Output = T> + Send>(
    listener: std::net::TcpListener,
    serve: impl FnOnce(TcpStream, SocketAddr) -> F + Send + 'static,
) -> JoinHandle<T> {
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        let (socket, peer) = listener.accept().await.unwrap();
        serve(socket, peer).await
    })
}

/// Sends back what comes, then FIN.
pub(crate) fn echo(listener: std::net::TcpListener) {
    serve(listener, |mut socket, _| async move {
        let (mut reader, mut writer) = socket.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
        let _ = writer.shutdown().await;
    });
}

/// Closes with RST.
pub(crate) fn reset(socket: TcpStream) {
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
}

/// How the other side ended the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin(Vec<u8>),
    Rst,
}

/// Reads to the end, within ten seconds.
pub(crate) async fn end(socket: &mut TcpStream) -> End {
    let mut got = Vec::new();
    let read = socket.read_to_end(&mut got);
    match tokio::time::timeout(Duration::from_secs(10), read).await {
        Ok(Ok(_)) => End::Fin(got),
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionReset => End::Rst,
        Ok(Err(e)) => panic!("unexpected error {e}"),
        Err(_) => panic!("neither FIN nor RST, {} bytes read", got.len()),
    }
}

pub(crate) async fn open(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

/// A connection over which a byte went to an [`echo`] and came back.
pub(crate) async fn talking(addr: SocketAddr) -> TcpStream {
    let mut socket = open(addr).await;
    socket.write_all(b"x").await.unwrap();
    socket.read_exact(&mut [0]).await.unwrap();
    socket
}
