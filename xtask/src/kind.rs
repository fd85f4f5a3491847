//! `cargo xtask kind`: a cluster of kind with Weir in it.
//!
//! kind needs a container engine, and neither comes with this repository: where one is missing, the verb says which and how to
//! go on without it. Everything that it makes is in one cluster with a name of its own, and goes with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::shell;

/// Make a cluster of kind with Weir in it, run the cluster's tests there, take it away
#[derive(Args)]
#[command(after_help = "Examples:\n  \
cargo xtask kind up                                      two nodes, the images loaded, Weir installed\n  \
export KUBECONFIG=$(cargo xtask kind kubeconfig)         and look around\n  \
cargo xtask kind test                                    the tests of the cluster in it; they leave no mesh\n  \
cargo xtask kind down\n\n\
Without kind: KUBECONFIG=... cargo xtask test cluster runs the same tests in any cluster that has the images.")]
pub(crate) struct KindArgs {
    #[command(subcommand)]
    verb: Verb,
    /// Name of the cluster
    #[arg(long, global = true, default_value = "weir")]
    name: String,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the cluster (as tests/cluster/kind.yaml says), load the images, install Weir
    Up {
        /// An image archive of `cargo xtask image`; made anew if left out
        #[arg(long, value_name = "FILE")]
        image: Option<PathBuf>,
        /// One of `cargo xtask image --tests`; made anew if left out
        #[arg(long, value_name = "FILE")]
        tests: Option<PathBuf>,
    },
    /// Run the cluster's tests in it; the mesh that is there is taken away first
    Test {
        /// Passed on to cargo nextest
        #[arg(last = true)]
        nextest: Vec<String>,
    },
    /// Print where its kubeconfig is
    Kubeconfig,
    /// Take the cluster away
    Down,
}

/// Runs the verb.
pub(crate) fn run(args: &KindArgs) -> Result<()> {
    let cluster = Cluster::of(&args.name)?;
    match &args.verb {
        Verb::Up { image, tests } => cluster.up(image.as_deref(), tests.as_deref()),
        Verb::Test { nextest } => cluster.test(nextest),
        Verb::Kubeconfig => {
            println!("{}", cluster.kubeconfig.display());
            Ok(())
        }
        Verb::Down => cluster.down(),
    }
}

struct Cluster {
    name: String,
    /// Of this cluster alone: nobody's ~/.kube/config is touched.
    kubeconfig: PathBuf,
}

impl Cluster {
    fn of(name: &str) -> Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            kubeconfig: shell::target()?.join("kind").join(format!("{name}.yaml")),
        })
    }

    fn up(&self, image: Option<&Path>, tests: Option<&Path>) -> Result<()> {
        needed()?;
        let folder = self.kubeconfig.parent().context("no folder for the kubeconfig")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        if !self.exists()? {
            let config = shell::root().join("tests/cluster/kind.yaml");
            let mut create = self.kind(&["create", "cluster", "--wait", "3m"]);
            shell::run(create.arg("--config").arg(config))?;
        }
        for (given, name, options) in [(image, "image.tar", &[][..]), (tests, "tests.tar", &["--tests"])] {
            let archive = match given {
                Some(archive) => archive.to_owned(),
                None => made(&folder.join(name), options)?,
            };
            shell::run(
                Command::new("kind").args(["load", "image-archive", "--name", &self.name]).arg(archive),
            )?;
        }
        let mut install = shell::cargo(&["run", "--locked", "--package", "weir-cli", "--bin", "weir", "--"]);
        install.args([
            "install",
            "--set",
            "crds.istio=true",
            "--set",
            "crds.gatewayAPI=true",
            "--kubeconfig",
        ]);
        shell::run(install.arg(&self.kubeconfig))?;
        eprintln!("kind: export KUBECONFIG={}", self.kubeconfig.display());
        Ok(())
    }

    fn test(&self, nextest: &[String]) -> Result<()> {
        if !self.kubeconfig.is_file() {
            bail!("there is no cluster {}: `cargo xtask kind up` makes it", self.name);
        }
        let mut test = Command::new(shell::own()?);
        test.args(["test", "cluster", "--"]).args(nextest).env("KUBECONFIG", &self.kubeconfig);
        // What `up` installed.
        shell::run(test.env("WEIR_TEST_FRESH", "true"))
    }

    fn down(&self) -> Result<()> {
        needed()?;
        shell::run(&mut self.kind(&["delete", "cluster"]))?;
        match std::fs::remove_file(&self.kubeconfig) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.kubeconfig.display()))
            }
            _ => Ok(()),
        }
    }

    fn exists(&self) -> Result<bool> {
        let clusters = shell::output(Command::new("kind").args(["get", "clusters"]))?;
        Ok(clusters.lines().any(|line| line == self.name))
    }

    fn kind(&self, words: &[&str]) -> Command {
        let mut kind = Command::new("kind");
        kind.args(words).args(["--name", &self.name, "--kubeconfig"]).arg(&self.kubeconfig);
        kind
    }
}

/// By this program itself, so that there is one way to make an image.
fn made(archive: &Path, options: &[&str]) -> Result<PathBuf> {
    shell::run(Command::new(shell::own()?).args(["image", "--out"]).arg(archive).args(options))?;
    Ok(archive.to_owned())
}

/// What kind itself needs, and where to turn without it.
fn needed() -> Result<()> {
    let engine = ["docker", "podman", "nerdctl"].iter().any(|name| shell::find_program(name).is_some());
    let mut missing = Vec::new();
    if shell::find_program("kind").is_none() {
        missing.push("kind (https://kind.sigs.k8s.io)");
    }
    if !engine {
        missing.push("a container engine (docker, podman or nerdctl)");
    }
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "this machine has no {}; with a cluster of another kind at hand, `cargo xtask image --out weir.tar`, the \
         same with --tests, both imported on its nodes, and `KUBECONFIG=... cargo xtask test cluster` do the same",
        missing.join(" and no ")
    )
}
