//! One request: who asks, for whom, with which key; and the answer.

use std::sync::Arc;
use std::time::Duration;

use prost_types::value::Kind;
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use weir_identity::{CaError, CertificateAuthority, SignedChain, pem};
use weir_model::Identity;
use weir_proto::ca::istio_certificate_service_server::IstioCertificateService;
use weir_proto::ca::{IstioCertificateRequest, IstioCertificateResponse};

use super::limit::Buckets;
use super::metrics::Outcome;
use super::node::{authorise, is_node_agent};
use super::{CaConfig, CaMetrics, DEFAULT_LIFETIME, MAX_LIFETIME, Placement};
use crate::auth::Caller;

/// Gives certificates to those that proved who they are. Needs the authentication layer around it.
pub struct CaService {
    authority: Arc<dyn CertificateAuthority>,
    placement: Arc<dyn Placement>,
    config: CaConfig,
    metrics: CaMetrics,
    buckets: Buckets,
    signing: Semaphore,
}

impl CaService {
    /// Signs with `authority`, for pods that `placement` knows.
    pub fn new(
        authority: Arc<dyn CertificateAuthority>,
        placement: Arc<dyn Placement>,
        config: CaConfig,
        metrics: CaMetrics,
    ) -> Self {
        let (buckets, signing) = (Buckets::new(config.rate), Semaphore::new(SIGNING));
        Self { authority, placement, config, metrics, buckets, signing }
    }

    async fn answer(&self, caller: &Caller, request: IstioCertificateRequest) -> Result<SignedChain, Status> {
        let asked = Asked::read(&request, &self.config)?;
        if !self.placement.is_ready() {
            return Err(Status::unavailable("the controller does not know the mesh yet, try again"));
        }
        let identity = self.authorise(caller, asked.identity.as_ref())?;
        let _permit = self.signing.acquire().await;
        let signed = self.authority.sign(asked.csr_der, identity.clone(), asked.lifetime).await;
        let signed = signed.map_err(|error| self.refusal(caller, &error))?;
        tracing::debug!(%caller, %identity, "certificate given");
        Ok(signed)
    }

    fn authorise(&self, caller: &Caller, asked: Option<&Identity>) -> Result<Identity, Status> {
        authorise(caller, asked, &*self.placement, &self.config).map_err(|denied| {
            tracing::warn!(%caller, "no certificate is given: {denied}");
            match is_node_agent(caller, &self.config) {
                true => Status::unauthenticated(format!("{REFUSED}: {denied}")),
                // An ordinary workload is told nothing of where others run.
                false => Status::unauthenticated(REFUSED),
            }
        })
    }

    fn refusal(&self, caller: &Caller, error: &CaError) -> Status {
        match error {
            CaError::Refused { reason, .. } => Status::invalid_argument(reason.to_string()),
            CaError::Unavailable { .. } => {
                tracing::error!(%caller, "no certificate could be signed: {error}");
                Status::internal("the CA cannot sign now; its log has the reason")
            }
        }
    }
}

#[tonic::async_trait]
impl IstioCertificateService for CaService {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| Status::unauthenticated("request authenticate failure"))?;
        if !self.buckets.take(&caller, Instant::now()) {
            self.metrics.count(Outcome::Limited);
            return Err(Status::resource_exhausted("too many requests for certificates; wait a little"));
        }
        let answer = self.answer(&caller, request.into_inner()).await;
        self.metrics.count(match &answer {
            Ok(_) => Outcome::Issued,
            Err(status) => match status.code() {
                Code::Unauthenticated => Outcome::Denied,
                Code::InvalidArgument => Outcome::Invalid,
                _ => Outcome::Failed,
            },
        });
        Ok(Response::new(IstioCertificateResponse { cert_chain: elements(&answer?) }))
    }
}

/// What a request says that may count.
pub(super) struct Asked {
    csr_der: Vec<u8>,
    lifetime: Duration,
    pub(super) identity: Option<Identity>,
}

impl Asked {
    pub(super) fn read(request: &IstioCertificateRequest, config: &CaConfig) -> Result<Self, Status> {
        let invalid = |what: String| Status::invalid_argument(what);
        if request.csr.len() > MAX_CSR {
            return Err(invalid(format!("a CSR of {} bytes; {MAX_CSR} are enough", request.csr.len())));
        }
        let csr = CertificateSigningRequestDer::from_pem_slice(request.csr.as_bytes());
        let csr = csr.map_err(|error| invalid(format!("no CERTIFICATE REQUEST block in csr: {error}")))?;
        let lifetime = lifetime(request.validity_duration, config)?;
        if text(request, "CertSigner")?.is_some_and(|signer| !signer.is_empty()) {
            return Err(invalid("CertSigner: there is no other signer here; leave it out".to_owned()));
        }
        let identity = match text(request, "ImpersonatedIdentity")?.filter(|name| !name.is_empty()) {
            Some(name) => {
                Some(name.parse().map_err(|error| invalid(format!("ImpersonatedIdentity: {error}")))?)
            }
            None => None,
        };
        Ok(Self { csr_der: csr.to_vec(), lifetime, identity })
    }
}

/// Zero and less ask for the default.
fn lifetime(seconds: i64, config: &CaConfig) -> Result<Duration, Status> {
    let asked = match u64::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        Ok(_) | Err(_) => DEFAULT_LIFETIME,
    };
    match asked > MAX_LIFETIME {
        true => Err(Status::invalid_argument(format!("validity_duration {seconds} is more than 90 days"))),
        false => Ok(asked.min(config.max_lifetime)),
    }
}

fn text<'a>(request: &'a IstioCertificateRequest, key: &str) -> Result<Option<&'a str>, Status> {
    let value = request.metadata.as_ref().and_then(|metadata| metadata.fields.get(key));
    match value.map(|value| &value.kind) {
        None | Some(None | Some(Kind::NullValue(_))) => Ok(None),
        Some(Some(Kind::StringValue(text))) => Ok(Some(text)),
        // To take it for absent would give a certificate of somebody else than was meant.
        Some(Some(_)) => Err(Status::invalid_argument(format!("{key} in metadata is not a text"))),
    }
}

/// The leaf, each intermediate, and all roots as one element.
fn elements(signed: &SignedChain) -> Vec<String> {
    let mut elements: Vec<String> = signed.chain.iter().map(|der| pem("CERTIFICATE", der)).collect();
    elements.push(signed.roots.iter().map(|der| pem("CERTIFICATE", der)).collect());
    elements
}

const REFUSED: &str = "request impersonation authentication failure";
/// A request for RSA-8192 has some 3 KiB.
const MAX_CSR: usize = 16 * 1024;
/// Signatures at once; more would only wait for the cores.
const SIGNING: usize = 32;
