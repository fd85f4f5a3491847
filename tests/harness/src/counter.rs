//! Counting TCP packets on an interface that are not tunnel packets, at any rate, without a capture.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{NetNs, tool};

/// nft counters in a namespace; gone with it.
#[derive(Debug)]
pub struct Counter {
    netns: NetNs,
}

impl Counter {
    pub(crate) fn start(netns: &NetNs, interface: &str) -> Result<Self> {
        let mut rules = String::new();
        // One rule per port that returns: nft 1.0.6 joins two `!=` of one header into one compare
        // and counts wrongly.
        for (hook, direction) in [("prerouting", "iifname"), ("postrouting", "oifname")] {
            rules += &format!(
                "chain {hook} {{ type filter hook {hook} priority 300; policy accept;
                   {direction} != \"{interface}\" return
                   meta l4proto != tcp return
                   tcp dport 15008 counter name tunnel return
                   tcp sport 15008 counter name tunnel return
                   counter name other
                 }}\n"
            );
        }
        let table =
            format!("table inet weir_count {{\ncounter tunnel {{ }}\ncounter other {{ }}\n{rules}}}\n");
        nft(netns, &["-f", "-"], &table)?;
        Ok(Self { netns: netns.clone() })
    }

    /// (tunnel packets, other TCP packets) since the start.
    pub fn read(&self) -> Result<(u64, u64)> {
        let text = nft(&self.netns, &["-j", "list", "counters", "table", "inet", "weir_count"], "")?;
        let list: Value = serde_json::from_str(&text)?;
        let value = |name: &str| {
            let all = list["nftables"].as_array()?.iter();
            all.map(|entry| &entry["counter"]).find(|one| one["name"] == name)?["packets"].as_u64()
        };
        value("tunnel").zip(value("other")).with_context(|| format!("no counters in {text}"))
    }
}

/// nft works in the namespace of its process.
fn nft(netns: &NetNs, args: &[&str], input: &str) -> Result<String> {
    tool::feed("ip", &[&["netns", "exec", netns.name(), "nft"], args].concat(), input)
}
