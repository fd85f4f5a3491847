//! `weir install` and `weir upgrade`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Error, print};
use crate::chart::{self, Manifest, Release, VERSION, Values};
use crate::cli::{Global, Outcome};
use crate::cluster::{Cluster, ObjectRef};
use crate::install::{self, InstallError, Inventory, Plan, Step};
use crate::output::{self, Format};
use crate::progress::Progress;

/// Which values.
#[derive(Args, Clone)]
pub(crate) struct Chosen {
    /// Profile to begin with; `weir profile list` has them. [default: default]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// File of values over the profile's; - is standard input. May be given several times, the last wins.
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// A single value over those of files: NAME=VALUE, with dots in the name. May be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

/// How it is done.
#[derive(Args, Clone)]
pub(crate) struct How {
    /// Say what would be done with each object, and do nothing. The API server is asked.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not wait until it runs.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long to wait, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub(crate) timeout: u64,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Options of `weir install`.
#[derive(Args)]
#[command(
    after_help = "Doing it again changes what is not as the flags say, and nothing else; what a flag no longer asks for is taken away.\n\n  \
weir install --profile demo\n  weir install --set mesh.trustDomain=example.com --set controller.replicas=3\n  weir install --dry-run -f values.yaml"
)]
pub(crate) struct Install {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    how: How,
    /// Go back to an older version.
    #[arg(long)]
    force: bool,
}

/// Options of `weir upgrade`.
#[derive(Args)]
#[command(
    after_help = "The values of the installation stay, with what --set and -f say over them. The next agent of each node starts before the last one\n\
stops, and the holder keeps what listens meanwhile: new connections wait, none fails.\n\n  weir upgrade --dry-run\n  weir upgrade --set log.filter=debug"
)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    chosen: Chosen,
    /// Forget the installation's values; begin with the profile's.
    #[arg(long)]
    reset_values: bool,
    #[command(flatten)]
    how: How,
    /// Go back to an older version.
    #[arg(long)]
    force: bool,
}

impl Chosen {
    pub(crate) fn values(&self) -> Result<Values, Error> {
        let values = Values::build(self.profile.as_deref(), &self.files, &self.set)?;
        Ok(values.with("namespace.create=true")?)
    }
}

impl Install {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let values = self.chosen.values()?;
        let cluster = global.cluster().await?;
        install::refuse_helm(&cluster, &global.mesh_namespace, "upgrade").await?;
        let before = match Inventory::read(&cluster, &global.mesh_namespace).await {
            // It is written anew; what it knew is unknown.
            Err(InstallError::Inventory { .. }) => None,
            before => before?,
        };
        carry_out(&cluster, global, values, before, &self.how, self.force).await
    }
}

impl Upgrade {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let cluster = global.cluster().await?;
        install::refuse_helm(&cluster, &global.mesh_namespace, "upgrade").await?;
        let before = Inventory::read(&cluster, &global.mesh_namespace).await?;
        let not_installed = || InstallError::NotInstalled { namespace: global.mesh_namespace.clone() };
        let before = before.ok_or_else(not_installed)?;
        let is_anew = self.reset_values || self.chosen.profile.is_some();
        let values = if is_anew {
            self.chosen.values()?
        } else {
            Values::over(before.values.clone(), &self.chosen.files, &self.chosen.set)?
        };
        carry_out(&cluster, global, values, Some(before), &self.how, self.force).await
    }
}

async fn carry_out(
    cluster: &Cluster,
    global: &Global,
    values: Values,
    before: Option<Inventory>,
    how: &How,
    force: bool,
) -> Result<Outcome, Error> {
    let namespace = &global.mesh_namespace;
    let mut progress = Progress::start(global.quiet);
    if let Some(before) = &before
        && is_newer(&before.version, VERSION)
        && !force
    {
        return Err(InstallError::Newer { installed: before.version.clone(), own: VERSION }.into());
    }
    let installed = before.map(|before| before.objects).unwrap_or_default();
    let plan = plan(cluster, namespace, &values, &installed).await?;
    for node in install::old_kernels(cluster).await {
        progress.say(&format!("warning: {node}"));
    }
    if how.dry_run {
        let steps = install::preview(cluster, &plan).await?;
        drop(progress);
        print(&output::text(how.output, &steps, || steps_table(&steps))?)?;
        return Ok(Outcome::Done);
    }
    let inventory =
        Inventory { version: VERSION.into(), values: values.as_json().clone(), objects: Vec::new() };
    let steps = install::apply(cluster, namespace, &plan, inventory, &mut progress).await?;
    if !how.no_wait {
        let objects: Vec<_> = plan.objects().cloned().collect();
        install::wait(cluster, &objects, Duration::from_secs(how.timeout), &mut progress).await?;
    }
    drop(progress);
    print(&output::text(how.output, &steps, || {
        format!("{}{}", steps_table(&steps), farewell(how, namespace))
    })?)?;
    Ok(Outcome::Done)
}

/// What is to be done in this cluster.
pub(super) async fn plan(
    cluster: &Cluster,
    namespace: &str,
    values: &Values,
    installed: &[ObjectRef],
) -> Result<Plan, Error> {
    let mut release = Release::new(namespace);
    let class = ("gateway.networking.k8s.io/v1", "GatewayClass");
    if values.is_on("/crds/gatewayAPI") || cluster.serves(class.0, class.1).await? {
        release.api_versions.push(format!("{}/{}", class.0, class.1));
    }
    let manifests = chart::render(values, &release)?;
    let foreign = foreign(cluster, &manifests).await?;
    Ok(Plan::new(manifests, installed, &foreign))
}

/// Definitions that are there and not ours: they know more than our stand-ins.
async fn foreign(cluster: &Cluster, manifests: &[Manifest]) -> Result<Vec<ObjectRef>, Error> {
    let mut foreign = Vec::new();
    for manifest in manifests.iter().filter(|manifest| manifest.object["kind"] == "CustomResourceDefinition")
    {
        let object = ObjectRef::of(&manifest.object);
        let live = cluster.get(&object).await?;
        if live.is_some_and(|live| live["metadata"]["labels"]["app.kubernetes.io/part-of"] != "weir") {
            foreign.push(object);
        }
    }
    Ok(foreign)
}

fn steps_table(steps: &[Step]) -> String {
    let rows = steps.iter().map(|step| {
        let object = &step.object;
        [object.kind.as_str(), object.namespace.as_str(), object.name.as_str(), step.what.word()]
    });
    output::table(&["KIND", "NAMESPACE", "NAME", "WHAT"], rows)
}

fn farewell(how: &How, namespace: &str) -> String {
    match how.no_wait {
        true => format!("\napplied; `weir verify-install` says when it runs (namespace {namespace})\n"),
        false => "\nWeir runs. Next:\n  kubectl label namespace NAME istio.io/dataplane-mode=ambient\n  weir status\n".to_owned(),
    }
}

/// Whether the first version is a later one. What cannot be read is not.
fn is_newer(one: &str, other: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok()).collect()
    };
    matches!((numbers(one), numbers(other)), (Some(one), Some(other)) if one > other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_newer("0.10.0", "0.9.1"));
        assert!(!is_newer("0.1.0", "0.1.0"));
        assert!(!is_newer("0.1.0-rc.1", "0.1.0"));
        assert!(!is_newer("main", "0.1.0"));
    }
}
