//! `weir-controller rotate-root`: begins a rotation in a state directory; the running controller goes on with it.

use std::path::Path;
use std::sync::Arc;

use weir_identity::ca::{AuthorityConfig, CaAuthority, DirStore};

use crate::cli::RotateOptions;

/// Announces a new root.
///
/// # Errors
/// There is no CA, it is somebody's intermediate, or a rotation is under way.
pub fn run(options: &RotateOptions) -> anyhow::Result<()> {
    let dir = ca(Path::new(&options.state_dir));
    anyhow::ensure!(
        dir.is_dir(),
        "there is no CA in {}; is this the state directory of a controller?",
        dir.display()
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = Arc::new(DirStore::new(dir));
        let authority = CaAuthority::open_or_create(store, AuthorityConfig::default()).await?;
        authority.rotate().await?;
        println!(
            "A new root is announced. The controller signs with it after one --rotation-overlap, and drops the old one after\n\
             another; its log and the root-cert.pem in {} show how far it is.",
            ca(Path::new(&options.state_dir)).display()
        );
        Ok(())
    })
}

/// Where the CA is in a state directory.
pub(crate) fn ca(state: &Path) -> std::path::PathBuf {
    state.join("ca")
}
