//! Somebody who asks for one page again and again, over several connections, and counts what comes.

mod tally;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::timeout;

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
            let mut sender = match self.connect().await {
                Ok(sender) => sender,
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
                if sender.ready().await.is_err() {
                    // Closed between two requests, as a server may.
                    break;
                }
                if let Err(error) = self.ask(&mut sender, &tally).await {
                    tally.borrow_mut().failed(&error);
                    break;
                }
                if self.pause > 0 {
                    tokio::time::sleep(Duration::from_millis(self.pause)).await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>> {
        let authority = self.url.authority().context("the URL has no host")?;
        let (host, port) = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
        let socket = timeout(PATIENCE, TcpStream::connect((host, port))).await.context("connecting: late")?;
        let socket = socket.context("connecting")?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    async fn ask(&self, sender: &mut SendRequest<Empty<Bytes>>, tally: &RefCell<Tally>) -> Result<()> {
        let path = self.url.path_and_query().map_or("/", |path| path.as_str());
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::get(path).header(HOST, host).body(Empty::new())?;
        request.headers_mut().extend(self.header.iter().cloned());
        let begun = Instant::now();
        tally.borrow_mut().asked();
        let answer = timeout(PATIENCE, async {
            let (head, body) = sender.send_request(request).await.context("asking")?.into_parts();
            anyhow::Ok((head, body.collect().await.context("reading the answer")?.to_bytes()))
        });
        let (head, body) = answer.await.context("no answer")??;
        tally.borrow_mut().answered(&head, &body, begun.elapsed());
        Ok(())
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':').context("a header is `name: value`")?;
    Ok((name.trim().parse()?, value.trim().parse()?))
}

/// For a connection, or an answer.
const PATIENCE: Duration = Duration::from_secs(10);
