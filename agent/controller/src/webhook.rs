//! The webhook's port, beside the other parts.

use anyhow::Context;
use prometheus_client::registry::Registry;
use weir_identity::ca::CaAuthority;

use crate::admission::{Admission, AdmissionMetrics, Limits, serve};
use crate::backing::Tasks;
use crate::config::Config;
use crate::services;

/// Serves it in the background, if there is to be one.
pub(crate) async fn start(
    config: &Config,
    authority: &CaAuthority,
    registry: &mut Registry,
    tasks: &mut Tasks,
) -> anyhow::Result<()> {
    let Some(address) = config.admission else { return Ok(()) };
    let listener =
        weir_process::listen(address).with_context(|| format!("cannot listen on {address} (--admission)"))?;
    let tls = services::webhook_tls(config, authority, tasks)?;
    let metrics = AdmissionMetrics::default();
    metrics.register(registry);
    let admission = Admission { config: config.index.clone(), limits: Limits::default(), metrics };
    tasks.spawn(async move {
        serve(listener, tls, admission, std::future::pending()).await;
        anyhow::anyhow!("the webhook's port ended")
    });
    Ok(())
}
