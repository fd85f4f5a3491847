//! `weir explain`.

use std::path::PathBuf;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use weir_index::Config;

use super::{Error, analyze, print};
use crate::cli::{Global, Outcome};
use crate::explain::{Asked, Explanation, Names};
use crate::mesh::Mesh;
use crate::objects::Objects;
use crate::output::{self, Format};

/// Options of `weir explain`.
#[derive(Args)]
#[command(
    after_help = "It reads the configuration, in the cluster or in files, and asks the functions that agents and waypoints decide with. Nothing is sent.\n\
Exits with 0 if it arrives, with 2 if it is refused.\n\n  \
weir explain shop/client web:80\n  weir explain shop/client web.shop.svc.cluster.local:80 --method DELETE --path /orders/1 --header 'x-user: jo'\n  \
weir explain -f deploy/samples/mesh shop/client 10.96.0.1:80"
)]
pub(crate) struct Explain {
    /// Who asks: NAMESPACE/NAME of a pod, of what it belongs to, or of its service account.
    #[arg(value_name = "SRC")]
    source: String,
    /// Where to: [NAMESPACE/]NAME:PORT of a service or pod, HOST:PORT, or IP:PORT.
    #[arg(value_name = "DST")]
    destination: String,
    /// Method of a request. [default: GET, if a path or header is given]
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,
    /// Its path, with the query. [default: /]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// A header field, NAME: VALUE. `host` is the authority. May be given several times.
    #[arg(long, short = 'H', value_name = "FIELD")]
    header: Vec<String>,
    /// Files and directories of YAML instead of the cluster.
    #[arg(long = "filename", short = 'f', value_name = "FILE")]
    files: Vec<PathBuf>,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl Explain {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let mesh = if self.files.is_empty() {
            let cluster = global.cluster().await?;
            let config = analyze::config(&cluster, global).await?;
            Mesh::of_cluster(&Objects::of(&cluster).await?, config)
        } else {
            let config =
                Config { root_namespace: global.mesh_namespace.as_str().into(), ..Config::default() };
            Mesh::of_files(&Objects::read(&self.files)?, config).await?
        };
        let snapshot = mesh.index.snapshot();
        let names = Names::of(&snapshot)?;
        let source = names.workload(&self.source)?;
        let dialled = names.dialled(&self.destination, &source)?;
        let asked = self.asked()?;
        let explanation = Explanation::of(&snapshot, &names.directory, &source, &dialled, asked.as_ref())?;
        let people = || {
            let rows = explanation.steps.iter().map(|step| [&step.place, &step.decision, &step.why]);
            let verdict = if explanation.allowed { "it arrives" } else { "it is refused" };
            let (from, to, at) = (&source.uid, &dialled.name, dialled.address);
            format!("{from} -> {to} ({at}): {verdict}\n\n{}", output::table(&["WHO", "DECIDES", "WHY"], rows))
        };
        print(&output::text(self.output, &explanation, people)?)?;
        Ok(if explanation.allowed { Outcome::Done } else { Outcome::Found })
    }

    fn asked(&self) -> Result<Option<Asked>, Error> {
        if self.method.is_none() && self.path.is_none() && self.header.is_empty() {
            return Ok(None);
        }
        let host = self.destination.rsplit_once('/').map_or(self.destination.as_str(), |(_, host)| host);
        let mut authority = host.to_owned();
        let mut headers = HeaderMap::new();
        for field in &self.header {
            let wrong = || Error::Refused(format!("--header {field:?} is not of the form NAME: VALUE"));
            let (name, value) = field.split_once(':').ok_or_else(wrong)?;
            if name.eq_ignore_ascii_case("host") {
                value.trim().clone_into(&mut authority);
                continue;
            }
            let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
            headers.append(name, HeaderValue::from_str(value.trim()).map_err(|_| wrong())?);
        }
        let path = self.path.clone().unwrap_or_else(|| "/".into());
        let method = self.method.clone().unwrap_or(Method::GET);
        Ok(Some(Asked { method, authority, path, headers }))
    }
}
