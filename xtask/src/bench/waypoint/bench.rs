//! The pods and the proxies in them, and the order in which they are measured.
//!
//! ```text
//!   pod client (wrk, h2load, weir-load) -- node -- pod proxy (all proxies) -- node -- pod server (nginx)
//!      CPU 0                                          CPU 1                              CPU 0
//! ```

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use weir_harness::{Cluster, Finished, Pod};

use super::super::metric::Measured;
use super::super::plane::Placement;
use super::super::report::Results;
use super::super::{process, servers};
use super::proxy::{Program, Proxy, Task};
use super::rows::{Load, RSS_ROUTES, Routes, Rows};
use super::{idle, requests};

/// Everything that is up; dropped, it is gone.
pub(super) struct Bench {
    pub(super) load_program: PathBuf,
    proxies: Vec<Proxy>,
    client: Pod,
    proxy: Pod,
    placement: Placement,
    cluster: Cluster,
}

impl Bench {
    /// Starts the server, and each proxy once for each number of routes.
    pub(super) fn build(
        programs: &[Program],
        routes: &[Routes],
        pinned: bool,
        load_program: PathBuf,
    ) -> Result<Self> {
        let placement = Placement::new(pinned);
        let cluster = Cluster::builder("waypoint").nodes(1).build()?;
        let node = cluster.node("a");
        let [client, proxy, server] = [
            node.pod("client").unknown().start()?,
            node.pod("proxy").unknown().start()?,
            node.pod("server").unknown().start()?,
        ];
        servers::web(&server, |program, arguments| placement.client_command(program, arguments))?;
        let dir = cluster.dir().join("proxies");
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let mut bench = Self { load_program, proxies: Vec::new(), client, proxy, placement, cluster };
        let mut port = FIRST_PORT;
        for routes in routes.iter().copied() {
            for program in programs {
                let origin = format!("{}:{}", server.v4(), servers::HTTP_PORT);
                let task = Task { routes: routes.count(), port, origin, dir: &dir };
                let started = program.start(&bench.proxy, placement, routes, &task);
                let name = program.kind.name();
                bench.proxies.push(started.with_context(|| format!("{name} with {} routes", task.routes))?);
                port += 1;
            }
        }
        Ok(bench)
    }

    /// Memory first, while nothing has run yet. Then rounds outside and proxies inside: what disturbs the machine for a
    /// while disturbs all of them.
    pub(super) fn measure(&self, rounds: u32, length: Duration, results: &mut Results) {
        for proxy in &self.proxies {
            let measured = match proxy.routes {
                Routes::One => idle::measure(self, proxy),
                Routes::Hundred => Ok(Vec::new()),
                Routes::TenThousand => {
                    process::rss_kib(proxy.pid()).map(|kib| vec![(RSS_ROUTES, kib / 1024.0)])
                }
            };
            take(results, proxy, "memory", measured);
        }
        for round in 1..=rounds {
            for routes in Routes::ALL {
                for load in Load::ALL {
                    for proxy in self.proxies.iter().filter(|proxy| proxy.routes == routes) {
                        let rows = routes.rows(load);
                        let (title, name) = (rows.rate.title, proxy.kind.name());
                        eprintln!("bench: round {round} of {rounds}: {title} through {name}");
                        take(results, proxy, title, self.requests(proxy, load, rows, length));
                    }
                }
            }
        }
    }

    /// One load through one proxy, with the proxy's processor time.
    fn requests(&self, proxy: &Proxy, load: Load, rows: Rows, length: Duration) -> Result<Vec<Measured>> {
        let before = process::cpu_seconds(proxy.pid())?;
        let run = match load {
            Load::Http1 { connections } => requests::http1(self, proxy, connections, length),
            Load::Http2 => requests::http2(self, proxy, length),
        }?;
        let used = process::cpu_seconds(proxy.pid())? - before;
        Ok(vec![
            (rows.rate, run.per_second),
            (rows.p50, run.p50_us),
            (rows.p99, run.p99_us),
            (rows.per_cpu, run.count / used),
            (rows.cpu, used / run.count * 1000.0),
        ])
    }

    /// Where a port of the proxies is, as clients dial it.
    pub(super) fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.proxy.v4())
    }

    /// A file for the programs of the client.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<String> {
        let path = self.cluster.dir().join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Runs a program of the client to its end, which should take `expected`.
    pub(super) fn output(&self, program: &str, arguments: &[&str], expected: Duration) -> Result<Finished> {
        let (program, arguments) = self.placement.client_command(program, arguments);
        self.client.place().output(&program, &arguments, expected + GRACE)
    }

    /// The client's pod.
    pub(super) fn client(&self) -> &Pod {
        &self.client
    }
}

fn take(results: &mut Results, proxy: &Proxy, what: &str, measured: Result<Vec<Measured>>) {
    match measured {
        Ok(measured) => {
            measured.into_iter().for_each(|(metric, value)| results.add(proxy.kind.name(), metric, value));
        }
        Err(error) => results.fail(format!("{what} through {}: {error:#}", proxy.kind.name())),
    }
}

const FIRST_PORT: u16 = 8100;
/// What a program may take longer than told, start and end included.
const GRACE: Duration = Duration::from_secs(30);
