//! The Kubernetes API of the test harness.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use weir_harness::kube_api::{KubeApi, TokenOwner};

use crate::mesh::{Mesh, ROOT, node_name, pod};

pub(super) struct Api {
    api: KubeApi,
    kubeconfig: PathBuf,
    dir: PathBuf,
}

impl Api {
    pub(super) fn make(mesh: Mesh, dir: &Path) -> Result<Self> {
        let api = KubeApi::with_mesh_kinds()?;
        api.bookmark_every(Duration::from_secs(60));
        for object in mesh.common() {
            api.put(object)?;
        }
        for service in 0..mesh.services() {
            for object in mesh.service(service, |_| false) {
                api.put(object)?;
            }
        }
        // A list follows; nobody needs to know how it came about.
        api.compact();
        let kubeconfig = api.kubeconfig(dir)?;
        Ok(Self { api, kubeconfig, dir: dir.to_owned() })
    }

    pub(super) fn flags(&self) -> Vec<String> {
        let kubeconfig = self.kubeconfig.to_string_lossy().into_owned();
        ["--source", "kubernetes", "--kubeconfig", &kubeconfig].map(str::to_owned).to_vec()
    }

    /// The controller puts its root where pods find it.
    pub(super) async fn roots(&self) -> Result<PathBuf> {
        let begun = Instant::now();
        loop {
            let map = self.api.get("configmaps", ROOT, "istio-ca-root-cert");
            if let Some(pem) = map.as_ref().and_then(|map| map["data"]["root-cert.pem"].as_str()) {
                let path = self.dir.join("root-cert.pem");
                std::fs::write(&path, pem).with_context(|| format!("cannot write {}", path.display()))?;
                return Ok(path);
            }
            if begun.elapsed() > PATIENCE {
                bail!("the controller has not published its root after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) fn token(&self, agent: usize, node: usize) -> Result<PathBuf> {
        // The form of a bound token; what it says of its end is read before it is reviewed.
        let token = format!("{HEADER}.{CLAIMS}.agent-{agent}-{node}");
        let owner = TokenOwner {
            namespace: ROOT.to_owned(),
            service_account: "weir-agent".to_owned(),
            pod: Some((format!("weir-agent-{agent}"), format!("00000000-0000-4000-a000-{agent:012x}"))),
            node: Some(node_name(node)),
            audiences: vec!["istio-ca".to_owned()],
        };
        self.api.token(&token, owner);
        let path = self.dir.join(format!("token-{agent}-{node}"));
        std::fs::write(&path, &token).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    pub(super) fn put_pod(&self, n: usize, ready: bool) -> Result<()> {
        self.api.put(pod(n, ready)).map(drop)
    }

    pub(super) fn writes(&self) -> usize {
        self.api.writes().len()
    }
}

/// `{"alg":"RS256"}`
const HEADER: &str = "eyJhbGciOiJSUzI1NiJ9";
/// `{"exp":9999999999}`
const CLAIMS: &str = "eyJleHAiOjk5OTk5OTk5OTl9";
/// How long the root may take.
const PATIENCE: Duration = Duration::from_secs(60);
