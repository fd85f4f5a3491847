//! Installs a release, changes it, looks at it, and takes it away.
//!
//! ```text
//!   values --chart--> objects --plan--> what is new, other, the same, left alone, superfluous
//!                                          \--> apply in order, prune, wait until it runs
//! ```
//!
//! What was installed is kept in a ConfigMap, the [`Inventory`]: an object that a later version does not have any more goes, and an
//! uninstallation needs no chart. It is written before the first object is, so that an installation that was cut off leaves nothing
//! that nobody knows of.

mod apply;
mod inventory;
mod kernels;
mod marks;
mod plan;
mod reasons;
mod remove;
mod verify;
mod wait;

pub use apply::{apply, preview};
pub use inventory::Inventory;
pub use kernels::old_kernels;
pub use plan::{Plan, Step, What};
pub use remove::{Removal, remove};
pub use verify::{Finding, verify};
pub use wait::{Readiness, readiness, wait};

use crate::chart::{ChartError, ValuesError};
use crate::cluster::{ClusterError, ObjectRef};

/// Why an installation did not go on.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The chart.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// The values.
    #[error(transparent)]
    Values(#[from] ValuesError),
    /// There is nothing to change.
    #[error(
        "nothing is installed in namespace {namespace}; `weir install` does that\n  \
        (and if the namespace was deleted, and pods are cut off since: install, then uninstall)"
    )]
    NotInstalled {
        /// Where was looked.
        namespace: String,
    },
    /// What is there is Helm's.
    #[error(
        "the release {release} in namespace {namespace} is Helm's: use `helm {verb}`, or `helm uninstall {release} -n {namespace}` first"
    )]
    Helm {
        /// The release.
        release: String,
        /// Its namespace.
        namespace: String,
        /// What Helm calls what was to be done.
        verb: &'static str,
    },
    /// There is a newer one.
    #[error(
        "version {installed} is installed, this is {own}: a newer `weir` installed it; --force goes back"
    )]
    Newer {
        /// What is there.
        installed: String,
        /// What this is.
        own: &'static str,
    },
    /// The inventory cannot be read.
    #[error("{inventory} does not say what is installed ({why}); `weir install` writes it anew")]
    Inventory {
        /// Where it is.
        inventory: ObjectRef,
        /// What is wrong.
        why: String,
    },
    /// It did not come up.
    #[error("not ready after {seconds} s:{}", list(.waiting))]
    Unready {
        /// How long was waited.
        seconds: u64,
        /// What is waited for, and what is in the way.
        waiting: Vec<String>,
    },
    /// It did not go.
    #[error("still there after {seconds} s: {}; something holds it (finalizers?)", .objects.join(", "))]
    Lingers {
        /// How long was waited.
        seconds: u64,
        /// What is there.
        objects: Vec<String>,
    },
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  - {line}")).collect()
}

/// What Helm has in a namespace, by the names of its Secrets.
///
/// # Errors
/// The cluster does not say.
pub async fn refuse_helm(
    cluster: &crate::cluster::Cluster,
    namespace: &str,
    verb: &'static str,
) -> Result<(), InstallError> {
    let releases = cluster.list("v1", "Secret", namespace, "owner=helm,name=weir").await?;
    if releases.is_empty() {
        return Ok(());
    }
    Err(InstallError::Helm { release: "weir".into(), namespace: namespace.into(), verb })
}
