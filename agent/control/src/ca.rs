//! A CA that is asked over the control plane's channel.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_discovery::channel::{ChannelError, ControlChannel};
use weir_identity::{CertificateAuthority, RemoteAuthority, RemoteConfig};

/// A CA that is asked.
#[derive(Debug, Clone)]
pub struct Ca {
    /// The way to it.
    pub channel: ControlChannel,
    /// What we say beside the token.
    pub headers: Vec<(String, String)>,
    /// A change of the control plane's roots is a reason to renew.
    pub root_cert_file: PathBuf,
}

impl Ca {
    /// Who signs.
    ///
    /// # Errors
    /// The address cannot be one (it was checked, so: never).
    pub fn authority(&self) -> Result<Arc<dyn CertificateAuthority>, ChannelError> {
        let credentials = self.channel.credentials();
        let config = RemoteConfig {
            name: self.channel.address().to_owned(),
            token: Arc::new(move || credentials.token().map(Some)),
            headers: self.headers.clone(),
            deadline: DEADLINE,
            roots_file: Some(self.root_cert_file.clone()),
        };
        Ok(Arc::new(RemoteAuthority::new(self.channel.lazy()?, config)))
    }
}

/// For one certificate.
const DEADLINE: Duration = Duration::from_secs(10);
