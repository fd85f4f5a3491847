//! The part of the walk that listens: interfaces and their numbers, sockets, slots.

use std::collections::BTreeSet;

use super::Context;
use crate::bpf::slots;
use crate::error::{DatapathError, Result};
use crate::listener::{self, Place};
use crate::pod::{Held, Pod, Seat};

impl Pod {
    /// Interfaces that are gone, down, or without an address.
    pub(super) fn forget_interfaces(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
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
    pub(super) fn number_interfaces(&mut self) -> Option<String> {
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

    /// Makes the listeners that are missing or have ended.
    pub(super) fn open_listeners(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
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

    /// Puts each listener into its slot, marked as the agent's before: a child accepted earlier would be bound to lo by sock_ops.
    pub(super) fn fill_slots(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        for held in &self.listeners {
            let slot = held.seat.slot();
            let cookie =
                listener::cookie(&held.socket).map_err(DatapathError::system("read a listener's cookie"))?;
            if self.program.slot_cookie(slot)? != Some(cookie) {
                context.node.tag_listener(&held.socket)?;
                self.program.set_slot(slot, &held.socket)?;
                done.push(format!("slot {slot}"));
            }
        }
        Ok(())
    }

    pub(super) fn map_interfaces(&mut self, done: &mut Vec<String>) -> Result<()> {
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
}
