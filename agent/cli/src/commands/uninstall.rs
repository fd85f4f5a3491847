//! `weir uninstall`.

use std::time::Duration;

use clap::Args;

use super::{Error, print};
use crate::cli::{Global, Outcome};
use crate::install::{self, InstallError, Inventory, Removal};
use crate::output::{self, Format};
use crate::progress::Progress;

/// Options of `weir uninstall`.
#[derive(Args)]
#[command(
    after_help = "Pods are not restarted: from when their node's agent lets them go, they speak plainly. Without --purge the mesh's root certificate, its\n\
definitions and its namespace stay, so that a later installation has the same identities."
)]
pub(crate) struct Uninstall {
    /// Take the mesh's CA, the definitions that were installed with it (and every object of their kinds) and its namespace, too.
    #[arg(long)]
    purge: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Say what would go, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait for each thing that goes, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    timeout: u64,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl Uninstall {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let namespace = &global.mesh_namespace;
        let cluster = global.cluster().await?;
        install::refuse_helm(&cluster, namespace, "uninstall").await?;
        let Some(inventory) = Inventory::read(&cluster, namespace).await? else {
            return Err(InstallError::NotInstalled { namespace: namespace.clone() }.into());
        };
        if self.dry_run {
            return self.show(&inventory.objects);
        }
        if !self.yes && !is_confirmed(namespace, self.purge)? {
            eprintln!("nothing was done");
            return Ok(Outcome::Found);
        }
        let mut progress = Progress::start(global.quiet);
        let removal = Removal { purge: self.purge, limit: Duration::from_secs(self.timeout) };
        let gone = install::remove(&cluster, namespace, &inventory, removal, &mut progress).await?;
        drop(progress);
        self.show(&gone)
    }

    fn show(&self, objects: &[crate::cluster::ObjectRef]) -> Result<Outcome, Error> {
        let rows = objects.iter().map(|object| [&object.kind, &object.namespace, &object.name]);
        print(&output::text(self.output, &objects, || output::table(&["KIND", "NAMESPACE", "NAME"], rows))?)?;
        Ok(Outcome::Done)
    }
}

/// Asks who sits there; whoever does not, has to say --yes.
fn is_confirmed(namespace: &str, purge: bool) -> Result<bool, Error> {
    let what = if purge { "the mesh, its CA, its definitions and its namespace" } else { "the mesh" };
    eprint!("Take {what} in {namespace} away? Pods of the mesh speak plainly from then on. [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
