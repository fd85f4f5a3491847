//! A stranger who means harm: what anybody may do to a port, done on purpose.
//!
//! `weir-hostile --at 127.0.0.1:15012 rapid-reset --connections 8 --seconds 5`. It prints one line of JSON when it ends.
#![allow(missing_docs, reason = "a program, not a library")]

mod crowd;
mod h2;
mod http;
mod link;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::json;

use link::Link;

#[derive(Parser)]
struct Args {
    /// Port to be attacked.
    #[arg(long)]
    at: SocketAddr,
    /// How.
    attack: Attack,
    /// Connections at a time.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// How long.
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Attack {
    /// TCP connections that say nothing.
    Silent,
    /// TCP connections that come and go as fast as they can.
    Churn,
    /// Bytes that are nothing.
    Garbage,
    /// HTTP/2 and HTTP/1 where TLS is spoken.
    Plaintext,
    /// Half a ClientHello, and silence.
    HalfHandshake,
    /// TLS, and then silence.
    TlsSilent,
    /// TLS, and then HTTP/2 letter by letter.
    SlowPreface,
    /// Requests that are taken back at once.
    RapidReset,
    /// A header that never ends.
    Continuation,
    /// A small header block that becomes a large one.
    HeaderBomb,
    /// SETTINGS, each of which asks for an answer that is not read.
    Settings,
    /// PING, the same.
    Ping,
    /// Frames that mean nothing: PRIORITY, empty DATA, WINDOW_UPDATE.
    Noise,
    /// Tokens as long as they may be, of a good form and a bad signature.
    Tokens,
    /// As many requests at once as there may be, none of which ends.
    Streams,
    /// HTTP/1 heads that never end, letter by letter.
    SlowHead,
    /// HTTP/1 heads of a megabyte.
    HugeHead,
    /// Methods and targets that nobody expects.
    Methods,
    /// A body of ten gigabytes.
    HugeBody,
    /// Requests for the largest page, whose answers are not read.
    Unread,
    /// HTTP/1 over TLS: reviews that are large, deep, long, or slow.
    Reviews,
    /// HTTP/1 over TLS: a body letter by letter.
    SlowBody,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let until = Instant::now() + Duration::from_secs_f64(args.seconds);
    let tally = match args.attack {
        Attack::Silent => crowd::hold(args.at, args.connections, until, b""),
        Attack::HalfHandshake => crowd::hold(args.at, args.connections, until, &link::half_a_hello()?),
        attack => crowd::each(args.connections, until, move || one(attack, args.at, until)),
    };
    let name = format!("{:?}", args.attack);
    println!(
        "{}",
        json!({ "attack": name, "made": tally.made, "refused": tally.refused, "ended": tally.ended })
    );
    Ok(())
}

/// One connection, until the other side ends it or the time is over.
fn one(attack: Attack, at: SocketAddr, until: Instant) -> std::io::Result<()> {
    let plain = || Link::plain(at, until);
    let h2 = || h2::Client::open(Link::tls(at, until, b"h2")?);
    let http = || Link::tls(at, until, b"http/1.1");
    match attack {
        Attack::Churn => plain().map(drop),
        Attack::Garbage => link::garbage(plain()?),
        Attack::Plaintext => h2::Client::open(plain()?)?.pings(),
        Attack::TlsSilent => Link::tls(at, until, b"h2")?.outlast(),
        Attack::SlowPreface => Link::tls(at, until, b"h2")?.drip(h2::PREFACE),
        Attack::RapidReset => h2()?.rapid_reset(),
        Attack::Continuation => h2()?.continuation(),
        Attack::HeaderBomb => h2()?.header_bomb(),
        Attack::Settings => h2()?.settings(),
        Attack::Ping => h2()?.pings(),
        Attack::Noise => h2()?.noise(),
        Attack::Tokens => h2()?.tokens(),
        Attack::Streams => h2()?.streams(),
        Attack::SlowHead => plain()?.drip(b"GET /metrics HTTP/1.1\r\nX: y\r\n"),
        Attack::HugeHead => http::huge_head(plain()?),
        Attack::Methods => http::methods(plain()?),
        Attack::HugeBody => http::huge_body(plain()?),
        Attack::Unread => http::unread(plain()?),
        Attack::Reviews => http::reviews(http),
        Attack::SlowBody => http::slow_body(http()?),
        // Those hold many connections in one thread.
        Attack::Silent | Attack::HalfHandshake => Ok(()),
    }
}
