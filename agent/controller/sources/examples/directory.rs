//! What a change of one file costs in a directory of a whole mesh: time until it is told, and the CPU of the process.
//!
//! ```text
//! cargo run --release -p weir-sources --example directory -- 1000 10000 100000
//! ```
//!
//! There is a file for each service, with its twenty pods, as in `cargo xtask bench controller --source directory`; here it is
//! the source alone. Each size runs in a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use weir_resources::{Event, Kind};
use weir_sources::Directory;

const PODS_OF_A_SERVICE: usize = 20;
const SERVICES_OF_A_NAMESPACE: usize = 25;
const CHANGES: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let sizes: Vec<String> = std::env::args().skip(1).collect();
    match sizes.as_slice() {
        [one, size] if one == "--one" => run(size.parse().expect("a number of pods")).await,
        sizes => {
            println!("   pods    start s  change ms p50      p99   CPU ms");
            let default = ["1000", "10000", "100000"].map(String::from);
            for size in if sizes.is_empty() { default.as_slice() } else { sizes } {
                let program = std::env::current_exe().expect("this program");
                let status = Command::new(program).args(["--one", size]).status().expect("a process");
                assert!(status.success(), "{size} pods: {status}");
            }
        }
    }
}

async fn run(pods: usize) {
    let root = std::env::temp_dir().join(format!("weir-directory-{}", std::process::id()));
    let mesh = root.join("mesh");
    let services = pods.div_ceil(PODS_OF_A_SERVICE);
    for service in 0..services {
        write(&root, &mesh, service, false);
    }
    let (sender, mut events) = tokio::sync::mpsc::channel(64);
    let start = Instant::now();
    let task = tokio::spawn(Directory::new(mesh.clone()).run(sender));
    for _ in Kind::ALL {
        events.recv().await.expect("the first lists");
    }
    let first = start.elapsed();
    let (mut times, cpu) = (Vec::new(), cpu());
    for n in 0..CHANGES {
        let start = Instant::now();
        write(&root, &mesh, n * 7 % services, (n / services).is_multiple_of(2));
        let batch = events.recv().await.expect("a change");
        assert!(matches!(&*batch, [Event::Apply(_)]), "{batch:?}");
        times.push(start.elapsed());
    }
    let cpu = (self::cpu() - cpu) / u32::try_from(CHANGES).expect("few");
    task.abort();
    fs::remove_dir_all(root).expect("what was made");
    times.sort();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (p50, p99) = (ms(times[CHANGES / 2]), ms(times[CHANGES * 99 / 100]));
    println!("{pods:>7} {:>10.2} {p50:>14.1} {p99:>8.1} {:>8.2}", first.as_secs_f64(), ms(cpu));
}

/// The file of a service, replaced by a rename; its first pod runs or does not.
fn write(root: &Path, mesh: &Path, service: usize, down: bool) {
    let namespace = format!("ns-{}", service / SERVICES_OF_A_NAMESPACE);
    let folder: PathBuf = mesh.join(&namespace);
    fs::create_dir_all(&folder).expect("a folder");
    let object = |kind: &str, name: &str, more: &str| {
        format!(
            "apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\n{more}\n---\n"
        )
    };
    let spec = "spec: {type: ClusterIP, ports: [{port: 80}]}";
    let mut text = object("Service", &format!("app-{service}"), spec);
    for n in 0..PODS_OF_A_SERVICE {
        let phase = if down && n == 0 { "Failed" } else { "Running" };
        let address = format!("10.{}.{}.{n}", service / 250, service % 250);
        let more = format!(
            "spec: {{serviceAccountName: app-{service}}}\nstatus: {{phase: {phase}, podIP: {address}}}"
        );
        text += &object("Pod", &format!("app-{service}-{n}"), &more);
    }
    let new = root.join("new");
    fs::write(&new, text).expect("a file");
    fs::rename(&new, folder.join(format!("app-{service}.yaml"))).expect("the file in its place");
}

/// What this process has used so far, in steps of 10 ms.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("the kernel's figures");
    let fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
    let ticks: u64 = fields.skip(12).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
