//! Bookinfo: four small services that call each other, and a reader, for the demo and for stories about routes.
//!
//! ```text
//!   browser -> productpage -> details
//!                          -> reviews v1
//!                          -> reviews v2, v3 -> ratings
//! ```
//! They say what everybody's Bookinfo says: no stars are v1, black stars v2, red stars v3. Headers of traces and of the user
//! who is logged in are passed on, as routes want them.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

mod answer;
mod call;
mod details;
mod productpage;
mod ratings;
mod reader;
mod reviews;

/// The services of Bookinfo
#[derive(Parser)]
#[command(name = "weir-bookinfo", version)]
struct Cli {
    /// Where to listen
    #[arg(long, default_value = "[::]:9080", value_name = "ADDRESS", global = true)]
    listen: SocketAddr,
    #[command(subcommand)]
    role: Role,
}

#[derive(clap::Subcommand)]
enum Role {
    #[command(flatten)]
    Serve(Service),
    /// Somebody who asks for one page again and again, and counts what comes
    Reader(reader::Reader),
}

/// Which of them to be.
#[derive(Clone, clap::Subcommand)]
enum Service {
    /// The page that a reader sees
    Productpage(productpage::Productpage),
    /// Author, publisher, pages
    Details,
    /// What readers say; v2 and v3 with stars
    Reviews(reviews::Reviews),
    /// How many stars
    Ratings(ratings::Ratings),
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let service = match cli.role {
        Role::Serve(service) => service,
        Role::Reader(reader) => return reader.run().await,
    };
    let listener =
        TcpListener::bind(cli.listen).await.with_context(|| format!("listening on {}", cli.listen))?;
    eprintln!("listening on {}", cli.listen);
    serve(listener, service).await
}

async fn serve(listener: TcpListener, service: Service) -> Result<()> {
    let served = Arc::new(Served { service, asked: AtomicU64::new(0) });
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // Too many open files, or a client that is gone: neither is a reason to end.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let served = served.clone();
        tokio::spawn(async move {
            let handler = service_fn(move |request| {
                let served = served.clone();
                async move { Ok::<_, Infallible>(served.handle(request).await) }
            });
            let mut http = hyper::server::conn::http1::Builder::new();
            // A client that goes away in the middle is its own business.
            let _ = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), handler).await;
        });
    }
}

/// A service, and how often it was asked.
struct Served {
    service: Service,
    asked: AtomicU64,
}

impl Served {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() == "/health" {
            let asked = self.asked.load(Ordering::Relaxed);
            return answer::json(&serde_json::json!({"status": "healthy", "asked": asked}));
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        match &self.service {
            Service::Productpage(page) => page.handle(&request).await,
            Service::Details => details::handle(&request),
            Service::Reviews(reviews) => reviews.handle(&request).await,
            Service::Ratings(ratings) => ratings.handle(&request).await,
        }
    }
}

#[cfg(test)]
mod tests;
