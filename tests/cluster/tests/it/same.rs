//! The same objects mean the same mesh, whichever source they come from.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::mpsc;
use weir_harness::kube_api::KubeApi;
use weir_index::{Config, Index, Layer7, ResourceKind};
use weir_resources::{Condition, Event};
use weir_sources::{Cluster, Directory};

/// What goes over the wire, and what objects are told, by name.
type Picture = BTreeMap<String, Vec<u8>>;

/// First all, then others, then what is left: lists, changes and deletions.
#[tokio::test]
async fn a_directory_and_a_cluster_publish_the_same() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (first, second, third) = (document("mesh.yaml")?, document("later.yaml")?, document("last.yaml")?);
    std::fs::write(dir.path().join("mesh.yaml"), &first)?;
    let (sender, events) = mpsc::channel(16);
    let directory = tokio::spawn(Directory::new(dir.path().to_path_buf()).run(sender));
    let mut from_files = Reader::new(events);

    let api = KubeApi::with_mesh_kinds()?;
    api.put_yaml(&first)?;
    let elsewhere = tempfile::tempdir()?;
    let cluster = Cluster::connect(Some(api.kubeconfig(elsewhere.path())?), None).await?;
    let (sender, events) = mpsc::channel(16);
    let health = cluster.health().clone();
    tokio::spawn(cluster.root_namespace("weir-system").run(sender));
    let mut from_cluster = Reader::new(events);

    from_files.until("all kinds", Index::is_synced).await.context("the directory")?;
    let synced = from_cluster.until("all kinds", Index::is_synced).await;
    synced.with_context(|| format!("the cluster: {:?}", health.report()))?;
    let picture = from_files.picture();
    same(&picture, &from_cluster.picture())?;
    for wanted in WANTED {
        ensure!(picture.contains_key(*wanted), "{wanted} is not in {:#?}", picture.keys());
    }
    ensure!(picture.len() > 50, "{} resources", picture.len());

    for (name, text, gone) in [("later", second, &[][..]), ("last", third, GONE)] {
        let mark = format!("shop/mark-{name}.example");
        std::fs::write(dir.path().join("mesh.yaml"), &text)?;
        for (resource, namespace, name) in gone {
            api.delete(resource, namespace, name)?;
        }
        api.put_yaml(&text)?;
        from_files
            .until(&mark, |index| index.snapshot().address(&mark).is_some())
            .await
            .context("the directory")?;
        from_cluster
            .until(&mark, |index| index.snapshot().address(&mark).is_some())
            .await
            .context("the cluster")?;
        // One kind overtakes another in a cluster.
        let wanted = from_files.picture();
        let caught_up = from_cluster.until("the same", |index| picture_of(index) == wanted).await;
        if let Err(error) = caught_up {
            same(&wanted, &from_cluster.picture()).context(name)?;
            return Err(error);
        }
    }
    directory.abort();
    Ok(())
}

fn document(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/same").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn same(files: &Picture, cluster: &Picture) -> Result<()> {
    let names = |picture: &Picture| picture.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(files), names(cluster));
    for (name, body) in files {
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        assert_eq!(text(body), text(&cluster[name]), "{name}");
    }
    Ok(())
}

/// An index that a source fills.
struct Reader {
    index: Index,
    events: mpsc::Receiver<Vec<Event>>,
}

impl Reader {
    fn new(events: mpsc::Receiver<Vec<Event>>) -> Self {
        Self { index: Index::new(Config::default()), events }
    }

    async fn until(&mut self, what: &str, is: impl Fn(&Index) -> bool) -> Result<()> {
        let wait = async {
            while !is(&self.index) {
                let batch = self.events.recv().await.context("the source ended")?;
                batch.into_iter().for_each(|event| self.index.apply(event));
                self.index.commit();
            }
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.with_context(|| format!("no {what}"))?
    }

    fn picture(&self) -> Picture {
        picture_of(&self.index)
    }
}

fn picture_of(index: &Index) -> Picture {
    let snapshot = index.snapshot();
    let mut picture = Picture::new();
    for resource in snapshot.addresses().chain(snapshot.authorizations()) {
        let what = match resource.kind {
            ResourceKind::Service => "service",
            ResourceKind::Workload => "workload",
            ResourceKind::Authorization => "policy",
            // A node's pods are a cluster's affair: a directory has none to tell.
            ResourceKind::Layer7(_) | ResourceKind::NodePod => continue,
        };
        let mut body = resource.body.to_vec();
        // By what it is found, and where it is.
        body.extend(
            format!("{:?} {:?} {:?}", resource.aliases, resource.node, resource.services).into_bytes(),
        );
        picture.insert(format!("{what} {}", resource.name), body);
    }
    for kind in Layer7::ALL {
        for resource in snapshot.all_layer7(kind) {
            picture.insert(format!("{kind:?} {}", resource.name), resource.body.to_vec());
        }
    }
    // Generations are counted otherwise.
    let said = |conditions: &[Condition]| {
        let said = conditions.iter().map(|c| [&c.kind, &c.status, &c.reason, &c.message].map(String::clone));
        said.collect::<Vec<_>>()
    };
    for update in index.statuses() {
        let parents = update.parents.iter().flatten();
        let parents: Vec<_> = parents.map(|(parent, conditions)| (parent, said(conditions))).collect();
        let conditions = said(&update.conditions);
        let told = format!("{conditions:?} {:?} {:?} {parents:?}", update.remove, update.addresses);
        picture.insert(format!("status {}", update.key), told.into_bytes());
    }
    for (namespace, name) in [("shop", "web-1"), ("shop", "done"), ("shop", "failed"), ("infra", "host")] {
        let pod = snapshot.pod(namespace, name).map(|pod| (&pod.service_account, &pod.node));
        picture.insert(format!("pod {namespace}/{name}"), format!("{pod:?}").into_bytes());
    }
    let runs = ["a", "b"].map(|node| (snapshot.has_node(node), snapshot.runs(node, "shop", "web")));
    picture.insert("nodes".to_owned(), format!("{runs:?}").into_bytes());
    picture
}

/// One of each sort, so that the input does not get poorer unnoticed.
const WANTED: &[&str] = &[
    "workload Kubernetes//Pod/shop/web-1",
    "workload Kubernetes//Pod/infra/host",
    "workload Kubernetes/networking.istio.io/WorkloadEntry/shop/vm",
    "workload Kubernetes/networking.istio.io/ServiceEntry/shop/db/172.16.0.9",
    "workload Kubernetes/networking.istio.io/ServiceEntry/shop/named/named.example",
    "workload Kubernetes/discovery.k8s.io/EndpointSlice/shop/outside-x/192.0.2.10",
    "service shop/web.shop.svc.cluster.local",
    "service shop/headless.shop.svc.cluster.local",
    "service shop/db.example",
    "service shop/named.example",
    "service shop/range.example",
    "service shop/chosen.example",
    "policy shop/only-web",
    "policy weir-system/everybody",
    "policy shop/converted_peer_authentication_strict-for-web",
    "policy weir-system/istio_converted_static_strict",
    "status AuthorizationPolicy shop/bad",
    "status ServiceEntry shop/unreadable",
    "status ServiceEntry shop/twin",
    "status Service shop/bound",
    "status WorkloadGroup shop/group",
    "status Gateway shop/wp",
    "status VirtualService shop/bound",
    "status DestinationRule shop/bound",
    "status HTTPRoute shop/twin",
    "status GRPCRoute shop/bound",
    "Waypoint shop/shop/wp",
    "Frontend shop/shop/bound.shop.svc.cluster.local",
    "Backend shop/shop/bound.shop.svc.cluster.local",
    "Endpoints shop/shop/bound.shop.svc.cluster.local",
];

/// Resources, namespaces and names that are in `later.yaml` and not in `last.yaml`.
const GONE: &[(&str, &str, &str)] = &[
    ("pods", "shop", "web-1"),
    ("services", "shop", "headless"),
    ("serviceentries", "shop", "db"),
    ("gateways", "shop", "wp"),
    ("authorizationpolicies", "weir-system", "everybody"),
    ("peerauthentications", "weir-system", "default"),
    ("endpointslices", "shop", "outside-x"),
    ("nodes", "", "b"),
];
