//! Handshakes between good and bad parties, over memory.

mod bytes;
mod chains;
mod openssl;
mod peers;
mod terms;

use std::sync::Arc;

use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ServerConfig};
use weir_model::Identity;

use super::{Context, expecting, explain};
use crate::fixture::{Leaf, Refused, TestCa, Wall, handshake, id};
use crate::peer_identity;
use crate::revocation::Revocations;
use crate::trust::Trust;

/// A mesh of one root, where both sides may be given any certificate.
pub(super) struct Mesh {
    pub(super) wall: Wall,
    pub(super) root: TestCa,
    pub(super) context: Context,
}

impl Mesh {
    pub(super) fn new() -> Self {
        Self::at(Wall::new())
    }

    pub(super) fn at(wall: Wall) -> Self {
        let root = TestCa::root("root", wall.now());
        let context = Context::new(wall.clock(), Arc::new(Revocations::open(None).unwrap()));
        Self { wall, root, context }
    }

    pub(super) fn leaf(&self, account: &str) -> Leaf {
        Leaf::of(&id(account), self.wall.now())
    }

    pub(super) fn trust(&self, roots: &[&TestCa]) -> Arc<Trust> {
        let roots: Vec<_> = roots.iter().map(|root| root.certificate.clone()).collect();
        let algorithms = self.context.provider.signature_verification_algorithms;
        Arc::new(Trust::new(&roots, algorithms, self.context.revocations.clone()).unwrap())
    }

    pub(super) fn client(
        &self,
        key: Arc<SingleCertAndKey>,
        roots: &[&TestCa],
        expected: &[Identity],
    ) -> Arc<ClientConfig> {
        let trust = self.trust(roots);
        let template = self.context.client(key, trust.clone()).unwrap();
        Arc::new(expecting(&template, trust, expected.into()))
    }

    pub(super) fn server(&self, key: Arc<SingleCertAndKey>, roots: &[&TestCa]) -> Arc<ServerConfig> {
        Arc::new(self.context.server(&id("server"), key, self.trust(roots)).unwrap())
    }

    /// A client with this certificate meets a good server.
    pub(super) fn admit(&self, client: Leaf) -> Result<Identity, Refused> {
        let client = self.client(self.root.key(&client), &[&self.root], &[id("server")]);
        let server = self.server(self.root.key(&self.leaf("server")), &[&self.root]);
        let (_, server) = handshake(client, server)?;
        Ok(peer_identity(server.peer_certificates().unwrap()).unwrap())
    }

    /// A good client that expects `expected` meets a server with this certificate.
    pub(super) fn dial(&self, server: Leaf, expected: &[Identity]) -> Result<Identity, Refused> {
        let client = self.client(self.root.key(&self.leaf("client")), &[&self.root], expected);
        let server = self.server(self.root.key(&server), &[&self.root]);
        let (client, _) = handshake(client, server)?;
        Ok(peer_identity(client.peer_certificates().unwrap()).unwrap())
    }
}

pub(super) fn server_says(outcome: Result<Identity, Refused>) -> String {
    explain(&outcome.unwrap_err().server.unwrap())
}

pub(super) fn client_says(outcome: Result<Identity, Refused>) -> String {
    explain(&outcome.unwrap_err().client.unwrap())
}
