//! A GET as small as the agent's own endpoints need it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::NetNs;

/// Status code and body of `GET path`, asked from inside `netns`.
pub(crate) fn get(netns: &NetNs, to: SocketAddr, path: &str) -> Result<(u16, String)> {
    request(netns, to, "GET", path)
}

/// As [`get`], with another method and no body.
pub(crate) fn request(netns: &NetNs, to: SocketAddr, method: &str, path: &str) -> Result<(u16, String)> {
    netns.run(|| exchange(to, method, path))?.with_context(|| format!("{method} http://{to}{path}"))
}

fn exchange(to: SocketAddr, method: &str, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // HTTP/1.0: the body ends with the connection, and no chunk sizes stand in it.
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {to}\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> Result<(u16, String)> {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        bail!("no end of the header in {answer:?}");
    };
    let status = head.split(' ').nth(1).context("no status line")?.parse()?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn takes_an_answer_apart() {
        let answer = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nready\n";
        assert_eq!(parse(answer).unwrap(), (200, "ready\n".to_owned()));
        assert!(parse("garbage").is_err());
    }
}
