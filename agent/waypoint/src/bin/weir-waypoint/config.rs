//! The one door of configuration: flags, then environment, then one YAML file. Everything that is wrong is reported
//! together.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use weir_control::Ca;
use weir_discovery::channel::ControlChannel;
use weir_discovery::xds::{NodeInfo, Role};
use weir_process::{Problems, Reader};
use weir_waypoint::proxy::Form;

use crate::cli::{RunOptions, Settings};

/// The waypoint's configuration, checked.
#[derive(Debug)]
pub(crate) struct Config {
    /// namespace/name.
    pub(crate) gateway: String,
    pub(crate) node: NodeInfo,
    pub(crate) channel: ControlChannel,
    pub(crate) ca: Ca,
    pub(crate) lifetime: Duration,
    pub(crate) crl: Option<PathBuf>,
    pub(crate) workers: usize,
    pub(crate) listen: Listen,
    pub(crate) access_log: Option<Form>,
    pub(crate) log: Log,
    /// None: the system's.
    pub(crate) dns_servers: Vec<SocketAddr>,
    pub(crate) drain_delay: Duration,
    pub(crate) drain: Duration,
}

/// Addresses.
#[derive(Debug)]
pub(crate) struct Listen {
    pub(crate) tunnels: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) ready: SocketAddr,
}

/// What is logged, and how.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) filter: String,
    pub(crate) json: bool,
}

impl Config {
    /// Joins flags and environment (which clap has read) with the file and checks every value.
    pub(crate) fn build(options: &RunOptions) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let file = options.config.as_deref().map(|path| reader.file(path)).unwrap_or_default();
        let s = options.settings.clone().or(file);
        let address: String = reader.required("xds-address", s.xds_address.clone());
        let pod: String = reader.required("pod-name", s.pod_name.clone());
        let _: String = reader.required("pod-namespace", s.pod_namespace.clone());
        let gateway = gateway(&mut reader, &s);
        let control = s.control();
        let channel = match address.is_empty() {
            true => None,
            false => control.channel(&mut reader, "xds-address", &address),
        };
        let ca_address = s.ca_address.clone().unwrap_or(address);
        let ca = match ca_address.is_empty() {
            true => None,
            false => control.ca(&mut reader, "ca-address", &ca_address),
        };
        let node = control.node(&mut reader, Role::Waypoint, "", pod);
        let lifetime = reader.duration("cert-lifetime", s.cert_lifetime, Duration::from_secs(24 * 3600));
        let workers = workers(&mut reader, s.workers);
        let listen = Listen {
            tunnels: reader.or("listen", s.listen, "[::]:15008"),
            admin: reader.or("admin", s.admin, "127.0.0.1:15000"),
            metrics: reader.or("metrics", s.metrics, "[::]:15020"),
            ready: reader.or("ready", s.ready, "[::]:15021"),
        };
        let access_log = match reader.choice("access-log", s.access_log, &["text", "json", "off"]) {
            0 => Some(Form::Text),
            1 => Some(Form::Json),
            _ => None,
        };
        let log = Log {
            filter: s.log.unwrap_or_else(|| "info".into()),
            json: reader.choice("log-format", s.log_format, &["text", "json"]) == 1,
        };
        let dns_servers = dns_servers(&mut reader, s.dns_servers);
        let drain_delay = reader.duration("drain-delay", s.drain_delay, Duration::from_secs(5));
        let drain = reader.duration("drain", s.drain, Duration::from_secs(30));
        let crl = s.crl.map(PathBuf::from);
        reader.finish(HELP)?;
        let (Some(channel), Some(ca)) = (channel, ca) else { unreachable!("a problem was noted") };
        Ok(Self {
            gateway,
            node,
            channel,
            ca,
            lifetime,
            crl,
            workers,
            listen,
            access_log,
            log,
            dns_servers,
            drain_delay,
            drain,
        })
    }
}

impl Settings {
    fn control(&self) -> weir_control::Settings {
        weir_control::Settings {
            token_file: self.token_file.clone(),
            root_cert_file: self.root_cert_file.clone(),
            control_host: self.control_host.clone(),
            cluster_id: self.cluster_id.clone(),
            network: self.network.clone(),
            pod_namespace: self.pod_namespace.clone(),
            service_account: self.service_account.clone(),
            instance_ip: self.instance_ip.clone(),
        }
    }

    /// What is set here, and else what is set in `other`.
    fn or(self, other: Self) -> Self {
        Self {
            gateway: self.gateway.or(other.gateway),
            xds_address: self.xds_address.or(other.xds_address),
            ca_address: self.ca_address.or(other.ca_address),
            token_file: self.token_file.or(other.token_file),
            root_cert_file: self.root_cert_file.or(other.root_cert_file),
            control_host: self.control_host.or(other.control_host),
            cluster_id: self.cluster_id.or(other.cluster_id),
            network: self.network.or(other.network),
            pod_name: self.pod_name.or(other.pod_name),
            pod_namespace: self.pod_namespace.or(other.pod_namespace),
            service_account: self.service_account.or(other.service_account),
            instance_ip: self.instance_ip.or(other.instance_ip),
            cert_lifetime: self.cert_lifetime.or(other.cert_lifetime),
            crl: self.crl.or(other.crl),
            workers: self.workers.or(other.workers),
            listen: self.listen.or(other.listen),
            admin: self.admin.or(other.admin),
            metrics: self.metrics.or(other.metrics),
            ready: self.ready.or(other.ready),
            access_log: self.access_log.or(other.access_log),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            dns_servers: self.dns_servers.or(other.dns_servers),
            drain_delay: self.drain_delay.or(other.drain_delay),
            drain: self.drain.or(other.drain),
        }
    }
}

fn gateway(reader: &mut Reader, s: &Settings) -> String {
    let gateway: String = reader.required("gateway", s.gateway.clone());
    let parts: Vec<_> = gateway.split('/').collect();
    if !gateway.is_empty() && (parts.len() != 2 || parts.iter().any(|part| part.is_empty())) {
        return reader.wrong(format!("gateway: {gateway:?} is not of the form NAMESPACE/NAME"));
    }
    gateway
}

fn workers(reader: &mut Reader, value: Option<String>) -> usize {
    let Some(text) = value else {
        return std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(MAX_WORKERS);
    };
    match text.parse() {
        Ok(n) if (1..=MAX_WORKERS).contains(&n) => n,
        _ => reader.wrong(format!("workers: {text:?} is not a number from 1 to {MAX_WORKERS}")),
    }
}

fn dns_servers(reader: &mut Reader, value: Option<String>) -> Vec<SocketAddr> {
    let listed = value.as_deref().unwrap_or_default().split(',').map(str::trim);
    let servers = listed.filter(|text| !text.is_empty()).map(|text| {
        let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
        let server = bare.or_else(|_| text.parse());
        server.map_err(|_| format!("dns-servers: {text:?} is neither an IP address nor one with a port"))
    });
    match servers.collect::<Result<_, _>>() {
        Ok(servers) => servers,
        Err(problem) => reader.wrong(problem),
    }
}

const DNS_PORT: u16 = 53;
const MAX_WORKERS: usize = 64;
const HELP: &str = "weir-waypoint run --help";

#[cfg(test)]
mod tests {
    use super::*;

    fn build(pairs: &[(&str, &str)]) -> Result<Config, String> {
        let settings = serde_json::Map::from_iter(
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())),
        );
        let settings = serde_json::from_value(settings.into()).unwrap();
        Config::build(&RunOptions { config: None, settings }).map_err(|problems| problems.to_string())
    }

    const REQUIRED: [(&str, &str); 4] = [
        ("gateway", "shop/wp"),
        ("xdsAddress", "https://c.ns.svc:15012"),
        ("podName", "wp-1"),
        ("podNamespace", "shop"),
    ];

    #[test]
    fn defaults_are_those_of_the_help() {
        let config = build(&REQUIRED).unwrap();
        assert_eq!(config.listen.tunnels.to_string(), "[::]:15008");
        assert_eq!((config.drain, config.access_log), (Duration::from_secs(30), Some(Form::Text)));
        assert_eq!((config.node.role, &*config.node.pod), (Role::Waypoint, "wp-1"));
        assert_eq!(config.ca.channel.address(), "https://c.ns.svc:15012");
    }

    #[test]
    fn servers_of_names_have_a_port() {
        let config = build(&[&REQUIRED[..], &[("dnsServers", "192.0.2.1, [::1]:5353,2001:db8::1")]].concat());
        let servers: Vec<_> = config.unwrap().dns_servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[::1]:5353", "[2001:db8::1]:53"]);
    }

    #[test]
    fn all_problems_are_said_at_once() {
        let text =
            build(&[("workers", "0"), ("gateway", "wp"), ("accessLog", "loud"), ("dnsServers", "dns")])
                .unwrap_err();
        let expected = ["xds-address: not set", "pod-name", "pod-namespace", "workers", "gateway: \"wp\""];
        for part in expected.into_iter().chain(["access-log: \"loud\"", "dns-servers: \"dns\""]) {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }

    #[test]
    fn a_control_plane_without_tls_is_a_problem() {
        let text = build(&[&REQUIRED[..], &[("caAddress", "http://x")]].concat()).unwrap_err();
        assert!(text.contains("ca-address: \"http://x\""), "{text}");
    }
}
