//! A connection that is about to be made.

use std::net::SocketAddr;

use crate::proxy::connect::{ConnectError, Target, introduce};
use crate::proxy::wire::Stream;
use crate::proxy::worker::Worker;

/// Everything that is needed for it.
pub(super) struct Opening {
    pub(super) target: Target,
    pub(super) client: SocketAddr,
    pub(super) destination: SocketAddr,
}

impl Opening {
    pub(super) async fn open(self, worker: &Worker) -> Result<Stream, ConnectError> {
        let version = self.target.cluster.proxy_protocol;
        let mut stream = worker.connector.connect(self.target).await?;
        if version > 0 {
            introduce(&mut stream, version, self.client, self.destination).await?;
        }
        Ok(stream)
    }
}
