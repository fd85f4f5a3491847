//! The services on port 15012: discovery and certificate signing, behind one authentication.

use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::registry::Registry;
use tonic::service::Routes;
use tower::Layer;
use weir_identity::Clock;
use weir_identity::ca::{CaAuthority, ServerNames};
use weir_proto::ca::istio_certificate_service_server::IstioCertificateServiceServer;
use weir_serve::auth::Authenticator;
use weir_serve::ca::{CaConfig, CaMetrics, CaService, NodeAgents};
use weir_serve::nodes::{NodeService, Nodes};
use weir_serve::tls::{Tls, TlsConfig, TlsSource, service_names};
use weir_serve::{Store, XdsConfig, XdsMetrics, XdsService};

use crate::backing::{Backing, Tasks};
use crate::config::Config;
use crate::placement::Placed;

/// Both services; who cannot prove who he is meets neither.
pub(crate) fn routes(
    config: &Config,
    backing: &Backing,
    store: &Store,
    registry: &mut Registry,
    tasks: &mut Tasks,
) -> Routes {
    let trust_domain = &config.index.trust_domain;
    let authenticator = Authenticator::new(backing.verifier.clone(), trust_domain, clock());
    let metrics = CaMetrics::default();
    metrics.register(registry);
    let ca = CaConfig {
        trust_domain: trust_domain.clone(),
        trusted_node_accounts: config.ca.node_accounts.iter().cloned().collect(),
        node_tokens: backing.node_tokens,
        max_lifetime: config.ca.max_lifetime,
        ..CaConfig::default()
    };
    let placed = Arc::new(Placed(store.clone()));
    let agents = NodeAgents::new(placed.clone(), ca.clone());
    let ca = CaService::new(Arc::new(backing.authority.clone()), placed, ca, metrics);
    let xds = XdsService::new(store.clone(), XdsConfig::default(), XdsMetrics::register(registry));
    let Some(teller) = &backing.pods else {
        return Routes::new(authenticator.layer(xds.into_server()))
            .add_service(authenticator.layer(IstioCertificateServiceServer::new(ca)));
    };
    let nodes = Nodes::new(store.clone(), teller.clone());
    let work = nodes.clone().run();
    tasks.spawn(async move {
        work.await;
        anyhow::anyhow!("what nodes say of their pods is not followed any more")
    });
    Routes::new(authenticator.layer(xds.tell_nodes(agents.clone()).into_server()))
        .add_service(authenticator.layer(IstioCertificateServiceServer::new(ca)))
        .add_service(authenticator.layer(NodeService::new(nodes, agents).into_server()))
}

/// The port's TLS; its certificate is renewed in the background.
pub(crate) fn tls(config: &Config, authority: &CaAuthority, tasks: &mut Tasks) -> anyhow::Result<TlsSource> {
    let settings = TlsConfig::grpc(names(config), &config.index.trust_domain);
    start(authority, settings, tasks)
}

/// The webhook's TLS.
pub(crate) fn webhook_tls(
    config: &Config,
    authority: &CaAuthority,
    tasks: &mut Tasks,
) -> anyhow::Result<TlsSource> {
    start(authority, TlsConfig::webhook(names(config)), tasks)
}

fn start(authority: &CaAuthority, settings: TlsConfig, tasks: &mut Tasks) -> anyhow::Result<TlsSource> {
    let tls = Tls::new(authority.clone(), settings, clock())?;
    let source = tls.source();
    tasks.spawn(async move {
        tls.run().await;
        anyhow::anyhow!("the renewal of the server's certificate ended")
    });
    Ok(source)
}

/// The names of the Service in the root namespace, and the user's own.
fn names(config: &Config) -> ServerNames {
    let index = &config.index;
    let mut names = service_names("weir-controller", &index.root_namespace, &index.cluster_domain);
    for name in &config.server_names {
        match name.parse() {
            Ok(ip) if !names.ips.contains(&ip) => names.ips.push(ip),
            Ok(_) => {}
            Err(_) if names.dns.contains(name) => {}
            Err(_) => names.dns.push(name.clone()),
        }
    }
    names
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemTime::now)
}
