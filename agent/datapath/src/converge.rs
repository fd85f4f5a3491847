//! Brings one pod from what it is to what it should be.
//!
//! Enrolment, reconcile and the reaction to a new address are the same walk: each step looks at what is there, repairs what is not right,
//! and says what it did. The order is that of capture.md 4.4 and integration.md C2, C5 and C10: nothing is captured before somebody
//! listens, no address becomes own before its listeners are in their slots, and the cookie comes last.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::bpf::NodePrograms;
use crate::error::{DatapathError, Result};
use crate::holder::Holder;
use crate::netlink::RuleKind;
use crate::pod::Pod;
use crate::state::StateDir;

mod listeners;
mod routing;

pub(crate) use routing::families;

/// What a walk needs besides the pod.
pub(crate) struct Context<'a> {
    pub(crate) node: &'a NodePrograms,
    pub(crate) states: &'a StateDir,
    pub(crate) workers: u32,
    pub(crate) holder: Option<&'a Holder>,
}

impl Pod {
    /// One walk. Runs inside the pod's namespace. Returns what it had to do; an error leaves the pod closed, never open.
    pub(crate) fn converge(&mut self, context: &Context<'_>) -> Result<Vec<String>> {
        let mut done = Vec::new();
        // First of all: what carries the mark does not leave, whichever of the following steps fails.
        self.rules(RuleKind::Guard, &mut done)?;
        self.snapshot = self.netlink.snapshot().map_err(DatapathError::system("list the pod's addresses"))?;
        self.forget_addresses(context, &mut done)?;
        self.forget_interfaces(context, &mut done)?;
        self.trouble = self.number_interfaces();

        self.sysctls(context, &mut done)?;
        self.routes(&mut done)?;
        self.rules(RuleKind::Capture, &mut done)?;

        self.open_listeners(context, &mut done)?;
        self.fill_slots(context, &mut done)?;
        if self.program.workers()? != context.workers {
            self.program.set_workers(context.workers)?;
            done.push(format!("{} workers", context.workers));
        }
        self.map_interfaces(&mut done)?;
        self.learn_addresses(context, &mut done)?;
        self.probe_ports(context)?;

        if !self.program.alive() {
            self.program.attach()?;
            done.push("sk_lookup link".to_owned());
        }
        if !context.node.is_enrolled(self.netns.cookie())? {
            context.node.enrol(self.netns.cookie())?;
            done.push("enrolled cookie".to_owned());
        }
        Ok(done)
    }

    /// Own addresses that the pod has no longer.
    fn forget_addresses(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        let own = self.snapshot.own();
        for ip in self.program.own()? {
            if !own.contains(&ip) {
                context.node.own_remove(self.netns.cookie(), ip)?;
                self.program.own_remove(ip)?;
                done.push(format!("address {ip} forgotten"));
            }
        }
        Ok(())
    }

    /// sk_lookup learns an address before the connect hook does: the other way round a call of the pod to itself would be dropped.
    fn learn_addresses(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        let own = self.snapshot.own();
        self.sockets.set_own(own.clone());
        let there = self.program.own()?;
        for ip in own {
            if !there.contains(&ip) {
                self.program.own_add(ip)?;
                done.push(format!("address {ip}"));
            }
            context.node.own_add(self.netns.cookie(), ip)?;
        }
        Ok(())
    }

    fn probe_ports(&mut self, context: &Context<'_>) -> Result<()> {
        let ips = self.spec.addresses.iter().copied();
        let wanted: BTreeSet<(IpAddr, u16)> =
            ips.flat_map(|ip| self.spec.probe_ports.iter().map(move |port| (ip, *port))).collect();
        for (ip, port) in self.probes.difference(&wanted) {
            context.node.probe_port_remove(*ip, *port)?;
        }
        for (ip, port) in &wanted {
            context.node.probe_port_add(*ip, *port)?;
        }
        self.probes = wanted;
        Ok(())
    }
}
