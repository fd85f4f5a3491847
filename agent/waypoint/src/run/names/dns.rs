//! Names by DNS, and by the file of hosts.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::{Families, Found, Resolve};
use crate::configuration::Answer;

/// DNS. What it answered is not kept here: whoever asks knows when to ask again.
pub struct Dns(TokioResolver);

impl Dns {
    /// As the system is set up (`/etc/resolv.conf`), or by these servers alone.
    ///
    /// # Errors
    /// The system's settings cannot be read.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let mut builder = match servers.is_empty() {
            true => TokioResolver::builder_tokio()?,
            false => {
                let mut config = ResolverConfig::default();
                servers.iter().for_each(|server| config.add_name_server(server_at(*server)));
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.timeout = PATIENCE;
        options.attempts = 2;
        if !servers.is_empty() {
            options.use_hosts_file = ResolveHosts::Never;
        }
        Ok(Self(builder.build()?))
    }

    async fn of(&self, name: &str, kind: RecordType) -> Result<(Vec<IpAddr>, Instant), NetError> {
        let found = self.0.lookup(name, kind).await?;
        let ip = |data: &RData| match data {
            RData::A(ip) => Some(IpAddr::from(ip.0)),
            RData::AAAA(ip) => Some(IpAddr::from(ip.0)),
            _ => None,
        };
        let addresses = found.answers().iter().filter_map(|record| ip(&record.data)).collect();
        Ok((addresses, found.valid_until()))
    }
}

impl Resolve for Dns {
    fn resolve<'a>(
        &'a self,
        name: &'a str,
        families: Families,
    ) -> Pin<Box<dyn Future<Output = Found> + Send + 'a>> {
        Box::pin(async move {
            let name = in_full(name);
            let ask = async |wanted: bool, kind| match wanted {
                true => Some(self.of(&name, kind).await),
                false => None,
            };
            let (v4, v6) = tokio::join!(ask(families.v4, RecordType::A), ask(families.v6, RecordType::AAAA));
            joined([v4, v6].into_iter().flatten())
        })
    }
}

/// Addresses of either family are addresses; only if each of them is known not to be there, there are none.
fn joined(answers: impl Iterator<Item = Result<(Vec<IpAddr>, Instant), NetError>>) -> Found {
    let (mut addresses, mut until, mut none, mut failed) = (Vec::new(), None, None, None);
    for answer in answers {
        match answer {
            Ok((found, valid)) => {
                addresses.extend(found);
                until = Some(until.map_or(valid, |until: Instant| until.min(valid)));
            }
            Err(error) if error.is_no_records_found() => none = Some(error.to_string()),
            Err(error) => failed = Some(error.to_string()),
        }
    }
    let ttl = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
    let answer = match (addresses.is_empty(), failed, none) {
        (false, ..) => Answer::Addresses(addresses),
        (true, Some(why), _) => Answer::Failed(why),
        (true, None, why) => {
            Answer::None(why.unwrap_or_else(|| "there is no address of a kind that we reach".into()))
        }
    };
    Found { answer, ttl }
}

/// A name with a dot is one in full: domains to search would be asked first, and are somebody else's.
fn in_full(name: &str) -> String {
    match name.contains('.') && !name.ends_with('.') {
        true => format!("{name}."),
        false => name.to_owned(),
    }
}

fn server_at(server: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut config.connections {
        connection.port = server.port();
    }
    config
}

/// With one server that is silent, half of what a question may take.
const PATIENCE: Duration = Duration::from_secs(5);
