//! The waypoint as a whole: what the control plane said becomes what is served, and tunnels become requests.
//!
//! ```text
//!   control plane --Feed--> Configuration --Joint--> Serving (services, clusters)
//!                                                       |
//!   node proxies ==15008==> Gateway -> Door (who, what for) -> proxy::Worker -> Reach -> endpoints' nodes
//! ```
//! Everything comes in by tunnel: there is no other door. Who is not of the mesh is refused by TLS, a destination that is
//! not served here (yet) by the door; nothing is passed on that no frontend answers for.

mod accept;
mod arrive;
mod clients;
mod feed;
mod gone;
mod identity;
mod joint;
mod names;
mod network;
mod pods;
mod reach;
mod serving;
mod stream;
mod threads;
mod told;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use weir_discovery::Store;
use weir_identity::Certificates;
use weir_tunnel::{Limits, LocalPod, PodNetwork, Pods};

use crate::proxy::{AccessLog, Config, Metrics};

pub use feed::{Feed, Place};
pub use identity::keep as keep_certificate;
pub use names::{Dns, Families, Found, Names, NamesMetrics, Resolve};
pub use network::HostNetwork;
pub use serving::Serving;
use threads::Threads;

/// What a waypoint is made of.
pub struct Parts {
    /// Its own workload's uid.
    pub uid: Arc<str>,
    /// The mesh.
    pub store: Store,
    /// The one that matters is its own workload's.
    pub certificates: Arc<Certificates>,
    /// What is served.
    pub serving: Arc<Serving>,
    /// How it makes connections.
    pub network: Arc<dyn PodNetwork>,
    /// Limits of the proxy.
    pub config: Config,
    /// Where requests are told.
    pub log: Option<Arc<AccessLog>>,
}

/// A running waypoint. Dropped, it ends at once.
pub struct Waypoint(Threads);

impl Waypoint {
    /// Serves tunnels that come to `listener`, on so many threads.
    ///
    /// # Errors
    /// The system gives no thread or no descriptors.
    pub fn start(
        parts: Parts,
        listener: &TcpListener,
        workers: usize,
        registry: &mut Registry,
    ) -> io::Result<Self> {
        let readable = parts.store.clone();
        let tunnel = weir_tunnel::Shared {
            config: weir_tunnel::Config::default(),
            changes: parts.store.changes(),
            directory: Arc::new(move || readable.load()),
            certificates: parts.certificates.clone(),
            // What goes through tunnels is the proxy's to count.
            metrics: weir_tunnel::Metrics::of_waypoint(registry),
            access_log: Arc::new(weir_tunnel::TracingLog),
            pods: Pods::default(),
            limits: Limits::default(),
        };
        let shared = Arc::new(Shared {
            tunnel: Arc::new(tunnel),
            pod: LocalPod::new(parts.uid, parts.network),
            store: parts.store,
            serving: parts.serving,
            config: parts.config,
            metrics: Metrics::register(registry),
            log: parts.log,
        });
        Ok(Self(Threads::start(&shared, listener, workers)?))
    }

    /// Takes no new connections, tells clients so, and waits for requests under way, until the deadline.
    pub async fn drain(&self, deadline: Duration) {
        self.0.drain(deadline).await;
    }
}

/// What the threads share.
struct Shared {
    tunnel: Arc<weir_tunnel::Shared>,
    pod: Arc<LocalPod>,
    store: Store,
    serving: Arc<Serving>,
    config: Config,
    metrics: Arc<Metrics>,
    log: Option<Arc<AccessLog>>,
}
