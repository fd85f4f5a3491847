//! Somebody who asks for one page again and again, over several connections, and counts what comes.

mod connection;
mod tally;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use http::{HeaderName, HeaderValue, Uri};
use http_body_util::BodyExt as _;
use tokio::io::AsyncReadExt;
use tokio::task::LocalSet;
use tokio::time::timeout;

use connection::Connection;
use tally::Tally;

/// Until its standard input ends. Then it prints one object: `asked`, `answers` by status and version, `failures` by reason,
/// `longest_ms`, and `revisions`: when the header `x-revision` first had each value, in microseconds of the wall clock.
#[derive(Debug, Clone, Args)]
pub(crate) struct Reader {
    /// The page
    url: Uri,
    /// Asked over so many connections at a time
    #[arg(long, default_value_t = 4, value_name = "N")]
    connections: usize,
    /// A connection is closed after so many requests, and another made
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// HTTP/2 without TLS
    #[arg(long)]
    http2: bool,
    /// A pause after each answer, milliseconds
    #[arg(long, default_value_t = 0, value_name = "MS")]
    pause: u64,
    /// A header of each request, `name: value`
    #[arg(long, value_parser = header)]
    header: Vec<(HeaderName, HeaderValue)>,
}

impl Reader {
    /// Asks until standard input ends, and prints what came.
    pub(crate) async fn run(self) -> Result<()> {
        let tally = Rc::new(RefCell::new(Tally::default()));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let reader = Rc::new(self);
        let local = LocalSet::new();
        let readers: Vec<_> = (0..reader.connections)
            .map(|_| local.spawn_local(reader.clone().read(tally.clone(), stopped.clone())))
            .collect();
        local
            .run_until(async {
                println!("reading");
                // Whatever is said there: its end is the sign.
                let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
                stop.send(true)?;
                for reader in readers {
                    reader.await?;
                }
                anyhow::Ok(())
            })
            .await?;
        println!("{}", serde_json::to_string(&*tally.borrow())?);
        Ok(())
    }

    async fn read(self: Rc<Self>, tally: Rc<RefCell<Tally>>, stopped: tokio::sync::watch::Receiver<bool>) {
        while !*stopped.borrow() {
            let mut connection = match Connection::open(&self.url, self.http2).await {
                Ok(connection) => connection,
                Err(error) => {
                    tally.borrow_mut().failed(&error);
                    // A server that is away is not to be asked a thousand times a second.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            };
            for _ in 0..self.requests {
                if *stopped.borrow() {
                    return;
                }
                if !connection.is_ready().await {
                    break;
                }
                match self.ask(&mut connection, &tally).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tally.borrow_mut().failed(&error);
                        break;
                    }
                }
                if self.pause > 0 {
                    tokio::time::sleep(Duration::from_millis(self.pause)).await;
                }
            }
        }
    }

    /// Asks once; `false` if the connection was closed before that.
    async fn ask(&self, connection: &mut Connection, tally: &RefCell<Tally>) -> Result<bool> {
        let begun = Instant::now();
        let answer = timeout(PATIENCE, async {
            let Some(response) = connection.get(&self.url, &self.header).await? else { return Ok(None) };
            let (head, body) = response.into_parts();
            anyhow::Ok(Some((head, body.collect().await.context("reading the answer")?.to_bytes())))
        });
        match answer.await.context("no answer").and_then(|answer| answer) {
            Ok(None) => return Ok(false),
            Ok(Some((head, body))) => {
                tally.borrow_mut().asked();
                tally.borrow_mut().answered(&head, &body, begun.elapsed());
            }
            Err(error) => {
                tally.borrow_mut().asked();
                return Err(error);
            }
        }
        Ok(true)
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':').context("a header is `name: value`")?;
    Ok((name.trim().parse()?, value.trim().parse()?))
}

/// For a connection, or an answer.
const PATIENCE: Duration = Duration::from_secs(10);
