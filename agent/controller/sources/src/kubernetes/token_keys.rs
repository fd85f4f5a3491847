//! The public keys of the cluster's tokens, as its API server publishes them (OpenID Connect discovery of service accounts).

use std::time::Duration;

use http::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use super::backoff::{Backoff, spread};
use super::error::call;
use super::{ApiError, Cluster};

/// What tokens of service accounts can be verified with, without asking the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKeys {
    /// Who signs them: the `iss` of each.
    pub issuer: String,
    /// The keys, a JWK set.
    pub jwks: String,
}

impl Cluster {
    /// Reads the keys at once and then `every` so often, until the receiver is gone. While the API server is away, those that
    /// were read before stay; when it refuses them, or has none, there are none.
    pub async fn follow_token_keys(self, every: Duration, keys: watch::Sender<Option<TokenKeys>>) {
        let mut backoff = Backoff::default();
        let mut is_said = false;
        loop {
            let read = self.token_keys().await;
            let pause = match &read {
                Err(error) if error.is_passing() => backoff.next(spread()),
                Ok(_) | Err(_) => every,
            };
            match read {
                Ok(read) => {
                    backoff.reset();
                    is_said = false;
                    keys.send_if_modified(|known| known.replace(read.clone()) != Some(read));
                }
                Err(error) => {
                    if !error.is_passing() {
                        keys.send_if_modified(|known| known.take().is_some());
                    }
                    if !is_said {
                        let so = if keys.borrow().is_some() { KEPT } else { NONE };
                        tracing::warn!("the cluster's token keys cannot be read, so {so}: {error}");
                        is_said = true;
                    }
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = keys.closed() => return,
            }
        }
    }

    async fn token_keys(&self) -> Result<TokenKeys, ApiError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
        }
        let Discovery { issuer } = self.read("/.well-known/openid-configuration").await?;
        // The document names an address of the keys too, for others than pods; this is where every API server has them.
        let jwks: Value = self.read("/openid/v1/jwks").await?;
        Ok(TokenKeys { issuer, jwks: jwks.to_string() })
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError);
        let answer = async { self.client.request(request?).await };
        call(&format!("reading {path}"), answer).await
    }
}

const KEPT: &str = "those that were read before stay in use";
const NONE: &str = "nobody's token is believed while the API server is away";
