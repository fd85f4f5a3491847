//! The commands, one a file: what each takes, and what it does with the parts.

pub(crate) mod analyze;
pub(crate) mod bug_report;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod explain;
pub(crate) mod install;
pub(crate) mod manifest;
pub(crate) mod profile;
pub(crate) mod status;
pub(crate) mod uninstall;
pub(crate) mod verify;
pub(crate) mod waypoint;

use std::io::Write as _;

use crate::chart::{ChartError, ValuesError};
use crate::cli::{Cli, Command, Global, Outcome};
use crate::cluster::{Cluster, ClusterError, ObjectRef};
use crate::explain::ExplainError;
use crate::install::InstallError;
use crate::mesh::MeshError;
use crate::objects::ReadError;
use crate::output::OutputError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An installation.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The chart.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The values.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// Files.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What is made of them.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// A question without an answer.
    #[error(transparent)]
    Explain(#[from] ExplainError),
    /// What is asked about is not there.
    #[error("there is no {0}")]
    Absent(ObjectRef),
    /// It is not done, for a reason of its own.
    #[error("{0}")]
    Refused(String),
    /// What was to be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Nobody takes what is printed.
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

/// Does what the command line says.
///
/// # Errors
/// It could not be done.
pub fn run(cli: Cli) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(dispatch(cli))
}

async fn dispatch(cli: Cli) -> Result<Outcome, Error> {
    let global = &cli.global;
    match cli.command {
        Command::Install(command) => command.run(global).await,
        Command::Upgrade(command) => command.run(global).await,
        Command::Uninstall(command) => command.run(global).await,
        Command::Manifest(command) => command.run(global),
        Command::Profile(command) => command.run(),
        Command::VerifyInstall(command) => command.run(global).await,
        Command::Status(command) => command.run(global).await,
        Command::Analyze(command) => command.run(global).await,
        Command::Config(command) => command.run(global).await,
        Command::Waypoint(command) => command.run(global).await,
        Command::Explain(command) => command.run(global).await,
        Command::BugReport(command) => command.run(global).await,
        Command::Completion(command) => command.run(),
    }
}

impl Global {
    /// The cluster that is meant.
    pub(crate) async fn cluster(&self) -> Result<Cluster, Error> {
        Ok(Cluster::connect(self.kubeconfig.clone(), self.context.clone()).await?)
    }
}

/// Prints a result. A reader that goes away is not an error of ours.
fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
