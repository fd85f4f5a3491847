//! A Kubernetes cluster: all state is in its API, and of several replicas one at a time writes there.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use weir_identity::ca::{CaAuthority, MaterialStore};
use weir_render::Settings as WaypointSettings;
use weir_serve::Store;
use weir_sources::{
    Cluster, LeaderConfig, LeaderElection, Reviewer, RootConfigMaps, SecretStore, StatusWriter, Target,
    Waypoints, Webhook,
};

use super::seat::Seat;
use super::secret::CaSecret;
use super::tokens::Tokens;
use super::{BATCHES, Backing, Tasks};
use crate::config::Config;
use crate::mesh::{Runner, Statuses};
use crate::nodes;
use crate::placement::Placed;

pub(super) async fn open(
    config: &Config,
    kubeconfig: Option<PathBuf>,
    store: &Store,
    registry: &mut Registry,
    tasks: &mut Tasks,
) -> anyhow::Result<Backing> {
    let root = config.index.root_namespace.clone();
    let cluster = Cluster::connect(kubeconfig, None).await?.root_namespace(&root);
    cluster.answers().await;
    let authority = authority(config, &cluster, &root).await?;

    let (sender, events) = mpsc::channel(BATCHES);
    let (secrets, wanted) = watch::channel(BTreeSet::new());
    spawn(tasks, "reading secrets", cluster.clone().follow_secrets(wanted, sender.clone()));
    spawn(tasks, "reading the cluster", cluster.clone().run(sender));
    let writer = StatusWriter::new(&cluster);
    spawn(tasks, "writing statuses", writer.clone().run());

    let election = LeaderElection::new(&cluster, LeaderConfig::new(&root, "weir-controller", &identity()));
    let leads = election.leading();
    let seat = Seat::take(election, tasks);
    let may_rotate = leads.clone();
    let rotation = authority.clone();
    spawn(tasks, "the rotation of the CA", async move { rotation.run(move || *may_rotate.borrow()).await });
    publish_roots(config, &cluster, &authority, &leads, tasks);
    let waypoints = run_waypoints(config, &cluster, &leads, tasks);

    let pods = nodes::teller(&cluster, config.untaint_nodes, tasks);

    let verifier = verifier(&cluster, store, registry, tasks);
    tracing::info!(root_namespace = %root, "reading a Kubernetes cluster");
    Ok(Backing {
        authority,
        verifier: Arc::new(verifier),
        node_tokens: false,
        events,
        statuses: Statuses::Written { writer, elected: leads.clone() },
        waypoints: Some(waypoints),
        pods: Some(pods),
        board: None,
        sources: Some(cluster.health().clone()),
        secrets: Some(secrets),
        leads,
        seat: Some(seat),
    })
}

/// The user's own CA, if there is a Secret with it (Istio's name); else one that the first replica makes.
async fn authority(config: &Config, cluster: &Cluster, root: &str) -> anyhow::Result<CaAuthority> {
    let store = |name: &str| CaSecret {
        secret: SecretStore::new(cluster, root, name),
        name: format!("{root}/{name}"),
    };
    let users = store("cacerts");
    let chosen = if users.load().await?.is_some() { users } else { store("weir-ca") };
    Ok(CaAuthority::open_or_create(Arc::new(chosen), super::authority(config)).await?)
}

/// Who believes tokens, with the cluster's keys for when the API server is away.
fn verifier(cluster: &Cluster, store: &Store, registry: &mut Registry, tasks: &mut Tasks) -> Tokens {
    let tokens = Tokens::new(Reviewer::new(cluster), Arc::new(Placed(store.clone())), registry);
    let (sender, keys) = watch::channel(None);
    spawn(tasks, "reading the token keys", cluster.clone().follow_token_keys(READ_KEYS, sender));
    spawn(tasks, "holding the token keys", tokens.hold(keys));
    tokens
}

/// Tells the cluster what to trust: every namespace's pods, and the API server where it calls our webhook.
fn publish_roots(
    config: &Config,
    cluster: &Cluster,
    authority: &CaAuthority,
    leads: &watch::Receiver<bool>,
    tasks: &mut Tasks,
) {
    let (sender, roots) = watch::channel::<Arc<str>>(authority.roots_pem().into());
    let (source, mut changes) = (authority.clone(), authority.changes());
    spawn(tasks, "following the CA", async move {
        while changes.changed().await.is_ok() {
            sender.send_replace(source.roots_pem().into());
        }
    });
    let maps = RootConfigMaps::new(cluster, "istio-ca-root-cert", leads.clone(), roots.clone());
    spawn(tasks, "publishing the roots", maps.run());
    if config.admission.is_some() {
        let webhook = keep_webhook(config, cluster.clone(), leads.clone(), roots);
        spawn(tasks, "publishing the webhook", webhook);
    }
}

/// Runs waypoints' Gateways, while this replica leads.
fn run_waypoints(
    config: &Config,
    cluster: &Cluster,
    leads: &watch::Receiver<bool>,
    tasks: &mut Tasks,
) -> Runner {
    let settings = WaypointSettings {
        image: config.waypoint_image.clone(),
        // One of the names that our certificate has.
        control: format!("https://weir-controller.{}.svc:15012", config.index.root_namespace),
        cluster_id: config.index.cluster_id.to_string(),
    };
    let (wishes, wanted) = watch::channel(None);
    let (sender, reports) = mpsc::channel(BATCHES);
    let waypoints = Waypoints::new(cluster, settings, leads.clone(), wanted, sender);
    spawn(tasks, "running waypoints", waypoints.run());
    Runner { wishes, reports }
}

/// Keeps the webhook's configuration as it should be, while this replica leads.
fn keep_webhook(
    config: &Config,
    cluster: Cluster,
    mut leads: watch::Receiver<bool>,
    mut roots: watch::Receiver<Arc<str>>,
) -> impl Future<Output = ()> + Send + use<> {
    let (namespace, fail_closed) = (config.index.root_namespace.to_string(), config.admission_closed);
    let only = config.index.revision.as_ref().map(|name| ("istio.io/rev".to_owned(), name.to_string()));
    async move {
        while leads.wait_for(|leads| *leads).await.is_ok() {
            let webhook = Webhook {
                name: "weir-controller".into(),
                target: Target::Service {
                    namespace: namespace.clone(),
                    name: "weir-controller".into(),
                    port: 443,
                },
                path: "/validate".into(),
                ca_bundle: roots.borrow_and_update().to_string(),
                fail_closed,
                only: only.clone(),
            };
            if let Err(error) = webhook.write(&cluster).await {
                tracing::warn!("the webhook's configuration is not written: {error}");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            tokio::select! {
                changed = roots.changed() => if changed.is_err() { return },
                changed = leads.changed() => if changed.is_err() { return },
                // Somebody may have changed or deleted it; to apply what is there already changes nothing.
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }
}

/// Nobody else has it, and no earlier life of this process.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_{:016x}", host.trim(), RandomState::new().hash_one(std::process::id()))
}

/// Work that must not end while the process lives.
fn spawn(tasks: &mut Tasks, what: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(async move {
        work.await;
        anyhow::anyhow!("{what} ended")
    });
}

/// A new key is in use by many tokens only long after it is published.
const READ_KEYS: std::time::Duration = std::time::Duration::from_secs(600);
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(60);
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);
