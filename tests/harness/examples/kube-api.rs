//! The Kubernetes API server of the tests, alone, to look at it with kubectl. Ends when its standard input does.
//!
//! `cargo run -p weir-harness --features kube-api --example kube-api -- DIR` writes DIR/kubeconfig.yaml.

use std::path::PathBuf;

use weir_harness::kube_api::KubeApi;

fn main() -> anyhow::Result<()> {
    let dir = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let api = KubeApi::with_mesh_kinds()?;
    println!("KUBECONFIG={}", api.kubeconfig(&dir)?.display());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
