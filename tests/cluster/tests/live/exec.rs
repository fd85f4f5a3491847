//! Programs run in pods that run already: what they do is done as the pod.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::cluster::Cluster;
use crate::watch::LONG;

/// What a program left.
pub(crate) struct Ended {
    /// It succeeded.
    pub(crate) is_well: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cluster {
    /// Runs a program in the container `main` of a pod, to its end.
    pub(crate) fn exec(&self, namespace: &str, pod: &str, command: &[&str]) -> Result<Ended> {
        let api: Api<Pod> = Api::namespaced(self.client(), namespace);
        let run = async {
            let params = AttachParams::default().container("main").stdin(false).stdout(true).stderr(true);
            let mut process = api.exec(pod, command.iter().copied(), &params).await?;
            let (out, err) = (process.stdout(), process.stderr());
            let status = process.take_status().context("no status")?;
            let (out, err, status) = tokio::join!(all(out), all(err), status);
            let status = status.context("the kubelet does not say how it ended")?;
            anyhow::Ok(Ended { is_well: status.status.as_deref() == Some("Success"), out: out?, err: err? })
        };
        let ended = self.block_on(async { tokio::time::timeout(LONG, run).await });
        ended
            .with_context(|| format!("it did not end within {LONG:?}"))
            .flatten()
            .with_context(|| format!("running {} in pod {namespace}/{pod}", command.join(" ")))
    }
}

impl Ended {
    /// What it printed, if it succeeded.
    pub(crate) fn success(self) -> Result<String> {
        ensure!(self.is_well, "it failed: {}{}", self.out, self.err);
        Ok(self.out)
    }
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        stream.read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
