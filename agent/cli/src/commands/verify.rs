//! `weir verify-install`.

use clap::Args;

use super::install::plan;
use super::{Error, print};
use crate::chart::Values;
use crate::cli::{Global, Outcome};
use crate::install::{self, InstallError, Inventory};
use crate::output::{self, Format};

/// Options of `weir verify-install`.
#[derive(Args)]
#[command(
    after_help = "Compares every object with what was installed, and looks whether it runs. Exits with 2 if something is not as it should be."
)]
pub(crate) struct VerifyInstall {
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl VerifyInstall {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let namespace = &global.mesh_namespace;
        let cluster = global.cluster().await?;
        let Some(inventory) = Inventory::read(&cluster, namespace).await? else {
            return Err(InstallError::NotInstalled { namespace: namespace.clone() }.into());
        };
        let values = Values::checked(inventory.values.clone())?;
        let plan = plan(&cluster, namespace, &values, &inventory.objects).await?;
        let findings = install::verify(&cluster, &plan).await?;
        let rows = || findings.iter().map(|finding| [finding.object.to_string(), finding.problem.clone()]);
        let people = || match findings.is_empty() {
            true => format!(
                "{} objects of version {}: as installed, and running\n",
                inventory.objects.len(),
                inventory.version
            ),
            false => output::table(&["OBJECT", "PROBLEM"], rows()),
        };
        print(&output::text(self.output, &findings, people)?)?;
        Ok(if findings.is_empty() { Outcome::Done } else { Outcome::Found })
    }
}
