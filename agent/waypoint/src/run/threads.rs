//! Worker threads: each has its tunnels, its proxy and its share of the listener.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc, oneshot};
use weir_tunnel::gateway::Gateway;

use super::Shared;
use super::accept::accept;
use super::arrive::{Door, Sources};
use super::reach::Reach;
use super::stream::linger;
use crate::proxy;

/// All of them. Dropped, they end, and open connections are reset.
pub(super) struct Threads(Vec<Thread>);

struct Thread {
    orders: mpsc::UnboundedSender<Drain>,
    handle: Option<JoinHandle<()>>,
}

struct Drain {
    deadline: Duration,
    done: oneshot::Sender<()>,
}

impl Threads {
    pub(super) fn start(shared: &Arc<Shared>, listener: &TcpListener, count: usize) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let one = |index| Thread::start(shared.clone(), listener.try_clone()?, index);
        Ok(Self((0..count.max(1)).map(one).collect::<io::Result<_>>()?))
    }

    pub(super) async fn drain(&self, deadline: Duration) {
        let drain = |thread: &Thread| {
            let (done, drained) = oneshot::channel();
            // A thread that is gone has nothing to drain.
            let _ = thread.orders.send(Drain { deadline, done });
            drained
        };
        let drained: Vec<_> = self.0.iter().map(drain).collect();
        for drained in drained {
            let _ = drained.await;
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        for thread in &mut self.0 {
            // The thread ends when nobody can order it.
            thread.orders = mpsc::unbounded_channel().0;
            if let Some(handle) = thread.handle.take() {
                let _ = handle.join();
            }
        }
    }
}

impl Thread {
    fn start(shared: Arc<Shared>, listener: TcpListener, index: usize) -> io::Result<Self> {
        let (orders, queue) = mpsc::unbounded_channel();
        let (ready, started) = std::sync::mpsc::channel();
        let run = move || {
            let mut builder = Builder::new_current_thread();
            builder.enable_all().max_io_events_per_tick(EVENTS);
            let runtime = match builder.build_local(LocalOptions::default()) {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            runtime.block_on(work(shared, listener, queue, ready));
        };
        let handle = std::thread::Builder::new().name(format!("weir-waypoint-{index}")).spawn(run)?;
        // A thread that ended without a word is a thread that could not start.
        started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
        Ok(Self { orders, handle: Some(handle) })
    }
}

async fn work(
    shared: Arc<Shared>,
    listener: TcpListener,
    mut orders: mpsc::UnboundedReceiver<Drain>,
    ready: std::sync::mpsc::Sender<io::Result<()>>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let _ = ready.send(Ok(()));
    tokio::task::spawn_local(linger());
    let tunnels = weir_tunnel::Worker::new(shared.tunnel.clone());
    let gateway = Rc::new(Gateway::new(&tunnels, shared.pod.clone()));
    let proxy = proxy(&shared, gateway.clone());
    let door = Rc::new(Door {
        uid: shared.pod.uid().clone(),
        store: shared.store.clone(),
        serving: shared.serving.clone(),
        proxy: proxy.clone(),
        sources: Sources::default(),
    });
    let stop = Rc::new(Notify::new());
    tokio::task::spawn_local(accept(listener, gateway.clone(), door, stop.clone()));
    while let Some(Drain { deadline, done }) = orders.recv().await {
        stop.notify_one();
        // Clients open no more streams; the tunnels to endpoints carry what is under way.
        gateway.retire();
        proxy.drain(deadline).await;
        tunnels.drain(Duration::ZERO).await;
        let _ = done.send(());
    }
}

fn proxy(shared: &Shared, gateway: Rc<Gateway>) -> Rc<proxy::Worker> {
    let reach = Reach { gateway, store: shared.store.clone(), uid: shared.pod.uid().clone() };
    proxy::Worker::new(proxy::Parts {
        config: shared.config.clone(),
        connector: Box::new(reach),
        backends: shared.serving.clone(),
        metrics: shared.metrics.clone(),
        log: shared.log.clone(),
    })
}

/// Sockets that are looked at before the tunnels send, as on a node.
const EVENTS: usize = 4;
