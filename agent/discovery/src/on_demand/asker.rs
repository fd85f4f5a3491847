//! Over the wire: who asks, and the stream on which it does.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use weir_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

use super::{Client, Outcome};
use crate::channel::ControlChannel;
use crate::follow::{Follower, Metrics, Status, Subscriber, complain};
use crate::xds::NodeInfo;

/// Who asks for resources by name, and knows what they mean.
pub trait Asker: Send + Sync {
    /// Takes a resource that was asked for. It is not in force before [`Asker::settle`].
    ///
    /// # Errors
    /// It is refused; what was held before stays.
    fn put(&mut self, type_url: &'static str, name: &str, body: &Bytes) -> Result<(), String>;

    /// Takes that there is no such resource.
    fn remove(&mut self, type_url: &'static str, name: &str);

    /// Puts in force what has come in, as far as it goes together, and says what is wanted from now on: all of it, by
    /// type. Called once before anything is asked for.
    fn settle(&mut self) -> Vec<(&'static str, BTreeSet<String>)>;

    /// Something else has come to be wanted, and [`Asker::settle`] says what. Dropped, it loses nothing.
    fn woken(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// All that is refused now, as type, name and reason; before [`Asker::settle`].
    fn refused(&mut self, refused: &mut dyn Iterator<Item = (&'static str, &str, &str)>);
}

/// Gives `asker` what it asks for, until it is dropped. What it holds stays in force while there is no control plane.
/// `status` is ready when all that was wanted at one time was answered for.
pub async fn run(
    node: NodeInfo,
    types: &[&'static str],
    channel: ControlChannel,
    asker: impl Asker,
    status: Arc<Status>,
    metrics: Metrics,
) -> Infallible {
    let client = Client::new(node.message(), types);
    let mut subscriber = Asking { client, asker, status: status.clone() };
    // Said by the first requests of each stream.
    subscriber.settle();
    Follower { channel, status, metrics, subscriber }.run().await
}

/// A client and who is behind it.
struct Asking<A> {
    client: Client,
    asker: A,
    status: Arc<Status>,
}

impl<A: Asker> Asking<A> {
    /// What the stream has to be told of what is wanted now.
    fn settle(&mut self) -> Vec<DeltaDiscoveryRequest> {
        self.asker.refused(&mut self.client.rejected());
        let wanted = self.asker.settle();
        wanted.into_iter().filter_map(|(type_url, names)| self.client.want(type_url, names)).collect()
    }
}

impl<A: Asker> Subscriber for Asking<A> {
    fn open(&mut self) -> Vec<DeltaDiscoveryRequest> {
        self.client.open()
    }

    async fn take(&mut self, response: DeltaDiscoveryResponse) -> Vec<DeltaDiscoveryRequest> {
        let type_url = response.type_url.clone();
        let asker = &mut self.asker;
        let outcome = self.client.receive(response, &mut |url, name, body| asker.put(url, name, body));
        let Outcome { answer, changed, refused, more } = outcome;
        complain(&type_url, &refused);
        for (url, name) in changed.iter().filter(|(url, name)| self.client.get(url, name).is_none()) {
            self.asker.remove(url, name);
        }
        let mut requests = vec![answer];
        if !more {
            requests.extend(self.settle());
        }
        tracing::debug!(%type_url, changed = changed.len(), refused = refused.len(), more, "response");
        let is_ready = !more && self.client.is_answered();
        self.status.learned(is_ready, self.client.rejected().map(|(_, name, why)| (name, why)));
        requests
    }

    fn is_answered(&self) -> bool {
        self.client.is_answered()
    }

    fn woken(&self) -> impl Future<Output = ()> + Send {
        self.asker.woken()
    }

    fn ask(&mut self) -> Vec<DeltaDiscoveryRequest> {
        self.settle()
    }
}

#[cfg(test)]
mod tests;
