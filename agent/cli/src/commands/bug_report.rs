//! `weir bug-report`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Error, print};
use crate::cli::{Global, Outcome};
use crate::cluster::Cluster;
use crate::live::{self, ADMIN, MONITORING};
use crate::objects::Objects;
use crate::output::{self, Format};
use crate::progress::Progress;
use crate::status::{Places, Status};

/// Options of `weir bug-report`.
#[derive(Args)]
#[command(
    after_help = "Secrets are never asked for, and environment variables of pods are left out. Names, labels and addresses are in it: look before you send it."
)]
pub(crate) struct BugReport {
    /// Directory that is made for it.
    #[arg(long, value_name = "DIR", default_value = "weir-bug-report")]
    dir: PathBuf,
}

impl BugReport {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let cluster = global.cluster().await?;
        std::fs::create_dir(&self.dir).map_err(|error| {
            let dir = self.dir.display();
            Error::Refused(format!("cannot make the directory {dir}: {error}; --dir names another"))
        })?;
        let mut progress = Progress::start(global.quiet);
        let mut missing = Vec::new();
        progress.now("asking the processes");
        let namespace = &global.mesh_namespace;
        let places = Places::of(&cluster, namespace).await?;
        for (port, path, processes) in [
            (MONITORING, "/debug/connections", places.controllers.clone()),
            (MONITORING, "/debug/sources", places.controllers.clone()),
            (ADMIN, "/config_dump", places.agents.clone()),
            (ADMIN, "/connections", places.agents.clone()),
            (ADMIN, "/config_dump", places.waypoints.clone()),
        ] {
            for (process, page) in live::pages(Some(&cluster), processes, port, path).await {
                let name = format!(
                    "{}{}.json",
                    process.to_string().replace(['/', ':'], "_"),
                    path.replace('/', "_")
                );
                match page {
                    Ok(page) => self.write(&name, &page)?,
                    Err(why) => missing.push(why),
                }
            }
        }
        let status = Status::ask(Some(&cluster), places).await;
        self.write("status.json", &json!(status))?;
        progress.now("reading the configuration");
        self.objects(&cluster, namespace).await?;
        let version = cluster.version().await.unwrap_or_else(|error| error.to_string());
        self.write(
            "versions.json",
            &json!({"weir": crate::chart::VERSION, "cluster": version, "missing": missing}),
        )?;
        drop(progress);
        print(&format!("{}: {} pages could not be had\n", self.dir.display(), missing.len()))?;
        Ok(Outcome::Done)
    }

    async fn objects(&self, cluster: &Cluster, namespace: &str) -> Result<(), Error> {
        let objects = Objects::of(cluster).await?;
        let mut all: Vec<Value> = objects.items.into_iter().map(|item| item.object).collect();
        for (version, kind) in [("apps/v1", "DaemonSet"), ("apps/v1", "Deployment"), ("v1", "Event")] {
            all.extend(cluster.list(version, kind, namespace, "").await?);
        }
        all.iter_mut().for_each(without_secrets);
        self.write("objects.json", &Value::Array(all))
    }

    fn write(&self, name: &str, value: &Value) -> Result<(), Error> {
        let text = output::text(Format::Json, value, String::new)?;
        Ok(std::fs::write(Path::new(&self.dir).join(name), text)?)
    }
}

/// Takes out what people put secrets into though it is no place for them.
fn without_secrets(object: &mut Value) {
    match object {
        Value::Object(fields) => {
            for hidden in ["env", "managedFields", "kubectl.kubernetes.io/last-applied-configuration"] {
                fields.remove(hidden);
            }
            // A ConfigMap's texts are anybody's.
            let is_map = fields.get("kind").is_some_and(|kind| kind == "ConfigMap");
            if is_map {
                fields.remove("data");
                fields.remove("binaryData");
            }
            fields.values_mut().for_each(without_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(without_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_left_out() {
        let mut pod = json!({"kind": "Pod", "spec": {"containers": [{"name": "c", "env": [{"name": "PASSWORD", "value": "x"}]}]}});
        without_secrets(&mut pod);
        assert_eq!(pod, json!({"kind": "Pod", "spec": {"containers": [{"name": "c"}]}}));
        let mut map = json!({"kind": "ConfigMap", "data": {"a": "b"}, "metadata": {"name": "m"}});
        without_secrets(&mut map);
        assert_eq!(map, json!({"kind": "ConfigMap", "metadata": {"name": "m"}}));
    }
}
