//! `weir status`.

use std::net::SocketAddr;

use clap::Args;

use super::{Error, print};
use crate::cli::{Global, Outcome};
use crate::live::Process;
use crate::output::{self, Format};
use crate::status::{Places, Status};

/// Options of `weir status`.
#[derive(Args)]
#[command(
    after_help = "Asks the processes themselves, through the API server (which needs the right to port-forward), or at the addresses that are given.\n\
Exits with 2 if a pod is not protected, a node has no agent, or somebody does not answer or refuses what he is told.\n\n\
MODE is how the node's kernel lets pods be captured; SYNC whether the newest of the mesh has arrived."
)]
pub(crate) struct StatusOptions {
    /// Admin endpoint of an agent, instead of the cluster's. May be given several times.
    #[arg(long, value_name = "ADDR")]
    agent: Vec<SocketAddr>,
    /// Monitoring endpoint of a controller, instead of the cluster's.
    #[arg(long, value_name = "ADDR")]
    controller: Vec<SocketAddr>,
    /// Admin endpoint of a waypoint, instead of the cluster's.
    #[arg(long, value_name = "ADDR")]
    waypoint: Vec<SocketAddr>,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl StatusOptions {
    pub(crate) async fn run(self, global: &Global) -> Result<Outcome, Error> {
        let at = |addresses: &[SocketAddr]| addresses.iter().copied().map(Process::At).collect::<Vec<_>>();
        let given = Places {
            agents: at(&self.agent),
            controllers: at(&self.controller),
            waypoints: at(&self.waypoint),
            nodes: Vec::new(),
        };
        let is_given =
            !(given.agents.is_empty() && given.controllers.is_empty() && given.waypoints.is_empty());
        let status = match is_given {
            true => Status::ask(None, given).await,
            false => {
                let cluster = global.cluster().await?;
                let places = Places::of(&cluster, &global.mesh_namespace).await?;
                Status::ask(Some(&cluster), places).await
            }
        };
        print(&output::text(self.output, &status, || status.tables())?)?;
        Ok(if status.is_well() { Outcome::Done } else { Outcome::Found })
    }
}
