//! Who sends.

use weir_proto::l7;

use super::blocks::Blocks;
use super::holds::Wanted;
use super::{Holds, Visit};
use crate::route::{Rejection, TextMatch, each};

#[derive(Debug)]
pub(super) struct Peer {
    principals: Wanted<TextMatch>,
    namespaces: Wanted<TextMatch>,
    trust_domains: Wanted<TextMatch>,
    source: Wanted<Blocks>,
    remote: Wanted<Blocks>,
}

impl Peer {
    pub(super) fn compile(form: &l7::Peer) -> Result<Self, Rejection> {
        let texts = |name: &str, any: &[_], none: &[_]| {
            let not = format!("not_{name}");
            let wanted = Wanted {
                any: each(name, any, TextMatch::compile)?,
                none: each(&not, none, TextMatch::compile)?,
            };
            Ok::<_, Rejection>(wanted)
        };
        let blocks = |name: &str, any: &[_], none: &[_]| {
            Ok::<_, Rejection>(Wanted {
                any: Blocks::compile(name, any)?,
                none: Blocks::compile(&format!("not_{name}"), none)?,
            })
        };
        Ok(Self {
            principals: texts("principals", &form.principals, &form.not_principals)?,
            namespaces: texts("namespaces", &form.namespaces, &form.not_namespaces)?,
            trust_domains: texts("trust_domains", &form.trust_domains, &form.not_trust_domains)?,
            source: blocks("ip_blocks", &form.ip_blocks, &form.not_ip_blocks)?,
            remote: blocks("remote_ip_blocks", &form.remote_ip_blocks, &form.not_remote_ip_blocks)?,
        })
    }

    pub(super) fn holds(&self, visit: &Visit<'_>) -> Holds {
        Holds::all([
            self.principals.holds_text(principal(visit.identity)),
            self.namespaces.holds_text(namespace(visit.identity)),
            self.trust_domains.holds_text(trust_domain(visit.identity)),
            self.source.holds(|blocks| blocks.contain(visit.source)),
            self.remote.holds(|blocks| blocks.contain(remote(visit))),
        ])
    }
}

/// `cluster.local/ns/shop/sa/web` of the SPIFFE id.
pub(super) fn principal(identity: Option<&str>) -> Option<&str> {
    identity.map(|identity| identity.strip_prefix("spiffe://").unwrap_or(identity))
}

/// The namespace is the proved one, never the one that an address belongs to.
pub(super) fn namespace(identity: Option<&str>) -> Option<&str> {
    let mut parts = principal(identity)?.split('/').skip(1);
    (parts.next() == Some("ns")).then(|| parts.next()).flatten()
}

/// `cluster.local` of the same.
pub(super) fn trust_domain(identity: Option<&str>) -> Option<&str> {
    principal(identity)?.split('/').next()
}

/// The original client's address. Nobody is trusted to say another than his own in X-Forwarded-For: inside of the mesh
/// there is no proxy before the waypoint that we would know of.
pub(super) fn remote(visit: &Visit<'_>) -> std::net::IpAddr {
    visit.source
}
