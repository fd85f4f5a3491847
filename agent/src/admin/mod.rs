//! The agent's own HTTP endpoints: admin (loopback), metrics and readiness, each on a port of its own so
//! that each can be opened to those who need it only (ports and paths as Istio's node proxy has them).

mod config_dump;
mod routes;
mod trace_stream;

use std::sync::Arc;

use weir_process::Endpoint;

pub(crate) use routes::State;

use crate::config::Listen;

/// The three endpoints, bound. A client that comes before they are served waits.
pub(crate) struct Endpoints {
    admin: Endpoint,
    metrics: Endpoint,
    ready: Endpoint,
}

impl Endpoints {
    /// Binds them; a port that is taken is an error now, before the kernel has been touched.
    pub(crate) async fn bind(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            admin: Endpoint::bind("admin", listen.admin).await?,
            metrics: Endpoint::bind("metrics", listen.metrics).await?,
            ready: Endpoint::bind("ready", listen.ready).await?,
        })
    }

    /// Serves them in the background.
    pub(crate) fn serve(self, state: &Arc<State>) {
        tokio::spawn(self.admin.serve(state.clone(), routes::admin));
        tokio::spawn(self.metrics.serve(state.clone(), routes::metrics));
        tokio::spawn(self.ready.serve(state.clone(), routes::ready));
    }
}
