//! Who may speak to whom, by what a connection shows.

use anyhow::Result;
use serde_json::json;
use weir_harness::until_ok;

use crate::namespace::{Namespace, Policy};
use crate::shop::Shop;
use crate::watch::LONG;

/// Only the mesh may speak to this namespace.
pub(super) fn strict(namespace: &Namespace) -> Result<Policy> {
    namespace.policy("PeerAuthentication", "default", json!({"mtls": {"mode": "STRICT"}}))
}

/// The proof that it is mTLS: without it, nothing passes.
pub(super) fn strict_keeps_out_who_has_no_identity(shop: &Shop) -> Result<()> {
    shop.outsider.reach(&shop.url)?;
    let strict = strict(&shop.home)?;
    until_ok("the outsider to be refused", LONG, || shop.outsider.is_refused(&shop.url))?;
    shop.client.reach(&shop.url)?;
    strict.end()?;
    until_ok("the outsider to be let in", LONG, || shop.outsider.reach(&shop.url))?;
    Ok(())
}

/// Two pods of one namespace on one node differ by their account alone.
pub(super) fn accounts_are_allowed_and_denied(shop: &Shop) -> Result<()> {
    let from = |name: &str| {
        let principal = format!("cluster.local/ns/{}/sa/{name}", shop.home.name);
        json!([{"from": [{"source": {"principals": [principal]}}]}])
    };
    let server = json!({"matchLabels": {"app": "server"}});
    shop.thief.reach(&shop.url)?;
    let allow = json!({"selector": server, "action": "ALLOW", "rules": from("client")});
    let allow = shop.home.policy("AuthorizationPolicy", "allow", allow)?;
    until_ok("the thief to be refused", LONG, || shop.thief.is_refused(&shop.url))?;
    shop.client.reach(&shop.url)?;
    shop.outsider.is_refused(&shop.url)?;

    let deny = json!({"selector": server, "action": "DENY", "rules": from("client")});
    let deny = shop.home.policy("AuthorizationPolicy", "deny", deny)?;
    until_ok("the client to be refused", LONG, || shop.client.is_refused(&shop.url))?;
    allow.end()?;
    until_ok("the thief to be let in", LONG, || shop.thief.reach(&shop.url))?;
    shop.client.is_refused(&shop.url)?;
    deny.end()?;
    until_ok("the client to be let in", LONG, || shop.client.reach(&shop.url))?;
    Ok(())
}
