//! The servers of the loads, in the server's pod of each data plane.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use weir_harness::Pod;

use super::plane::Placement;

/// iperf3.
pub(super) const IPERF_PORT: u16 = 5201;
/// nginx.
pub(super) const HTTP_PORT: u16 = 8080;
/// `weir-load serve`.
pub(super) const SHORT_PORT: u16 = 7000;
/// `weir-load serve --keep`.
pub(super) const KEEP_PORT: u16 = 7001;

/// Starts all of them for `bench`, and waits until they listen. They end with the pod.
pub(super) fn start(pod: &Pod, placement: &Placement, load_program: &Path) -> Result<()> {
    let config = nginx_config(&pod.place().dir.join(format!("bench-nginx-{}", pod.name())))?;
    let load = load_program.to_string_lossy();
    let iperf_port = IPERF_PORT.to_string();
    let [short, keep] = [SHORT_PORT, KEEP_PORT].map(|port| format!("[::]:{port}"));
    let servers: [(u16, &str, &[&str]); 4] = [
        (IPERF_PORT, "iperf3", &["--server", "--port", &iperf_port]),
        (HTTP_PORT, "nginx", &["-c", &config]),
        (SHORT_PORT, &load, &["serve", "--listen", &short]),
        (KEEP_PORT, &load, &["serve", "--listen", &keep, "--keep"]),
    ];
    for (port, program, arguments) in servers {
        start_one(pod, port, placement.server_command(program, arguments))?;
    }
    Ok(())
}

/// Starts the web server alone, by a command that `place` makes, and waits until it listens.
pub(super) fn web(pod: &Pod, place: impl FnOnce(&str, &[&str]) -> (String, Vec<String>)) -> Result<()> {
    let config = nginx_config(&pod.place().dir.join(format!("bench-nginx-{}", pod.name())))?;
    start_one(pod, HTTP_PORT, place("nginx", &["-c", &config]))
}

fn start_one(pod: &Pod, port: u16, (program, arguments): (String, Vec<String>)) -> Result<()> {
    let process = pod.spawn(&program, &arguments)?;
    pod.wait_listening(port).with_context(|| process.log())
}

/// One worker and no log: the server must not be what is measured.
fn nginx_config(dir: &Path) -> Result<String> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let here = dir.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .collect();
    let text = format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid {here}/pid;\nerror_log {here}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n{temporary}access_log off;\nkeepalive_requests 1000000000;\n\
         server {{ listen [::]:{HTTP_PORT} ipv6only=off; location / {{ return 200 \"{ANSWER}\"; }} }}\n}}\n"
    );
    let path = dir.join("nginx.conf");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_string_lossy().into_owned())
}

/// Small: the cost of a request is asked for, not that of its bytes.
const ANSWER: &str = "sixty-four bytes of nothing, for a request that asked for little";
