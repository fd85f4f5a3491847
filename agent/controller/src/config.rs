//! The one door of configuration: flags, then environment, then one YAML file. Everything that is wrong is reported
//! together, and each part gets a struct of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use weir_process::{Problems, Reader};

use crate::cli::{RunOptions, Settings};

/// The controller's configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub(crate) source: Source,
    pub(crate) index: weir_index::Config,
    pub(crate) ca: Ca,
    /// Image of waypoints; empty: none is deployed.
    pub(crate) waypoint_image: String,
    pub(crate) debounce: Debounce,
    pub(crate) listen: SocketAddr,
    pub(crate) monitoring: SocketAddr,
    pub(crate) admission: Option<SocketAddr>,
    pub(crate) admission_closed: bool,
    /// Nodes lose our taint when their agent is ready.
    pub(crate) untaint_nodes: bool,
    pub(crate) server_names: Vec<String>,
    /// What to log.
    pub log: String,
    /// As JSON, not as text.
    pub log_json: bool,
}

/// Where the objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A cluster, by this kubeconfig.
    Kubernetes(Option<PathBuf>),
    /// A directory of YAML, with the directory of what must be kept.
    Directory { objects: PathBuf, state: PathBuf },
}

/// Who gets which certificate.
#[derive(Debug, Clone)]
pub(crate) struct Ca {
    pub(crate) node_accounts: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) max_lifetime: Duration,
    pub(crate) overlap: Duration,
}

/// How long changes are collected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Debounce {
    pub(crate) quiet: Duration,
    pub(crate) max: Duration,
}

impl Config {
    /// Joins flags and environment (which clap has read) with the file and checks every value.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn build(options: &RunOptions) -> Result<Self, Problems> {
        let mut reader = Reader::default();
        let file = options.config.as_deref().map(|path| reader.file(path)).unwrap_or_default();
        let s = options.settings.clone().or(file);
        let source = source(&mut reader, &s);
        let in_cluster = matches!(source, Source::Kubernetes(_));
        let root: Arc<str> = s.root_namespace.clone().unwrap_or_else(|| "weir-system".into()).into();
        let max_lifetime = reader.duration("max-cert-lifetime", s.max_cert_lifetime.clone(), DAY);
        let config = Self {
            index: weir_index::Config {
                deploys_waypoints: in_cluster,
                ..index(&mut reader, &s, root.clone())
            },
            ca: Ca {
                node_accounts: node_accounts(&mut reader, s.node_accounts, &root),
                max_lifetime,
                overlap: reader.duration("rotation-overlap", s.rotation_overlap, max_lifetime),
            },
            waypoint_image: s.waypoint_image.clone().unwrap_or_default(),
            debounce: Debounce {
                quiet: reader.duration("debounce", s.debounce, Duration::from_millis(10)),
                max: reader.duration("debounce-max", s.debounce_max, Duration::from_millis(100)),
            },
            listen: reader.or("listen", s.listen, "[::]:15012"),
            monitoring: reader.or("monitoring", s.monitoring, "[::]:15014"),
            admission: match s.admission.as_deref() {
                Some("none") => None,
                None if !in_cluster => None,
                _ => Some(reader.or("admission", s.admission, "[::]:15017")),
            },
            untaint_nodes: reader.choice("untaint-nodes", s.untaint_nodes, &["false", "true"]) == 1,
            admission_closed: reader.choice("admission-failure", s.admission_failure, &["open", "closed"])
                == 1,
            server_names: reader
                .list("server-names", s.server_names.or_else(|| Some("localhost,127.0.0.1,::1".into()))),
            log: s.log.unwrap_or_else(|| "info".into()),
            log_json: reader.choice("log-format", s.log_format, &["text", "json"]) == 1,
            source,
        };
        reader.finish("weir-controller run --help")?;
        Ok(config)
    }
}

fn source(reader: &mut Reader, s: &Settings) -> Source {
    let text: String = reader.required("source", s.source.clone());
    match text.split_once(':') {
        None if text == "kubernetes" => Source::Kubernetes(s.kubeconfig.clone().map(PathBuf::from)),
        Some(("dir", path)) if !path.is_empty() => Source::Directory {
            objects: path.into(),
            state: reader.required("state-dir", s.state_dir.clone()),
        },
        _ => {
            if !text.is_empty() {
                let () = reader.wrong(format!("source: {text:?} is neither kubernetes nor dir:PATH"));
            }
            Source::Kubernetes(None)
        }
    }
}

fn index(reader: &mut Reader, s: &Settings, root_namespace: Arc<str>) -> weir_index::Config {
    let default = weir_index::Config::default();
    let excluded = s.exclude_namespaces.clone().unwrap_or_else(|| "kube-system".into());
    let excluded: Vec<String> = reader.list("exclude-namespaces", Some(excluded));
    let name = |value: &Option<String>, default: Arc<str>| value.as_deref().map_or(default, Into::into);
    let mut flag =
        |name: &str, value: &Option<String>| reader.choice(name, value.clone(), &["false", "true"]) == 1;
    weir_index::Config {
        cluster_id: name(&s.cluster_id, default.cluster_id.clone()),
        trust_domain: name(&s.trust_domain, default.trust_domain.clone()),
        cluster_domain: name(&s.cluster_domain, default.cluster_domain.clone()),
        network: name(&s.network, default.network.clone()),
        root_namespace,
        // In a directory the node's own settings say where pods are.
        node_pods: s.source.as_deref() == Some("kubernetes"),
        exclude_namespaces: excluded.into_iter().map(Arc::from).collect(),
        adopt_istio_classes: flag("adopt-istio-classes", &s.adopt_istio_classes),
        dry_run: flag("dry-run-policies", &s.dry_run_policies),
        waypoint_fallback_direct: flag("waypoint-fallback-direct", &s.waypoint_fallback_direct),
        waypoint_bypass: flag("waypoint-bypass", &s.waypoint_bypass),
        revision: revision(reader, s),
        ..default
    }
}

/// Which pods are ours in a cluster of several meshes.
fn revision(reader: &mut Reader, s: &Settings) -> Option<Arc<str>> {
    let revision = s.revision.as_deref().filter(|revision| !revision.is_empty())?;
    if s.source.as_deref() != Some("kubernetes") {
        let () =
            reader.wrong("revision: a directory is one mesh's; this is for --source kubernetes".to_owned());
    }
    Some(revision.into())
}

/// `namespace/name`.
struct Account(Arc<str>, Arc<str>);

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self(namespace.into(), name.into()))
            }
            _ => Err("not of the form NAMESPACE/NAME".into()),
        }
    }
}

fn node_accounts(reader: &mut Reader, value: Option<String>, root: &str) -> Vec<(Arc<str>, Arc<str>)> {
    let text = value.unwrap_or_else(|| format!("{root}/weir-agent,{root}/ztunnel"));
    reader
        .list("node-accounts", Some(text))
        .into_iter()
        .map(|Account(namespace, name)| (namespace, name))
        .collect()
}

impl Settings {
    /// What is set here, and else what is set in `other`.
    fn or(self, other: Self) -> Self {
        Self {
            source: self.source.or(other.source),
            kubeconfig: self.kubeconfig.or(other.kubeconfig),
            state_dir: self.state_dir.or(other.state_dir),
            cluster_id: self.cluster_id.or(other.cluster_id),
            trust_domain: self.trust_domain.or(other.trust_domain),
            cluster_domain: self.cluster_domain.or(other.cluster_domain),
            root_namespace: self.root_namespace.or(other.root_namespace),
            network: self.network.or(other.network),
            adopt_istio_classes: self.adopt_istio_classes.or(other.adopt_istio_classes),
            dry_run_policies: self.dry_run_policies.or(other.dry_run_policies),
            waypoint_fallback_direct: self.waypoint_fallback_direct.or(other.waypoint_fallback_direct),
            waypoint_bypass: self.waypoint_bypass.or(other.waypoint_bypass),
            waypoint_image: self.waypoint_image.or(other.waypoint_image),
            exclude_namespaces: self.exclude_namespaces.or(other.exclude_namespaces),
            revision: self.revision.or(other.revision),
            untaint_nodes: self.untaint_nodes.or(other.untaint_nodes),
            node_accounts: self.node_accounts.or(other.node_accounts),
            server_names: self.server_names.or(other.server_names),
            max_cert_lifetime: self.max_cert_lifetime.or(other.max_cert_lifetime),
            rotation_overlap: self.rotation_overlap.or(other.rotation_overlap),
            debounce: self.debounce.or(other.debounce),
            debounce_max: self.debounce_max.or(other.debounce_max),
            listen: self.listen.or(other.listen),
            monitoring: self.monitoring.or(other.monitoring),
            admission: self.admission.or(other.admission),
            admission_failure: self.admission_failure.or(other.admission_failure),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        options: RunOptions,
    }

    fn build(args: &[&str]) -> Result<Config, Problems> {
        let args = std::iter::once("run").chain(args.iter().copied());
        Config::build(&Flags::try_parse_from(args).unwrap().options)
    }

    #[test]
    fn a_revision_is_for_a_cluster_of_two_meshes() {
        let config = build(&["--source", "kubernetes", "--revision", "weir"]).unwrap();
        assert_eq!(config.index.revision.as_deref(), Some("weir"));
        let problems =
            build(&["--source", "dir:./mesh", "--state-dir", "/x", "--revision", "weir"]).unwrap_err();
        assert!(problems.to_string().contains("revision: "), "{problems}");
    }

    #[test]
    fn a_directory_is_enough() {
        let config = build(&["--source", "dir:./mesh", "--state-dir", "/var/lib/weir"]).unwrap();
        assert_eq!(
            config.source,
            Source::Directory { objects: "./mesh".into(), state: "/var/lib/weir".into() }
        );
        assert_eq!(config.admission, None);
        assert_eq!(config.ca.node_accounts[0], ("weir-system".into(), "weir-agent".into()));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let args =
            ["--source", "file:x", "--listen", "here", "--debounce", "1", "--node-accounts", "a,b/c/d"];
        let problems = build(&args).unwrap_err();
        assert_eq!(problems.iter().count(), 5, "{problems}");
    }

    #[test]
    fn kubernetes_has_a_webhook_unless_told() {
        assert!(build(&["--source", "kubernetes"]).unwrap().admission.is_some());
        assert!(build(&["--source", "kubernetes", "--admission", "none"]).unwrap().admission.is_none());
    }
}
