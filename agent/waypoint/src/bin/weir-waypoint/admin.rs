//! The waypoint's own HTTP endpoints: admin (loopback), metrics and readiness, on the ports that Istio's proxies have.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use weir_process::{Endpoint, Reply, Request, json, logging, text};

use crate::config::Listen;
use crate::dump;
use crate::process::Running;

/// The three endpoints, bound. A client that comes before they are served waits.
pub(crate) struct Endpoints {
    admin: Endpoint,
    metrics: Endpoint,
    ready: Endpoint,
}

impl Endpoints {
    /// Binds them; a port that is taken is an error now.
    pub(crate) async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            admin: Endpoint::bind("admin", listen.admin).await?,
            metrics: Endpoint::bind("metrics", listen.metrics).await?,
            ready: Endpoint::bind("ready", listen.ready).await?,
        })
    }

    /// Serves them in the background.
    pub(crate) fn serve(self, running: &Arc<Running>) {
        tokio::spawn(self.admin.serve(running.clone(), admin));
        tokio::spawn(self.metrics.serve(running.clone(), metrics));
        tokio::spawn(self.ready.serve(running.clone(), ready));
    }
}

async fn admin(running: Arc<Running>, request: Request) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => text(StatusCode::OK, INDEX),
        (&Method::GET, "/config_dump") => match dump::render(&running) {
            Ok(page) => json(StatusCode::OK, page),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
        },
        (&Method::POST, "/logging") => logging(&running.log_level, query),
        (&Method::POST, "/quitquitquit") => {
            running.quit.notify_one();
            text(StatusCode::OK, "draining\n")
        }
        (_, "/logging" | "/quitquitquit") => text(StatusCode::METHOD_NOT_ALLOWED, "use POST\n"),
        _ => text(StatusCode::NOT_FOUND, INDEX),
    }
}

async fn metrics(running: Arc<Running>, request: Request) -> Reply {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics" | "/stats/prometheus") => running.metrics.reply(),
        _ => text(StatusCode::NOT_FOUND, "GET /metrics or /stats/prometheus\n"),
    }
}

async fn ready(running: Arc<Running>, request: Request) -> Reply {
    match request.uri().path() {
        // Whoever is without a control plane lives on with what he knows: to restart him would help nobody.
        "/healthz/live" => text(StatusCode::OK, "live\n"),
        "/healthz/ready" => match running.pending() {
            pending if pending.is_empty() => text(StatusCode::OK, "ready\n"),
            pending => {
                text(StatusCode::INTERNAL_SERVER_ERROR, format!("not ready: {}\n", pending.join(", ")))
            }
        },
        _ => text(StatusCode::NOT_FOUND, "GET /healthz/ready or /healthz/live\n"),
    }
}

const INDEX: &str = "weir-waypoint\n\
    GET  /config_dump    what this waypoint serves: frontends, backends, endpoints, certificates\n\
    POST /logging        the log filter; ?level=info,weir_waypoint=debug sets it, ?reset undoes\n\
    POST /quitquitquit   drain and stop\n";
