//! The agent's own HTTP endpoints: admin (loopback), metrics and readiness, each on a port of its own so
//! that each can be opened to those who need it only (ports and paths as Istio's node proxy has them).

mod config_dump;
mod connections;
mod routes;
mod trace_stream;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
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
    /// Binds them; a port that is taken is an error now, before the kernel has been touched. In `standby`, ports that an agent
    /// before this one still has are waited for: it keeps them until it hands over, and answers the kubelet meanwhile.
    pub(crate) async fn bind(listen: &Listen, standby: bool) -> anyhow::Result<Self> {
        let mut told = false;
        loop {
            match Self::bind_now(listen).await {
                Err(error) if standby && is_taken(&error) => {
                    if !told {
                        tracing::info!("standing by for the agent that runs on this node to end: {error:#}");
                        told = true;
                    }
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                result => return result,
            }
        }
    }

    async fn bind_now(listen: &Listen) -> anyhow::Result<Self> {
        Ok(Self {
            admin: Endpoint::bind("admin", listen.admin).await?,
            metrics: Endpoint::bind("metrics", listen.metrics).await?,
            ready: Endpoint::bind("ready", listen.ready).await?,
        })
    }

    /// Serves them in the background, until what it returns is dropped.
    pub(crate) fn serve(self, state: &Arc<State>) -> JoinSet<()> {
        let mut serving = JoinSet::new();
        serving.spawn(self.admin.serve(state.clone(), routes::admin));
        serving.spawn(self.metrics.serve(state.clone(), routes::metrics));
        serving.spawn(self.ready.serve(state.clone(), routes::ready));
        serving
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// New connections wait while nobody is there.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_stands_by_waits_for_the_ports_and_whoever_does_not_fails() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let listen = Listen { admin: any, metrics: any, ready: taken.local_addr().unwrap() };
        let error = Endpoints::bind(&listen, false).await.err().unwrap();
        assert!(is_taken(&error), "{error:#}");
        let waiting = Endpoints::bind(&listen, true);
        tokio::pin!(waiting);
        let early = tokio::time::timeout(3 * LOOK_AGAIN, &mut waiting).await;
        assert!(early.is_err(), "bound, though the port is taken");
        drop(taken);
        waiting.await.unwrap();
    }
}
