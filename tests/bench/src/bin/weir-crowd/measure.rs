//! One controller with one mesh, from its start to its end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use weir_discovery::channel::{ChannelConfig, ControlChannel};

use crate::agent::Agent;
use crate::controller::Controller;
use crate::crowd::{Crowd, Spread};
use crate::mesh::{Mesh, PODS_OF_A_SERVICE, pod_resource, service_resource};
use crate::numbers::percentile_ms;
use crate::real;
use crate::source::{Source, SourceKind};

/// Measure one size: numbers by name, as one JSON object on stdout
#[derive(Args)]
pub(crate) struct MeasureArgs {
    /// The controller's executable
    #[arg(long, value_name = "FILE")]
    controller: PathBuf,
    #[arg(long, value_enum, default_value_t = SourceKind::Kubernetes)]
    source: SourceKind,
    #[arg(long)]
    pods: usize,
    #[arg(long, default_value_t = 100)]
    agents: usize,
    #[arg(long, default_value_t = 200)]
    changes: usize,
}

type Numbers = BTreeMap<&'static str, f64>;

/// Measures, and prints the numbers.
pub(crate) async fn run(args: &MeasureArgs) -> Result<()> {
    let dir = tempfile::Builder::new().prefix("weir-crowd-").tempdir().context("no temporary directory")?;
    let mesh = Mesh { pods: args.pods };
    let told = Told { pods: args.pods };
    told.say(&format!("making {} services on {} nodes", mesh.services(), mesh.nodes()));
    let source = Source::make(args.source, mesh, &args.controller, dir.path())?;
    let controller = Controller::start(&args.controller, &source.flags(), dir.path())?;
    let mut bench = Bench { mesh, told, source, controller, turn: 0, numbers: Numbers::new() };
    bench.start().await?;
    bench.wildcard(args.agents, args.changes).await?;
    bench.on_demand(args.agents, args.changes).await?;
    bench.real_agent().await?;
    let memory = bench.controller.memory()?;
    bench.put("peak_mib", memory.peak / 1024.0);
    println!("{}", serde_json::to_string(&bench.numbers)?);
    Ok(())
}

/// Progress, on stderr.
struct Told {
    pods: usize,
}

impl Told {
    fn say(&self, what: &str) {
        eprintln!("bench: {} pods: {what}", self.pods);
    }
}

struct Bench {
    mesh: Mesh,
    told: Told,
    source: Source,
    controller: Controller,
    /// Which change is next.
    turn: usize,
    numbers: Numbers,
}

impl Bench {
    fn put(&mut self, name: &'static str, value: f64) {
        self.numbers.insert(name, value);
    }

    /// From nothing to ready.
    async fn start(&mut self) -> Result<()> {
        let ready = self.controller.ready().await?;
        let cpu = self.controller.cpu_seconds()?;
        self.told.say(&format!("ready after {:.1} s", ready.as_secs_f64()));
        self.source.settled().await;
        tokio::time::sleep(SETTLE).await;
        let memory = self.controller.memory()?;
        self.put("ready_s", ready.as_secs_f64());
        self.put("ready_cpu_s", cpu);
        self.put("start_mib", memory.now / 1024.0);
        self.put("start_peak_mib", memory.peak / 1024.0);
        Ok(())
    }

    /// Agents that want everything: one, whose changes show what the controller's own work costs, then all.
    async fn wildcard(&mut self, agents: usize, changes: usize) -> Result<()> {
        let mut crowd = Crowd::new();
        let one = crowd.join(self.agents(0..1, None).await?).await?;
        self.put("sync_resources", one.resources as f64);
        self.put("sync_bytes", one.bytes as f64);
        let (_, cpu) = self.changes(&mut crowd, changes, |n, pods| n * 7919 % pods).await?;
        self.put("change_cpu_us", cpu);

        let (cpu, memory) = (self.controller.cpu_seconds()?, self.controller.memory()?.now);
        let synced = crowd.join(self.agents(1..agents.max(2), None).await?).await?;
        let cpu = self.controller.cpu_seconds()? - cpu;
        let last = percentile_ms(&synced.took, 100) / 1e3;
        self.told.say(&format!("{} agents know everything after {last:.1} s", crowd.len()));
        tokio::time::sleep(SETTLE).await;
        let grown = self.controller.memory()?.now - memory;
        let count = synced.took.len() as f64;
        self.put("sync_all_s", last);
        self.put("sync_cpu_ms", cpu * 1e3 / count);
        self.put("agents_mib", (memory + grown) / 1024.0);
        self.put("agent_kib", grown / count);

        let wire = self.wire_bytes();
        let (spreads, cpu) = self.changes(&mut crowd, changes, |n, pods| n * 7919 % pods).await?;
        self.spread(&spreads, WILDCARD);
        self.put("change_all_cpu_us", cpu);
        let of_each = |bytes: f64| bytes / (crowd.len() * spreads.len()) as f64;
        self.put("change_message_bytes", of_each(spreads.iter().map(|s| s.bytes as f64).sum()));
        if let (Some(before), Some(after)) = (wire, self.wire_bytes()) {
            self.put("change_wire_bytes", of_each(after - before));
        }
        Ok(())
    }

    /// Agents that ask for a few services each, one of which all of them ask for.
    async fn on_demand(&mut self, agents: usize, changes: usize) -> Result<()> {
        let mut crowd = Crowd::new();
        let wants = self.agents(0..agents, Some(SERVICES_WANTED)).await?;
        let synced = crowd.join(wants).await?;
        self.told.say(&format!("{} agents on demand have what they asked for", crowd.len()));
        self.put("demand_sync_s", percentile_ms(&synced.took, 100) / 1e3);
        self.put("demand_sync_bytes", synced.bytes as f64 / synced.took.len() as f64);
        // Pods of the service that all of them follow.
        let (spreads, _) = self.changes(&mut crowd, changes, |n, _| n % PODS_OF_A_SERVICE).await?;
        self.spread(&spreads, DEMAND);
        let messages: usize = spreads.iter().map(|spread| spread.bytes).sum();
        self.put("demand_message_bytes", messages as f64 / (crowd.len() * spreads.len()) as f64);
        Ok(())
    }

    async fn real_agent(&mut self) -> Result<()> {
        let args = self.real_args().await?;
        let report = real::measure(&args).await?;
        self.told.say(&format!("an agent holds {} workloads", report.workloads));
        self.put("real_sync_s", report.seconds);
        self.put("real_mib", report.after_kib / 1024.0);
        let foreign = report.workloads as f64;
        self.put("real_bytes", (report.after_kib - report.before_kib) * 1024.0 / foreign);
        Ok(())
    }

    /// One change after the other, each when all agents know of the one before. What one cost the controller, microseconds.
    async fn changes(
        &mut self,
        crowd: &mut Crowd,
        count: usize,
        which: impl Fn(usize, usize) -> usize,
    ) -> Result<(Vec<Spread>, f64)> {
        self.told.say(&format!("{count} changes of a pod, to {} agents", crowd.len()));
        let mut spreads = Vec::new();
        let (before, collected) = (self.controller.cpu_of_threads()?, self.controller.collected()?);
        for _ in 0..count {
            self.turn += 1;
            let (pod, source) = (which(self.turn, self.mesh.pods), &mut self.source);
            spreads.push(crowd.change(&pod_resource(pod), || source.toggle(pod)).await?);
            tokio::time::sleep(PAUSE).await;
        }
        let cpu = (self.controller.cpu_of_threads()? - before) * 1e6 / count as f64;
        let after = self.controller.collected()?;
        self.put("collected_ms", (after.0 - collected.0) * 1e3 / (after.1 - collected.1).max(1.0));
        Ok((spreads, cpu))
    }

    fn spread(&mut self, spreads: &[Spread], [p50, p99, first, source]: [&'static str; 4]) {
        let last: Vec<Duration> = spreads.iter().map(|spread| spread.last).collect();
        let firsts: Vec<Duration> = spreads.iter().map(|spread| spread.first).collect();
        let mean = firsts.iter().sum::<Duration>().as_secs_f64() * 1e3 / firsts.len().max(1) as f64;
        let collected = self.numbers.get("collected_ms").copied().unwrap_or_default();
        self.put(p50, percentile_ms(&last, 50));
        self.put(p99, percentile_ms(&last, 99));
        self.put(first, percentile_ms(&firsts, 50));
        self.put(source, (mean - collected).max(0.0));
    }

    /// Agents by number, each on a node of its own as long as there are nodes.
    async fn agents(&self, numbers: std::ops::Range<usize>, wanted: Option<usize>) -> Result<Vec<Agent>> {
        let roots = self.source.roots().await?;
        let services = self.mesh.services();
        numbers
            .map(|number| {
                let node = number % self.mesh.nodes();
                let wants = wanted.map(|count| {
                    let others = (1..count).map(|n| (number * count + n) % services);
                    std::iter::once(0).chain(others).map(service_resource).collect()
                });
                let channel = ControlChannel::new(ChannelConfig {
                    address: self.address(),
                    root_cert_file: roots.clone(),
                    token_file: self.source.token(number, node)?,
                    ..ChannelConfig::default()
                })?;
                Ok(Agent { number, node, channel, wants })
            })
            .collect()
    }

    async fn real_args(&self) -> Result<real::AgentArgs> {
        let (roots, token) = (self.source.roots().await?, self.source.token(0, 0)?);
        Ok(real::AgentArgs { address: self.address(), roots, token })
    }

    fn address(&self) -> String {
        format!("https://{}", self.controller.port)
    }

    /// What the agents' connections have carried in both directions, TLS and HTTP/2 included; `None` without iproute2.
    fn wire_bytes(&self) -> Option<f64> {
        let to = format!("dport = :{}", self.controller.port.port());
        let shown = Command::new("ss").args(["-tinH", "state", "established", &to]).output().ok()?;
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let fields = text.split_whitespace().filter_map(|field| field.split_once(':'));
        let counted = fields.filter(|(name, _)| ["bytes_sent", "bytes_received"].contains(name));
        let bytes: Vec<f64> = counted.filter_map(|(_, value)| value.parse().ok()).collect();
        (!bytes.is_empty()).then(|| bytes.iter().sum())
    }
}

const WILDCARD: [&str; 4] = ["change_p50_ms", "change_p99_ms", "change_first_ms", "change_source_ms"];
const DEMAND: [&str; 4] = ["demand_p50_ms", "demand_p99_ms", "demand_first_ms", "demand_source_ms"];
/// What was made for a moment is freed.
const SETTLE: Duration = Duration::from_secs(1);
/// Between a change and the next: longer than the controller waits for more of them.
const PAUSE: Duration = Duration::from_millis(20);
/// Services that an agent on demand asks for.
const SERVICES_WANTED: usize = 10;
