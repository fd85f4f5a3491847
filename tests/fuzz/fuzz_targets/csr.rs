//! A request for a certificate, as a key, and as the message that carries it.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use prost::Message;
use tokio::runtime::{Builder, Runtime};
use tonic::Request;
use weir_identity::ca::check_request;
use weir_identity::{CaError, CertificateAuthority, SignFuture, SignedChain};
use weir_model::Identity;
use weir_proto::ca::IstioCertificateRequest;
use weir_proto::ca::istio_certificate_service_server::IstioCertificateService;
use weir_serve::auth::Caller;
use weir_serve::ca::{CaConfig, CaMetrics, CaService, Placement, PodPlace, RateLimit};

fuzz_target!(|data: &[u8]| {
    let _ = check_request(data);
    let Ok(message) = IstioCertificateRequest::decode(data) else { return };
    // An ordinary workload: whatever it sends, it can be given its own identity only, which the authority asserts.
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller::new("shop", "web"));
    let _ = SERVICE.1.block_on(SERVICE.0.create_certificate(request));
});

static SERVICE: LazyLock<(CaService, Runtime)> = LazyLock::new(|| {
    let rate = RateLimit { per_second: 1e9, burst: 1e9 };
    let config = CaConfig { trust_domain: "td".into(), rate, ..CaConfig::default() };
    let service = CaService::new(Arc::new(Asserting), Arc::new(Everywhere), config, CaMetrics::default());
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    (service, runtime)
});

struct Asserting;

impl CertificateAuthority for Asserting {
    fn sign(&self, csr_der: Vec<u8>, identity: Identity, lifetime: Duration) -> SignFuture<'_> {
        assert_eq!(identity.to_string(), "spiffe://td/ns/shop/sa/web");
        assert!(lifetime <= Duration::from_secs(90 * 24 * 3600));
        Box::pin(async move {
            check_request(&csr_der).map_err(|reason| CaError::Refused {
                authority: "fuzz".to_owned(),
                identity,
                reason,
            })?;
            Ok(SignedChain { chain: Vec::new(), roots: Vec::new() })
        })
    }
}

/// All run on all nodes, so nothing but the caller's own standing is in the way.
struct Everywhere;

impl Placement for Everywhere {
    fn is_ready(&self) -> bool {
        true
    }

    fn pod(&self, _: &str, _: &str) -> Option<PodPlace> {
        Some(PodPlace { uid: "u".into(), service_account: "web".into(), node: "a".into() })
    }

    fn runs(&self, _: &str, _: &str, _: &str) -> bool {
        true
    }
}
