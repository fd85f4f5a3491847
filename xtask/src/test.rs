//! `cargo xtask test`: every test there is, in the order in which a failure is cheapest to understand.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::preflight;
use crate::setup::{self, Part};
use crate::shell;

mod fuzz;
mod live;

/// Run the tests: unit tests, then the eBPF programs in this kernel, then the stories in network namespaces
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Only this suite; all of them if left out
    suite: Option<Suite>,
    /// Passed on to cargo nextest, for example a part of a test's name (to libFuzzer for `fuzz`, to the suite for `live`)
    #[arg(last = true)]
    nextest: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Pure code: no root, no kernel features, seconds
    Unit,
    /// The datapath: eBPF programs, routes and sockets in this kernel (root)
    Kernel,
    /// Clusters of network namespaces with real agents and real programs (root)
    Netns,
    /// The controller against a Kubernetes API: that of $KUBECONFIG, in a namespace of its own, and then `live`; else one in the test's process
    Cluster,
    /// The cluster of $KUBECONFIG: installing, traffic, upgrading, uninstalling (tests/cluster/README.md; not part of "all")
    Live,
    /// Parsers of what strangers send, fed with noise for some seconds each (nightly compiler; not part of "all")
    Fuzz,
}

impl Suite {
    const ALL: [Self; 4] = [Self::Unit, Self::Cluster, Self::Kernel, Self::Netns];

    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Kernel => "kernel",
            Self::Netns => "netns",
            Self::Cluster => "cluster",
            Self::Live => "live",
            Self::Fuzz => "fuzz",
        }
    }

    /// What nextest calls the tests of this suite.
    fn filter(self) -> &'static str {
        match self {
            Self::Unit => "not (package(weir-netns) or package(weir-datapath) or package(weir-cluster))",
            Self::Kernel => "package(weir-datapath)",
            Self::Netns => "package(weir-netns)",
            Self::Cluster => "package(weir-cluster)",
            Self::Live | Self::Fuzz => "none()",
        }
    }
}

/// Runs the verb.
pub(crate) fn run(args: &TestArgs) -> Result<()> {
    match args.suite {
        Some(Suite::Fuzz) => return fuzz::run(&args.nextest),
        Some(Suite::Live) => return live::run(&args.nextest),
        _ => (),
    }
    let suites = args.suite.map_or(Suite::ALL.to_vec(), |suite| vec![suite]);
    let privileged = [Suite::Kernel, Suite::Netns];
    if suites.iter().any(|suite| privileged.contains(suite)) {
        preflight::check("test")?;
    }
    let programs = suites.contains(&Suite::Netns).then_some(Part::Programs);
    let helm = suites.contains(&Suite::Unit).then_some(Part::Helm);
    setup::ensure(&[&[Part::Ebpf, Part::Nextest], helm.as_slice(), programs.as_slice()].concat())?;
    if suites.contains(&Suite::Netns) || suites.contains(&Suite::Cluster) {
        build_programs()?;
    }
    let failed: Vec<&str> =
        suites.iter().filter(|suite| !passes(**suite, &args.nextest)).map(|suite| suite.name()).collect();
    if !failed.is_empty() {
        bail!("tests failed in: {}", failed.join(", "));
    }
    // Nobody who runs everything wants a mesh in whichever cluster his shell happens to know.
    if args.suite == Some(Suite::Cluster) {
        if live::has_cluster() {
            return live::run(&[]);
        }
        eprintln!(
            "test: $KUBECONFIG is not set: the suite of a live cluster (`cargo xtask test live`) was not run"
        );
    }
    Ok(())
}

/// The agent and the controller that the stories start. Built together with all tests: one selection of packages means one set
/// of features, and so one build of every dependency.
fn build_programs() -> Result<()> {
    shell::run(&mut shell::cargo(&["build", "--locked", "--workspace", "--bins", "--tests"]))
}

/// All suites run even if one fails, so that one run shows everything.
fn passes(suite: Suite, extra: &[String]) -> bool {
    eprintln!("test: {} tests", suite.name());
    let mut nextest =
        shell::cargo(&["nextest", "run", "--locked", "--workspace", "--filterset", suite.filter()]);
    if std::env::var_os("CI").is_some() {
        nextest.args(["--profile", "ci"]);
    }
    match shell::run(nextest.args(extra)) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("test: {error:#}");
            false
        }
    }
}
