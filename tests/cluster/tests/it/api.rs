//! The API under test: a real cluster, or the harness's.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use weir_harness::kube_api::KubeApi;
use weir_harness::until_ok;

use crate::rights;

/// Longer than a cluster takes for anything here: a lease that nobody gave back, and the rest.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// An API, and a namespace in it that is this story's own.
pub(crate) struct ApiUnderTest {
    backend: Backend,
    /// The story's namespace; also the mesh's root namespace.
    pub(crate) namespace: String,
    /// Of a controller, with the rights of `deploy/chart/weir/files/controller-rbac.yaml` and no others.
    pub(crate) kubeconfig: PathBuf,
    /// The story's own.
    admin: PathBuf,
    dir: TempDir,
}

enum Backend {
    /// In this process; can be told to misbehave.
    Fake(KubeApi),
    /// By kubectl. One story at a time, in whatever process: each brings its own root into every namespace.
    Real { _turn: File },
}

impl ApiUnderTest {
    /// The cluster of `$KUBECONFIG`, else a fake one.
    pub(crate) fn new(story: &str) -> Result<Self> {
        match std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()) {
            Some(path) => {
                let turn = File::create(std::env::temp_dir().join("weir-cluster-tests.lock"))?;
                turn.lock()?;
                Self::with(story, Backend::Real { _turn: turn }, Some(path.into()))
            }
            None => Self::fake(story),
        }
    }

    /// The one that misbehaves, whatever `$KUBECONFIG` says.
    pub(crate) fn fake(story: &str) -> Result<Self> {
        Self::with(story, Backend::Fake(KubeApi::start()?), None)
    }

    fn with(story: &str, backend: Backend, kubeconfig: Option<PathBuf>) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::tempdir()?;
        let admin = match (kubeconfig, &backend) {
            (Some(path), _) => path,
            (None, Backend::Fake(api)) => api.kubeconfig(dir.path())?,
            (None, Backend::Real { .. }) => bail!("no kubeconfig"),
        };
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("weir-test-{story}-{}-{n}", std::process::id());
        let mut api = Self { backend, namespace, kubeconfig: admin.clone(), admin, dir };
        api.define_kinds()?;
        let rights = rights::manifest(&api.namespace)?;
        for object in &rights {
            api.apply(object)?;
        }
        match &api.backend {
            Backend::Fake(fake) => fake.grant(&rights),
            Backend::Real { .. } => api.kubeconfig = api.controllers_kubeconfig()?,
        }
        Ok(api)
    }

    /// As the story's own, by a token of the controller's service account.
    fn controllers_kubeconfig(&self) -> Result<PathBuf> {
        let account = ["create", "token", rights::ACCOUNT, "-n", &self.namespace, "--duration", "1h"];
        let token = self.kubectl(&account, "")?;
        // An API server hears of new rights a moment later; a controller that begins before that would end.
        let who = format!("system:serviceaccount:{}:{}", self.namespace, rights::ACCOUNT);
        let may = |what: &str, wide: &str| {
            self.kubectl(&["auth", "can-i", "get", what, "-n", &self.namespace, "--as", &who], "")?;
            self.kubectl(&["auth", "can-i", "list", wide, "-A", "--as", &who], "")
        };
        until_ok("the controller's rights", LONG, || may("secrets/weir-ca", "pods"))?;
        let view = self.kubectl(&["config", "view", "--minify", "--flatten", "--raw", "-o", "json"], "")?;
        let mut config: Value = serde_json::from_str(&view)?;
        for user in config["users"].as_array_mut().into_iter().flatten() {
            user["user"] = json!({"token": token.trim()});
        }
        let path = self.dir.path().join("controller.yaml");
        std::fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// The harness's server, for faults.
    pub(crate) fn faulty(&self) -> &KubeApi {
        match &self.backend {
            Backend::Fake(api) => api,
            Backend::Real { .. } => panic!("a real cluster does not misbehave to order"),
        }
    }

    /// As `kubectl apply`.
    pub(crate) fn apply(&self, object: &Value) -> Result<()> {
        match &self.backend {
            Backend::Fake(api) => api.put(object.clone()).map(drop),
            Backend::Real { .. } => {
                self.kubectl(&["apply", "--validate=false", "-f", "-"], &object.to_string()).map(drop)
            }
        }
    }

    /// An object of the story's namespace; `None`: it is not there.
    pub(crate) fn get(&self, resource: &str, name: &str) -> Result<Option<Value>> {
        match &self.backend {
            Backend::Fake(api) => Ok(api.get(resource, &self.namespace, name)),
            Backend::Real { .. } => {
                let args = ["get", resource, name, "-n", &self.namespace, "-o", "json", "--ignore-not-found"];
                let text = self.kubectl(&args, "")?;
                if text.trim().is_empty() { Ok(None) } else { Ok(Some(serde_json::from_str(&text)?)) }
            }
        }
    }

    fn define_kinds(&self) -> Result<()> {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart/weir/files/crds/istio.yaml");
        match &self.backend {
            Backend::Fake(api) => api.put_yaml(&std::fs::read_to_string(path)?),
            // Those that are there are somebody's, with their schemas.
            Backend::Real { .. } => {
                let there = self.kubectl(&["get", "customresourcedefinitions", "-o", "name"], "")?;
                if there.contains("authorizationpolicies.security.istio.io") {
                    return Ok(());
                }
                let file = path.to_string_lossy();
                self.kubectl(&["apply", "--validate=false", "-f", &file], "")?;
                self.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &file], "")?;
                Ok(())
            }
        }
    }

    fn kubectl(&self, args: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.admin).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("kubectl is needed for a real cluster")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for ApiUnderTest {
    fn drop(&mut self) {
        if let Backend::Real { .. } = self.backend {
            let maps = ["delete", "configmaps", "-A", "-l", "app.kubernetes.io/part-of=weir", "--wait=false"];
            let rights = rights::cluster_wide(&self.namespace);
            let rights = ["delete", "clusterroles,clusterrolebindings", &rights, "--ignore-not-found"];
            let own = ["delete", "namespaces", &self.namespace, "--wait=false"];
            let ends: [&[&str]; 3] = [&own, &maps, &rights];
            for end in ends {
                if let Err(error) = self.kubectl(end, "") {
                    eprintln!("something is left in the cluster: {error:#}");
                }
            }
        }
    }
}
