//! The real programs that run in pods, and the test runner.

use anyhow::Result;

use super::apt;
use crate::shell;

/// Installs the programs of [`PROGRAMS`] that are not there.
pub(super) fn ensure() -> Result<()> {
    ensure_all("test programs", PROGRAMS)
}

/// Installs those of [`PROXIES`].
pub(super) fn ensure_proxies() -> Result<()> {
    ensure_all("proxies and their load", PROXIES)
}

fn ensure_all(what: &str, programs: &[Program]) -> Result<()> {
    let missing: Vec<&Program> =
        programs.iter().filter(|program| shell::find_program(program.name).is_none()).collect();
    if missing.is_empty() {
        eprintln!("setup: {what}: all {} are here", programs.len());
        return Ok(());
    }
    let packages: Vec<String> = missing.iter().map(|program| program.package.to_owned()).collect();
    let why: Vec<String> =
        missing.iter().map(|program| format!("{} for {}", program.name, program.purpose)).collect();
    apt::install(&packages, &why.join(", "))?;
    let services: Vec<&str> = missing.iter().filter_map(|program| program.service).collect();
    apt::disable_services(&services)
}

/// Builds and installs cargo-nextest if it is not there.
pub(super) fn ensure_nextest() -> Result<()> {
    if shell::find_program("cargo-nextest").is_some() {
        return Ok(());
    }
    shell::step(
        &format!(
            "setup: cargo install cargo-nextest {NEXTEST} (runs the tests, each in a process of its own; some minutes)"
        ),
        &mut shell::cargo(&["install", "cargo-nextest", "--locked", "--version", NEXTEST]),
    )
}

/// A program, the Debian package that has it, and what Weir uses it for.
struct Program {
    name: &'static str,
    package: &'static str,
    purpose: &'static str,
    /// The service that the package would start.
    service: Option<&'static str>,
}

const fn program(name: &'static str, package: &'static str, purpose: &'static str) -> Program {
    Program { name, package, purpose, service: None }
}

const fn server(
    name: &'static str,
    package: &'static str,
    purpose: &'static str,
    service: &'static str,
) -> Program {
    Program { name, package, purpose, service: Some(service) }
}

const PROGRAMS: &[Program] = &[
    server("nginx", "nginx-light", "an HTTP server in a pod", "nginx"),
    server("redis-server", "redis-server", "a server with long-lived connections in a pod", "redis-server"),
    program("redis-cli", "redis-tools", "its client"),
    program("curl", "curl", "an HTTP client in a pod"),
    program("python3", "python3", "a client and servers of other protocols in a pod"),
    program("iperf3", "iperf3", "bulk load"),
    program("wrk", "wrk", "HTTP load"),
    program("tcpdump", "tcpdump", "the capture on the link between the nodes"),
    program("ip", "iproute2", "namespaces and veth pairs"),
    program("nft", "nftables", "packet counters on the link"),
    program("bpftool", "bpftool", "taking listeners out of a pod's map"),
];

/// Only for `bench waypoint`; nginx and wrk are above.
const PROXIES: &[Program] = &[
    server("haproxy", "haproxy", "a proxy beside the waypoint in the bench", "haproxy"),
    program("h2load", "nghttp2-client", "HTTP/2 load"),
];

/// The version that the project's configuration was written for.
const NEXTEST: &str = "0.9.143";
