//! `weir-controller token`: what the agent of a node proves itself by, where there is no Kubernetes to give it a token.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use weir_process::Reader;
use weir_serve::auth::{Caller, JwksKeys};

use crate::cli::TokenOptions;

/// Prints a token; makes the keys if there are none.
///
/// # Errors
/// An option that does not parse, or a key that cannot be read or made.
pub fn run(options: &TokenOptions) -> anyhow::Result<()> {
    let mut reader = Reader::default();
    let lifetime = reader.duration("lifetime", Some(options.lifetime.clone()), std::time::Duration::ZERO);
    reader.finish("weir-controller token --help").map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let account = options.service_account.split_once('/');
    let (namespace, name) = account.context("--service-account is NAMESPACE/NAME")?;
    let keys = JwksKeys::open_or_create(keys(Path::new(&options.state_dir)))?;
    let caller = Caller { node: Some(options.node.as_str().into()), ..Caller::new(namespace, name) };
    let token = keys.issue(&caller, AUDIENCE, SystemTime::now(), lifetime)?;
    // A file of it must hold nothing else, as the kubelet's: some clients send it as it is.
    let end = if std::io::stdout().is_terminal() { "\n" } else { "" };
    print!("{token}{end}");
    Ok(std::io::stdout().flush()?)
}

/// Where the keys are in a state directory.
pub(crate) fn keys(state: &Path) -> std::path::PathBuf {
    state.join("tokens")
}

/// What tokens are for (Istio's audience, which its proxies' tokens have).
pub(crate) const AUDIENCE: &str = "istio-ca";
