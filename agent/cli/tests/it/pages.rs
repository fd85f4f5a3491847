//! What processes in pods answer.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

/// Connections to a process with these pages.
pub(crate) fn answering(
    pages: &[(&'static str, Value)],
) -> impl Fn() -> io::Result<TcpStream> + Send + Sync + use<> {
    let pages = pages.to_vec();
    move || {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        let pages = pages.clone();
        std::thread::spawn(move || answer(server, &pages).unwrap());
        Ok(client)
    }
}

fn answer(mut stream: TcpStream, pages: &[(&str, Value)]) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap();
    let page = pages.iter().find(|(name, _)| *name == path).map(|(_, page)| page.to_string());
    let (status, body) = page.map_or(("404 Not Found", "no such page".to_owned()), |page| ("200 OK", page));
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}
