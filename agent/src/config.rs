//! The one door of configuration: flags, then environment, then one YAML file. Everything that is wrong
//! is reported together, and each part gets a struct of its own.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::{RunOptions, Settings};

/// The agent's configuration, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) node: String,
    pub(crate) mesh_file: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) capture: Capture,
    pub(crate) listen: Listen,
    pub(crate) log: Log,
    pub(crate) workers: usize,
    pub(crate) drain: Duration,
}

/// Where certificates come from.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) ca_dir: PathBuf,
    pub(crate) lifetime: Duration,
    pub(crate) crl: Option<PathBuf>,
}

/// How the kernel is met.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) pods_cgroup: PathBuf,
    pub(crate) kubelet_cgroup: Option<PathBuf>,
    pub(crate) bpffs: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) holder: Option<PathBuf>,
    pub(crate) exclude: Vec<Prefix>,
    pub(crate) ebpf_log: u8,
    pub(crate) leave_closed: bool,
}

/// Addresses of the agent's own endpoints.
#[derive(Debug, Clone)]
pub(crate) struct Listen {
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) ready: SocketAddr,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

/// All that is wrong with a configuration.
#[derive(Debug)]
pub(crate) struct Problems(Vec<String>);

impl Config {
    /// Joins flags and environment (which clap has read) with the file and checks every value.
    pub(crate) fn build(options: &RunOptions) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let file = options.config.as_deref().map(|path| reader.file(path)).unwrap_or_default();
        let s = options.settings.clone().or(file);
        let config = Self {
            node: reader.required("node", s.node),
            mesh_file: reader.required("mesh-file", s.mesh_file),
            identity: Identity {
                ca_dir: reader.required("ca-dir", s.ca_dir),
                lifetime: reader.duration("cert-lifetime", s.cert_lifetime, Duration::from_secs(24 * 3600)),
                crl: s.crl.map(PathBuf::from),
            },
            capture: Capture {
                pods_cgroup: reader.required("pods-cgroup", s.pods_cgroup),
                kubelet_cgroup: s.kubelet_cgroup.map(PathBuf::from),
                bpffs: s.bpffs.unwrap_or_else(|| "/sys/fs/bpf/weir".into()).into(),
                runtime_dir: s.runtime_dir.unwrap_or_else(|| "/run/weir".into()).into(),
                holder: s.holder.map(PathBuf::from),
                exclude: reader.list("exclude", s.exclude),
                ebpf_log: reader.choice(
                    "ebpf-log",
                    s.ebpf_log,
                    &["off", "error", "warn", "info", "debug", "trace"],
                ) as u8,
                leave_closed: reader.choice("leave", s.leave, &["open", "closed"]) == 1,
            },
            listen: Listen {
                admin: reader.or("admin", s.admin, "127.0.0.1:15000"),
                metrics: reader.or("metrics", s.metrics, "[::]:15020"),
                ready: reader.or("ready", s.ready, "[::]:15021"),
            },
            log: Log {
                filter: s.log.unwrap_or_else(|| "info".into()),
                json: reader.choice("log-format", s.log_format, &["text", "json"]) == 1,
            },
            workers: reader.workers(s.workers),
            drain: reader.duration("drain", s.drain, Duration::from_secs(5)),
        };
        reader.finish(config)
    }
}

impl Settings {
    /// What is set here, and else what is set in `other`.
    fn or(self, other: Self) -> Self {
        Self {
            node: self.node.or(other.node),
            mesh_file: self.mesh_file.or(other.mesh_file),
            ca_dir: self.ca_dir.or(other.ca_dir),
            cert_lifetime: self.cert_lifetime.or(other.cert_lifetime),
            crl: self.crl.or(other.crl),
            pods_cgroup: self.pods_cgroup.or(other.pods_cgroup),
            kubelet_cgroup: self.kubelet_cgroup.or(other.kubelet_cgroup),
            bpffs: self.bpffs.or(other.bpffs),
            runtime_dir: self.runtime_dir.or(other.runtime_dir),
            holder: self.holder.or(other.holder),
            exclude: self.exclude.or(other.exclude),
            workers: self.workers.or(other.workers),
            admin: self.admin.or(other.admin),
            metrics: self.metrics.or(other.metrics),
            ready: self.ready.or(other.ready),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            ebpf_log: self.ebpf_log.or(other.ebpf_log),
            leave: self.leave.or(other.leave),
            drain: self.drain.or(other.drain),
        }
    }
}

/// Reads values and keeps what is wrong with them until all have been read.
#[derive(Default)]
struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn file(&mut self, path: &str) -> Settings {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.wrong(format!("config: cannot read {path}: {error}")),
        };
        match serde_saphyr::from_str(&text) {
            Ok(settings) => settings,
            Err(error) => self.wrong(format!("config: {path}: {error}")),
        }
    }

    fn required<T: From<String> + Default>(&mut self, name: &str, value: Option<String>) -> T {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => value.into(),
            None => {
                let variable = name.to_uppercase().replace('-', "_");
                self.wrong(format!(
                    "{name}: not set; give --{name}, WEIR_{variable}, or a line of the --config file"
                ))
            }
        }
    }

    fn or<T: FromStr<Err: Display>>(&mut self, name: &str, value: Option<String>, default: &str) -> T {
        let text = value.unwrap_or_else(|| default.into());
        match text.parse() {
            Ok(value) => value,
            Err(error) => {
                self.problems.push(format!("{name}: {text:?}: {error}; an example is {default}"));
                // The default is ours and parses; the value is never used, because a problem was noted.
                match default.parse() {
                    Ok(value) => value,
                    Err(_) => unreachable!("the default of {name} parses"),
                }
            }
        }
    }

    fn list<T: FromStr<Err: Display>>(&mut self, name: &str, value: Option<String>) -> Vec<T> {
        let text = value.unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items
            .filter_map(|item| match item.parse() {
                Ok(value) => Some(value),
                Err(error) => {
                    self.problems.push(format!("{name}: {item:?}: {error}"));
                    None
                }
            })
            .collect()
    }

    /// The index of the value among `choices`; the first is the default.
    fn choice(&mut self, name: &str, value: Option<String>, choices: &[&str]) -> usize {
        let Some(value) = value else { return 0 };
        let found = choices.iter().position(|choice| *choice == value);
        found.unwrap_or_else(|| self.wrong(format!("{name}: {value:?} is none of {}", choices.join(", "))))
    }

    fn duration(&mut self, name: &str, value: Option<String>, default: Duration) -> Duration {
        let Some(text) = value else { return default };
        parse_duration(&text).unwrap_or_else(|| {
            self.wrong(format!("{name}: {text:?} is not a duration such as 500ms, 30s, 10m or 24h"))
        })
    }

    fn workers(&mut self, value: Option<String>) -> usize {
        let Some(text) = value else {
            let cpus = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
            return cpus.clamp(2, MAX_WORKERS);
        };
        match text.parse() {
            Ok(n) if (1..=MAX_WORKERS).contains(&n) => n,
            _ => self.wrong(format!("workers: {text:?} is not a number from 1 to {MAX_WORKERS}")),
        }
    }

    fn wrong<T: Default>(&mut self, problem: String) -> T {
        self.problems.push(problem);
        T::default()
    }

    fn finish(self, config: Config) -> Result<Config, Problems> {
        match self.problems.is_empty() {
            true => Ok(config),
            false => Err(Problems(self.problems)),
        }
    }
}

/// A destination prefix; a bare address is a prefix of its full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) IpAddr, pub(crate) u8);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| "not an address or a prefix such as 10.0.0.0/8".to_owned())?;
        let full = if address.is_ipv4() { 32 } else { 128 };
        let length = match length.map(str::parse::<u8>) {
            None => full,
            Some(Ok(length)) if length <= full => length,
            Some(_) => return Err(format!("the prefix length must be 0 to {full}")),
        };
        Ok(Self(address, length))
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let millis = match &text[unit..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

impl Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.0.len();
        writeln!(f, "the configuration has {count} {}:", if count == 1 { "problem" } else { "problems" })?;
        for problem in &self.0 {
            writeln!(f, "  - {problem}")?;
        }
        write!(f, "`weir-agent run --help` lists every setting")
    }
}

/// The kernel programs have slots for so many workers.
const MAX_WORKERS: usize = 16;
