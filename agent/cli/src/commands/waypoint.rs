//! `weir waypoint`.

use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Error, print};
use crate::cli::{Global, Outcome};
use crate::cluster::{Cluster, ObjectRef, Write};
use crate::output::{self, Format};
use crate::progress::Progress;

/// Commands of `weir waypoint`.
#[derive(Subcommand)]
pub(crate) enum Waypoint {
    /// Make a waypoint in a namespace, or make it what the flags say.
    Apply(Apply),
    /// Print a waypoint's Gateway, as YAML.
    Generate(Generate),
    /// List the waypoints.
    List(List),
    /// Show how a waypoint stands, and who uses it.
    Status(StatusOptions),
    /// Delete waypoints.
    Delete(Delete),
}

/// For which traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum For {
    /// To services.
    Service,
    /// To pods' own addresses.
    Workload,
    /// To both.
    All,
    /// None; it is there and not used.
    None,
}

/// Which waypoint.
#[derive(Args, Clone)]
struct Which {
    /// Its namespace.
    #[arg(long, short, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// Its name.
    #[arg(long, value_name = "NAME", default_value = "waypoint")]
    name: String,
    /// What traffic it is for. [default: service]
    #[arg(long = "for", value_name = "TRAFFIC")]
    traffic: Option<For>,
}

/// Options of `weir waypoint apply`.
#[derive(Args)]
#[command(after_help = "  weir waypoint apply -n shop --enroll-namespace --wait")]
pub(crate) struct Apply {
    #[command(flatten)]
    which: Which,
    /// Let all services of the namespace use it (label istio.io/use-waypoint).
    #[arg(long)]
    enroll_namespace: bool,
    /// Let it be used though another waypoint is named by the namespace's label.
    #[arg(long)]
    overwrite: bool,
    /// Wait until it runs.
    #[arg(long, short)]
    wait: bool,
    /// How long to wait, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "90")]
    timeout: u64,
}

/// Options of `weir waypoint generate`.
#[derive(Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    which: Which,
}

/// Options of `weir waypoint list`.
#[derive(Args)]
pub(crate) struct List {
    /// Only of this namespace.
    #[arg(long, short, value_name = "NAME")]
    namespace: Option<String>,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

/// Options of `weir waypoint status`.
#[derive(Args)]
#[command(after_help = "Exits with 2 if it does not run.")]
pub(crate) struct StatusOptions {
    /// Its name.
    #[arg(default_value = "waypoint")]
    name: String,
    /// Its namespace.
    #[arg(long, short, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

/// Options of `weir waypoint delete`.
#[derive(Args)]
#[command(
    after_help = "What still asks for a waypoint that is not there is refused: take the label istio.io/use-waypoint away first, or --unlabel."
)]
pub(crate) struct Delete {
    /// Their names.
    names: Vec<String>,
    /// Their namespace.
    #[arg(long, short, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// All of the namespace.
    #[arg(long)]
    all: bool,
    /// Take the namespace's label away, if it names one of them.
    #[arg(long)]
    unlabel: bool,
}

/// How a waypoint stands.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    namespace: String,
    name: String,
    class: String,
    traffic: String,
    programmed: bool,
    message: String,
}

impl Waypoint {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        match self {
            Self::Apply(options) => options.run(global).await,
            Self::Generate(options) => {
                print(&output::yaml(&options.which.gateway())?)?;
                Ok(Outcome::Done)
            }
            Self::List(options) => options.run(global).await,
            Self::Status(options) => options.run(global).await,
            Self::Delete(options) => options.run(global).await,
        }
    }
}

impl Which {
    /// A Gateway of Weir's class, as Istio's tools write theirs.
    fn gateway(&self) -> Value {
        let mut metadata = json!({"name": self.name, "namespace": self.namespace});
        if let Some(traffic) = self.traffic.and_then(|traffic| traffic.to_possible_value()) {
            metadata["labels"] = json!({FOR: traffic.get_name()});
        }
        json!({
            "apiVersion": GATEWAY, "kind": "Gateway", "metadata": metadata,
            "spec": {"gatewayClassName": CLASS, "listeners": [{"name": "mesh", "port": 15008, "protocol": "HBONE"}]},
        })
    }
}

impl Apply {
    async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let cluster = global.cluster().await?;
        let namespace = ObjectRef::new("v1", "Namespace", "", &self.which.namespace);
        let labelled = cluster.get(&namespace).await?.ok_or_else(|| Error::Absent(namespace.clone()))?;
        let named = labelled["metadata"]["labels"][USE].as_str().unwrap_or_default();
        if self.enroll_namespace
            && !self.overwrite
            && !matches!(named, "" | "none")
            && named != self.which.name
        {
            return Err(Error::Refused(format!(
                "{namespace} uses waypoint {named} (label {USE}); --overwrite makes it use {}",
                self.which.name
            )));
        }
        let gateway = self.which.gateway();
        cluster.apply(&gateway, Write::Really).await?;
        let about = ObjectRef::of(&gateway);
        let mut text = format!("{about} applied\n");
        if self.enroll_namespace {
            cluster.merge(&namespace, &json!({"metadata": {"labels": {USE: self.which.name}}})).await?;
            text += &format!("{namespace} labelled {USE}={}\n", self.which.name);
        }
        if self.wait {
            let mut progress = Progress::start(global.quiet);
            until_programmed(&cluster, &about, Duration::from_secs(self.timeout), &mut progress).await?;
            text += &format!("{about} is programmed\n");
        }
        print(&text)?;
        Ok(Outcome::Done)
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let cluster = global.cluster().await?;
        let gateways =
            cluster.list(GATEWAY, "Gateway", self.namespace.as_deref().unwrap_or_default(), "").await?;
        let waypoints: Vec<_> =
            gateways.iter().filter(|gateway| is_waypoint(gateway)).map(standing).collect();
        print(&output::text(self.output, &waypoints, || table(&waypoints))?)?;
        Ok(Outcome::Done)
    }
}

impl StatusOptions {
    async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let cluster = global.cluster().await?;
        let about = ObjectRef::new(GATEWAY, "Gateway", &self.namespace, &self.name);
        let gateway = cluster.get(&about).await?.ok_or(Error::Absent(about))?;
        let standing = standing(&gateway);
        let users = users(&cluster, &self.namespace, &self.name).await?;
        let value = json!({"waypoint": standing, "usedBy": users});
        let people = || {
            let mut text = table(std::slice::from_ref(&standing));
            if !users.is_empty() {
                let rows = users.iter().map(|user| [&user.kind, &user.namespace, &user.name]);
                text += "\n";
                text += &output::table(&["USED BY", "NAMESPACE", "NAME"], rows);
            }
            text
        };
        print(&output::text(self.output, &value, people)?)?;
        Ok(if standing.programmed { Outcome::Done } else { Outcome::Found })
    }
}

impl Delete {
    async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let cluster = global.cluster().await?;
        let mut names = self.names.clone();
        if self.all {
            let gateways = cluster.list(GATEWAY, "Gateway", &self.namespace, "").await?;
            let all = gateways
                .iter()
                .filter(|gateway| is_waypoint(gateway))
                .map(|gateway| ObjectRef::of(gateway).name);
            names.extend(all);
        }
        if names.is_empty() {
            return Err(Error::Refused("name the waypoints to delete, or give --all".into()));
        }
        let mut text = String::new();
        let namespace = ObjectRef::new("v1", "Namespace", "", &self.namespace);
        let labelled = cluster.get(&namespace).await?.unwrap_or_default();
        let named = labelled["metadata"]["labels"][USE].as_str().unwrap_or_default();
        for name in names {
            let about = ObjectRef::new(GATEWAY, "Gateway", &self.namespace, &name);
            let gateway = cluster.get(&about).await?.ok_or_else(|| Error::Absent(about.clone()))?;
            if !is_waypoint(&gateway) {
                return Err(Error::Refused(format!(
                    "{about} is no waypoint of Weir's (class {})",
                    gateway["spec"]["gatewayClassName"]
                )));
            }
            if named == name && self.unlabel {
                cluster.merge(&namespace, &json!({"metadata": {"labels": {USE: null}}})).await?;
                text += &format!("{namespace} uses no waypoint any more\n");
            } else if named == name {
                text += &format!(
                    "{namespace} still asks for it: traffic to its services is refused (label {USE})\n"
                );
            }
            cluster.delete(&about).await?;
            text += &format!("{about} deleted\n");
        }
        print(&text)?;
        Ok(Outcome::Done)
    }
}

fn is_waypoint(gateway: &Value) -> bool {
    gateway["spec"]["gatewayClassName"] == CLASS
}

fn standing(gateway: &Value) -> Standing {
    let about = ObjectRef::of(gateway);
    let mut conditions = gateway["status"]["conditions"].as_array().into_iter().flatten();
    let programmed = conditions.find(|condition| condition["type"] == "Programmed");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = match programmed {
        None => "no controller has looked at it yet".to_owned(),
        Some(condition) => {
            format!("{} {}", text(&condition["reason"]), text(&condition["message"])).trim_end().to_owned()
        }
    };
    Standing {
        namespace: about.namespace,
        name: about.name,
        class: text(&gateway["spec"]["gatewayClassName"]),
        traffic: gateway["metadata"]["labels"][FOR].as_str().unwrap_or("service").to_owned(),
        programmed: programmed.is_some_and(|condition| condition["status"] == "True"),
        message,
    }
}

fn table(all: &[Standing]) -> String {
    let rows = all.iter().map(|one| {
        [
            one.namespace.as_str(),
            &one.name,
            &one.traffic,
            if one.programmed { "True" } else { "False" },
            &one.message,
        ]
    });
    output::table(&["NAMESPACE", "NAME", "FOR", "PROGRAMMED", "MESSAGE"], rows)
}

/// What names it by label.
async fn users(cluster: &Cluster, namespace: &str, name: &str) -> Result<Vec<ObjectRef>, Error> {
    let mut users = Vec::new();
    for (version, kind) in
        [("v1", "Namespace"), ("v1", "Service"), ("networking.istio.io/v1", "ServiceEntry"), ("v1", "Pod")]
    {
        for object in cluster.list(version, kind, "", &format!("{USE}={name}")).await? {
            let about = ObjectRef::of(&object);
            let own = if kind == "Namespace" { &about.name } else { &about.namespace };
            let meant = object["metadata"]["labels"][USE_NAMESPACE].as_str().unwrap_or(own);
            if meant == namespace {
                users.push(about);
            }
        }
    }
    Ok(users)
}

async fn until_programmed(
    cluster: &Cluster,
    about: &ObjectRef,
    limit: Duration,
    progress: &mut Progress,
) -> Result<(), Error> {
    let begin = Instant::now();
    loop {
        let standing = standing(&cluster.get(about).await?.unwrap_or_default());
        if standing.programmed {
            return Ok(());
        }
        if begin.elapsed() >= limit {
            let seconds = limit.as_secs();
            return Err(Error::Refused(format!(
                "{about} is not programmed after {seconds} s: {}",
                standing.message
            )));
        }
        progress.now(&format!("waiting for {about}: {}", standing.message));
        tokio::time::sleep(PAUSE).await;
    }
}

const GATEWAY: &str = "gateway.networking.k8s.io/v1";
const CLASS: &str = "weir-waypoint";
const USE: &str = "istio.io/use-waypoint";
const USE_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
const FOR: &str = "istio.io/waypoint-for";
const PAUSE: Duration = Duration::from_millis(500);
