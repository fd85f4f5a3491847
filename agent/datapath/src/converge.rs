//! Brings one pod from what it is to what it should be.
//!
//! Enrolment, reconcile and the reaction to a new address are the same walk: each step looks at what is there, repairs what is not right,
//! and says what it did. The order is that of capture.md 4.4 and integration.md C2, C5 and C10: nothing is captured before somebody
//! listens, no address becomes own before its listeners are in their slots, and the cookie comes last.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::bpf::{NodePrograms, slots};
use crate::error::{DatapathError, Result};
use crate::holder::Holder;
use crate::listener::{self, Place};
use crate::netlink::{Family, RouteKind, Rule, RuleKind};
use crate::pod::{Held, Pod, Seat};
use crate::state::StateDir;
use crate::sysctl;

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
        self.snapshot = self.netlink.snapshot().map_err(DatapathError::system("list the pod's addresses"))?;
        self.forget_addresses(context, &mut done)?;
        self.forget_interfaces(context, &mut done)?;
        self.trouble = self.number_interfaces();

        self.sysctls(context, &mut done)?;
        self.rules(RuleKind::Guard, &mut done)?;
        self.routes(&mut done)?;
        self.rules(RuleKind::Capture, &mut done)?;

        self.open_listeners(context, &mut done)?;
        self.fill_slots(&mut done)?;
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

    /// Interfaces that are gone, down, or without an address.
    fn forget_interfaces(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        let captured: BTreeSet<u32> = self.snapshot.captured().into_keys().collect();
        for (index, _) in self.program.interfaces()? {
            if !captured.contains(&index) {
                self.program.remove_interface(index)?;
                done.push(format!("interface #{index} forgotten"));
            }
        }
        for index in self.numbers.indexes() {
            if captured.contains(&index) {
                continue;
            }
            self.numbers.release(index);
            let of_interface = |held: &mut Held| held.seat.interface.is_some_and(|(of, _)| of == index);
            let gone: Vec<Held> = self.listeners.extract_if(.., of_interface).collect();
            for held in &gone {
                listener::end(&held.socket);
                self.program.clear_slot(held.seat.slot())?;
            }
            if let Some(holder) = context.holder
                && !gone.is_empty()
            {
                holder.forget(self.netns.cookie(), gone.iter().map(|held| held.seat.slot()).collect());
            }
        }
        Ok(())
    }

    /// Gives every captured interface its number; says which one got none.
    fn number_interfaces(&mut self) -> Option<String> {
        let mut left_out = Vec::new();
        for (index, interface) in self.snapshot.captured() {
            if self.numbers.assign(index, slots::MAX_INTERFACES).is_none() {
                left_out.push(interface.name.clone());
            }
        }
        let limit = slots::MAX_INTERFACES;
        (!left_out.is_empty()).then(|| {
            format!(
                "more than {limit} interfaces: connections that come in by {} are refused",
                left_out.join(", ")
            )
        })
    }

    fn sysctls(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        let wrong = sysctl::wrong()?;
        if wrong.is_empty() {
            return Ok(());
        }
        for (path, value) in wrong {
            self.state.sysctls.entry(path).or_insert(value);
        }
        context.states.store(&self.state)?;
        done.extend(sysctl::apply()?);
        Ok(())
    }

    fn rules(&mut self, kind: RuleKind, done: &mut Vec<String>) -> Result<()> {
        for family in families() {
            let rule = Rule { family, kind };
            let action = || format!("set \"{}\"", rule.describe());
            let there = self.netlink.rules(family).map_err(DatapathError::system(action()))?;
            if !there.contains(&rule) {
                self.netlink.add_rule(rule).map_err(DatapathError::system(action()))?;
                done.push(rule.describe());
            }
        }
        Ok(())
    }

    /// Adds and replaces first and removes then: there is always a route for what is marked.
    fn routes(&mut self, done: &mut Vec<String>) -> Result<()> {
        self.loopback_v6 = sysctl::ipv6_on_loopback();
        for family in families() {
            let deliverable = family == Family::V4 || self.loopback_v6;
            let wanted = if deliverable {
                self.snapshot.routes(&self.spec.addresses, family, &self.numbers)
            } else {
                Vec::new()
            };
            let there =
                self.netlink.routes(family).map_err(DatapathError::system("list the pod's routes"))?;
            for route in &wanted {
                if there.iter().any(|found| found.route == Some(*route)) {
                    continue;
                }
                match self.netlink.replace_route(route) {
                    Ok(()) => done.push(route.describe()),
                    // It only makes the error nicer; without it the guard rule drops just the same.
                    Err(error) if route.kind == RouteKind::Unreachable => {
                        tracing::debug!(pod = self.spec.uid, %error, "no unreachable route")
                    }
                    Err(source) => {
                        return Err(DatapathError::System {
                            action: format!("set \"{}\"", route.describe()),
                            source,
                        });
                    }
                }
            }
            for found in there {
                // A route with the metric of a wanted one has been replaced above.
                let replaced =
                    found.route.is_some_and(|route| wanted.iter().any(|w| w.metric == route.metric));
                if !replaced {
                    self.netlink
                        .remove_route(&found)
                        .map_err(DatapathError::system("remove a route of the pod"))?;
                    done.push(found.route.map_or("foreign route removed".to_owned(), |route| {
                        format!("removed \"{}\"", route.describe())
                    }));
                }
            }
        }
        Ok(())
    }

    /// Makes the listeners that are missing or have ended.
    fn open_listeners(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        self.listeners.retain(|held| listener::is_listening(&held.socket));
        let known = self.listeners.len();
        for seat in Seat::all(context.workers, &self.numbers) {
            if self.listeners.iter().any(|held| held.seat == seat) {
                continue;
            }
            let device = match seat.interface {
                Some((index, _)) => match self.snapshot.interfaces.get(&index) {
                    Some(interface) => Some(interface.name.as_str()),
                    None => continue,
                },
                None => None,
            };
            let place = Place { kind: seat.kind, device, port: self.state.port };
            let action = || format!("listen in the pod for {:?} on port {}", seat.kind, self.state.port);
            let socket = listener::listen(place).map_err(DatapathError::system(action()))?;
            // Before it is in its slot: a child accepted earlier would be bound to lo by sock_ops.
            context.node.tag_listener(&socket)?;
            let held = Held { seat, socket };
            let handed = held.hand_out().map_err(DatapathError::system("duplicate a listener"))?;
            // During enrolment nobody reads yet; the agent gets duplicates of all listeners then.
            let _ = self.fresh.send(handed);
            self.listeners.push(held);
            done.push(format!("{:?} listener of worker {}", seat.kind, seat.worker));
        }
        if let Some(holder) = context.holder {
            let new: Vec<_> =
                self.listeners.iter().skip(known).map(|held| (held.seat.slot(), &held.socket)).collect();
            holder.keep(self.netns.cookie(), &new);
        }
        Ok(())
    }

    fn fill_slots(&mut self, done: &mut Vec<String>) -> Result<()> {
        for held in &self.listeners {
            let slot = held.seat.slot();
            let cookie =
                listener::cookie(&held.socket).map_err(DatapathError::system("read a listener's cookie"))?;
            if self.program.slot_cookie(slot)? != Some(cookie) {
                self.program.set_slot(slot, &held.socket)?;
                done.push(format!("slot {slot}"));
            }
        }
        Ok(())
    }

    fn map_interfaces(&mut self, done: &mut Vec<String>) -> Result<()> {
        let there = self.program.interfaces()?;
        for index in self.numbers.indexes() {
            let Some(number) = self.numbers.get(index) else {
                continue;
            };
            let base = slots::interface_base(number);
            if !there.contains(&(index, base)) {
                self.program.set_interface(index, base)?;
                done.push(format!("interface #{index}"));
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

/// IPv4, and IPv6 where the kernel has it at all.
pub(crate) fn families() -> Vec<Family> {
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        vec![Family::V4, Family::V6]
    } else {
        vec![Family::V4]
    }
}
