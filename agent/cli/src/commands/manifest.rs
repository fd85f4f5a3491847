//! `weir manifest`.

use clap::{Args, Subcommand};

use super::install::Chosen;
use super::{Error, print};
use crate::chart::{self, Release};
use crate::cli::{Global, Outcome};
use crate::output::{self, Format};

/// Commands of `weir manifest`.
#[derive(Subcommand)]
pub(crate) enum Manifest {
    /// Print the objects of an installation, as YAML that kubectl takes. No cluster is asked.
    Generate(Generate),
}

/// Options of `weir manifest generate`.
#[derive(Args)]
#[command(
    after_help = "The same objects as `helm template weir deploy/chart/weir -n weir-system`, with the same values, and the namespace.\n\n  \
weir manifest generate --set profile=demo > weir.yaml\n\n\
`kubectl apply -f weir.yaml` installs them, too; it knows of no upgrade that takes an object away, and waits for nothing: `weir install` does."
)]
pub(crate) struct Generate {
    #[command(flatten)]
    chosen: Chosen,
    /// What the cluster serves, as group/version/Kind, for objects that depend on it.
    #[arg(long, value_name = "API", default_value = "gateway.networking.k8s.io/v1/GatewayClass")]
    api_versions: Vec<String>,
    /// yaml (documents), or json (one List).
    #[arg(long, short, default_value = "yaml", value_name = "FORMAT")]
    output: Format,
}

impl Manifest {
    pub(crate) fn run(self, global: &Global) -> Result<Outcome, Error> {
        let Self::Generate(options) = self;
        let values = options.chosen.values()?;
        let release = Release { api_versions: options.api_versions, ..Release::new(&global.mesh_namespace) };
        let objects: Vec<_> =
            chart::render(&values, &release)?.into_iter().map(|manifest| manifest.object).collect();
        if options.output == Format::Json {
            let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
            print(&output::text(Format::Json, &list, String::new)?)?;
            return Ok(Outcome::Done);
        }
        for object in objects {
            print(&format!("---\n{}", output::yaml(&object)?))?;
        }
        Ok(Outcome::Done)
    }
}
