//! How fast two tunnels in one process are: `cargo run --release -p weir-tunnel --example speed -- [what] [seconds]`.
//!
//! Run it in a network namespace of its own with `net.ipv4.tcp_congestion_control=reno` if the machine paces
//! (bbr): pacing is what would be measured. Loopback, one worker per node, one thread per application: the ratios to a direct connection are what
//! counts. `what` is bulk, bulk8, request, request32, connect, idle or all.

#[path = "../tests/world/mod.rs"]
#[allow(dead_code, reason = "shared with the tests")]
#[allow(clippy::unwrap_used, reason = "shared with the tests")]
mod world;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use world::World;

fn main() {
    let mut args = std::env::args().skip(1);
    let what = args.next().unwrap_or_else(|| "all".into());
    let seconds = args.next().and_then(|s| s.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = runtime.block_on(World::plain());
    // As two nodes of one core: client and its node on 0, server and its node on 1.
    let workers = worker_threads();
    for (cpu, thread) in workers.iter().enumerate() {
        pin(thread, cpu % 2);
    }
    pin(&thread_id(), 0);
    let tests: [Test; 6] = [
        ("bulk", |a, t| bulk(a, t, 1), sink, "Gbit/s"),
        ("bulk8", |a, t| bulk(a, t, 8), sink, "Gbit/s"),
        ("request", |a, t| requests(a, t, 1), echo, "req/s"),
        ("request32", |a, t| requests(a, t, 32), echo, "req/s"),
        ("connect", |a, t| connects(a, t, 1), echo, "conn/s"),
        ("connect16", |a, t| connects(a, t, 16), echo, "conn/s"),
    ];
    for (name, run, server, unit) in tests {
        if what != "all" && what != name {
            continue;
        }
        let (app, vip) = world.service();
        let direct = app.local_addr().expect("an address");
        std::thread::spawn(move || {
            pin(&thread_id(), 1);
            server(app);
        });
        let direct = if what == "all" { run(direct, time) } else { 0.0 };
        let cpu = worker_seconds();
        let tunnel = run(vip, time);
        let cpu = worker_seconds() - cpu;
        // Of both nodes' workers, per GB or per 1000: what a shared machine cannot falsify.
        let amount = tunnel * seconds * if unit == "Gbit/s" { 0.125 } else { 0.001 };
        println!(
            "{name:10} direct {direct:10.2} tunnel {tunnel:10.2} {unit:7} ratio {:.3}   {:.4} CPU s per {}",
            tunnel / direct,
            cpu / amount,
            if unit == "Gbit/s" { "GB" } else { "1000" },
        );
    }
    if what == "idle" || what == "all" {
        idle(&world);
    }
}

/// Name, client, server, unit.
type Test = (&'static str, fn(SocketAddr, Duration) -> f64, fn(TcpListener), &'static str);

fn sink(listener: TcpListener) {
    for socket in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let (mut socket, mut buffer) = (socket, vec![0; 128 << 10]);
            while socket.read(&mut buffer).is_ok_and(|n| n > 0) {}
        });
    }
}

fn echo(listener: TcpListener) {
    for socket in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let (mut socket, mut buffer) = (socket, [0; 1024]);
            while let Ok(n @ 1..) = socket.read(&mut buffer) {
                if socket.write_all(&buffer[..n]).is_err() {
                    return;
                }
            }
        });
    }
}

/// Runs `work` on `threads` threads; it returns what it got done before `stop`.
fn parallel(
    threads: usize,
    time: Duration,
    work: fn(SocketAddr, &AtomicBool) -> u64,
    addr: SocketAddr,
) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let running: Vec<_> = (0..threads)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || work(addr, &stop))
        })
        .collect();
    std::thread::sleep(time);
    stop.store(true, Relaxed);
    let done: u64 = running.into_iter().map(|t| t.join().unwrap_or(0)).sum();
    done as f64 / start.elapsed().as_secs_f64()
}

fn bulk(addr: SocketAddr, time: Duration, streams: usize) -> f64 {
    let work = |addr, stop: &AtomicBool| {
        let (mut socket, data) = (open(addr), vec![7; 128 << 10]);
        let mut sent = 0;
        while !stop.load(Relaxed) {
            socket.write_all(&data).expect("the connection lives");
            sent += data.len() as u64;
        }
        sent
    };
    parallel(streams, time, work, addr) * 8.0 / 1e9
}

fn requests(addr: SocketAddr, time: Duration, connections: usize) -> f64 {
    let work = |addr, stop: &AtomicBool| {
        let (mut socket, mut buffer, mut done) = (open(addr), [1; 128], 0);
        while !stop.load(Relaxed) {
            socket.write_all(&buffer).expect("the connection lives");
            socket.read_exact(&mut buffer).expect("an answer");
            done += 1;
        }
        done
    };
    parallel(connections, time, work, addr)
}

fn connects(addr: SocketAddr, time: Duration, in_flight: usize) -> f64 {
    let work = |addr, stop: &AtomicBool| {
        let (mut buffer, mut done) = ([1; 64], 0);
        while !stop.load(Relaxed) {
            let mut socket = open(addr);
            socket.write_all(&buffer).expect("the connection lives");
            socket.read_exact(&mut buffer).expect("an answer");
            done += 1;
        }
        done
    };
    parallel(in_flight, time, work, addr)
}

fn idle(world: &World) {
    let (app, vip) = world.service();
    std::thread::spawn(move || {
        // One thread for all of them: the sockets are the kernel's, not this process's memory.
        let _kept: Vec<_> = app.incoming().collect();
    });
    let mut kept: Vec<TcpStream> = (0..200).map(|_| open(vip)).collect();
    std::thread::sleep(Duration::from_secs(1));
    let (before, count) = (rss_kib(), 4000);
    for _ in 0..count {
        let mut socket = open(vip);
        let _ = socket.write_all(b"hello");
        kept.push(socket);
    }
    std::thread::sleep(Duration::from_secs(2));
    let each = (rss_kib() - before) as f64 / count as f64;
    println!("idle       {count} connections, {each:.2} KiB RSS each, both sides together");
}

fn open(addr: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(addr).expect("a connection");
    socket.set_nodelay(true).expect("an option");
    socket
}

fn rss_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// CPU time of all workers' threads, user and system.
fn worker_seconds() -> f64 {
    let nanoseconds = |thread: &String| {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<f64>().ok()
    };
    worker_threads().iter().filter_map(nanoseconds).sum::<f64>() / 1e9
}

/// Thread ids of the workers, the client's node first.
fn worker_threads() -> Vec<String> {
    let is_worker = |thread: &String| {
        let name = std::fs::read_to_string(format!("/proc/self/task/{thread}/comm"));
        name.is_ok_and(|name| name.starts_with("weir-worker"))
    };
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = threads.filter_map(|t| t.file_name().into_string().ok());
    let mut workers: Vec<_> = names.filter(is_worker).collect();
    workers.sort_by_key(|thread| thread.parse::<u32>().unwrap_or(0));
    workers
}

fn thread_id() -> String {
    let link = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    link.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn pin(thread: &str, cpu: usize) {
    let cpu = cpu.to_string();
    let pinned = std::process::Command::new("taskset").args(["-pc", &cpu, thread]).output();
    if !pinned.is_ok_and(|p| p.status.success()) {
        eprintln!("thread {thread} is not pinned to CPU {cpu}: no taskset?");
    }
}
