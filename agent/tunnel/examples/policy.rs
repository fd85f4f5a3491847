//! What a change of policy costs while connections are open: `cargo run --release -p weir-tunnel --example policy -- [connections]`.
//!
//! Two tunnels in one process, as in `speed`. A probe asks and is answered all the time: what it waits for longest is how
//! long the worker was busy with asking for the others.

#[path = "../tests/world/mod.rs"]
#[allow(dead_code, reason = "shared with the tests")]
#[allow(clippy::unwrap_used, reason = "shared with the tests")]
mod world;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use weir_model::policy::{Action, Clause, Match, Rule};
use weir_model::{Policy, PolicyScope, Workload};
use world::World;

fn main() -> io::Result<()> {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(4000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let world = runtime.block_on(World::plain());
    let ((app, vip), (echo_app, echo_vip)) = (world.service(), world.service());
    std::thread::spawn(move || echo(&echo_app));
    std::thread::spawn(move || app.incoming().collect::<Vec<_>>());
    let mut open = Vec::new();
    for _ in 0..count {
        let mut socket = TcpStream::connect(vip)?;
        socket.write_all(b"hello")?;
        open.push(socket);
    }
    println!("{count} connections through one worker; 100 changes, 10 ms apart");
    measure("nothing", count, echo_vip, |_| {});
    measure("another pod", count, echo_vip, |n| {
        world.b.change(|d| d.upsert_workload(Workload::pod("other", &format!("pod-{n}"))));
    });
    measure("a policy that is not theirs", count, echo_vip, |n| {
        world.b.change(|d| d.upsert_policy(deny(&format!("p{n}"), 1)));
    });
    let start = Instant::now();
    world.b.change(|d| d.upsert_policy(deny("all", vip.port())));
    for socket in &mut open {
        assert_ne!(socket.read(&mut [0; 16]).map_err(|e| e.kind()), Ok(0), "a reset is not an end");
    }
    println!("a policy that denies them all: every client was reset after {:?}", start.elapsed());
    Ok(())
}

/// Runs a hundred changes beside a probe.
fn measure(name: &str, count: u32, probe: SocketAddr, change: impl Fn(u32)) {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let probing = std::thread::spawn(move || waits(probe, &stopped));
    let before = worker_seconds();
    for n in 0..100 {
        change(n);
        std::thread::sleep(Duration::from_millis(10));
    }
    let cpu = worker_seconds() - before;
    stop.store(true, Relaxed);
    let mut waits = probing.join().ok().and_then(Result::ok).unwrap_or_default();
    waits.sort();
    let at = |part: f64| waits.get((waits.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "{name:28} workers {:6.3} CPU s ({:5.0} ns per connection and change); probe p50 {:?} p99 {:?} longest {:?}",
        cpu,
        cpu * 1e9 / 100.0 / f64::from(count),
        at(0.5),
        at(0.99),
        waits.last().copied().unwrap_or_default(),
    );
}

/// How long each of many small requests took, one a millisecond.
fn waits(addr: SocketAddr, stop: &AtomicBool) -> io::Result<Vec<Duration>> {
    let mut socket = TcpStream::connect(addr)?;
    let mut waits = Vec::new();
    while !stop.load(Relaxed) {
        let start = Instant::now();
        socket.write_all(b"x")?;
        socket.read_exact(&mut [0])?;
        waits.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(waits)
}

fn echo(app: &TcpListener) {
    for mut socket in app.incoming().flatten() {
        std::thread::spawn(move || {
            let mut buffer = [0; 1];
            while socket.read_exact(&mut buffer).is_ok() && socket.write_all(&buffer).is_ok() {}
        });
    }
}

fn deny(name: &str, port: u16) -> Policy {
    let one = Match { destination_ports: [port].into_iter().collect(), ..Match::default() };
    let rules = vec![Rule { clauses: vec![Clause { matches: vec![one] }] }];
    Policy { rules, ..Policy::new("shop", name, PolicyScope::Namespace, Action::Deny) }
}

/// CPU time of the workers' threads, user and system.
fn worker_seconds() -> f64 {
    let read = |name: &str| std::fs::read_to_string(name).unwrap_or_default();
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let paths = threads.filter_map(|thread| thread.path().to_str().map(str::to_owned));
    let workers = paths.filter(|path| read(&format!("{path}/comm")).starts_with("weir-worker"));
    let nanoseconds = |path: String| -> f64 {
        read(&format!("{path}/schedstat"))
            .split_whitespace()
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0.0)
    };
    workers.map(nanoseconds).sum::<f64>() / 1e9
}
