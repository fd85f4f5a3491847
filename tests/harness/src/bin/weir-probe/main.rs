//! `weir-probe`: an application for tests, which uses sockets in every way that real ones do.
//!
//! Each verb prints one JSON object per line on stdout. A refused connection is an answer, not a
//! failure of the program: the exit status is 0 whenever the question could be asked.

mod bind;
mod connect;
mod dial;
mod hold;
mod many;
mod serve;
mod transfer;

use clap::Parser;

#[derive(Parser)]
#[command(about = "An application for tests of the mesh")]
enum Verb {
    /// One connection: connect, say something, read the answer.
    Connect(connect::Args),
    /// A server on one or more ports.
    Serve(serve::Args),
    /// Connections held open; commands on stdin.
    Hold(hold::Args),
    /// Many connections, each closed after one exchange.
    Many(many::Many),
    /// As `many`, until stdin is closed.
    Load(many::Load),
    /// Data both ways with half-close, checked by CRC.
    Transfer(transfer::Args),
    /// bind() and listen() only.
    Bind(bind::Args),
    /// Verbs from stdin, one a line, each on a thread of its own: a program that lives long, and does now and then something.
    Obey,
}

fn main() -> anyhow::Result<()> {
    obey(Verb::parse())
}

fn obey(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Connect(args) => connect::run(&args),
        Verb::Serve(args) => serve::run(args),
        Verb::Hold(args) => hold::run(&args),
        Verb::Many(args) => many::run(args),
        Verb::Load(args) => many::load(args),
        Verb::Transfer(args) => transfer::run(&args),
        Verb::Bind(args) => bind::run(&args),
        Verb::Obey => {
            for line in std::io::stdin().lines() {
                let line = line?;
                let verb =
                    Verb::try_parse_from(std::iter::once("weir-probe").chain(line.split_whitespace()))?;
                std::thread::scope(|scope| scope.spawn(|| obey(verb)).join())
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("the thread of {line:?} panicked")))?;
            }
            Ok(())
        }
    }
}
