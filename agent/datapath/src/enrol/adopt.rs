//! What an earlier agent left of a pod: its listeners, and the numbers of its interfaces.

use crate::address::{InterfaceNumbers, Snapshot};
use crate::bpf::slots;
use crate::datapath::Node;
use crate::listener;
use crate::pod::{Held, Seat};
use crate::state::State;

impl Node {
    /// The very sockets of an earlier agent, where a holder has them: connections wait in their queues. Those that do not fit what this
    /// agent wants (fewer workers, another interface) are let go; their queues move to the others of their group.
    pub(super) fn adopt_listeners(
        &self,
        state: &State,
        snapshot: &Snapshot,
        numbers: &InterfaceNumbers,
    ) -> Vec<Held> {
        let Some(holder) = &self.holder else { return Vec::new() };
        let seats = Seat::all(self.config.workers as u32, numbers);
        let (mut adopted, mut unwanted) = (Vec::new(), Vec::new());
        for (slot, socket) in holder.take(state.cookie) {
            match seats.iter().find(|seat| seat.slot() == slot) {
                Some(seat) if fits(&socket, *seat, state.port, snapshot) => {
                    adopted.push(Held { seat: *seat, socket })
                }
                _ => unwanted.push(slot),
            }
        }
        if !unwanted.is_empty() {
            holder.forget(state.cookie, unwanted);
        }
        adopted
    }
}

/// A held socket is what this agent would make for the seat.
fn fits(socket: &std::net::TcpListener, seat: Seat, port: u16, snapshot: &Snapshot) -> bool {
    let device = socket2::SockRef::from(socket).device().ok().flatten();
    let expected = seat
        .interface
        .and_then(|(index, _)| snapshot.interfaces.get(&index))
        .map(|interface| interface.name.as_bytes());
    listener::is_listening(socket)
        && socket.local_addr().is_ok_and(|address| address.port() == port)
        && device.as_deref() == expected
}

/// The numbers that an earlier agent gave to the interfaces: its listeners may still be in those slots.
pub(super) fn adopt_numbers(interfaces: &[(u32, u32)]) -> InterfaceNumbers {
    let mut numbers = InterfaceNumbers::default();
    for (index, base) in interfaces {
        let number = (0..slots::MAX_INTERFACES).find(|number| slots::interface_base(*number) == *base);
        if let Some(number) = number {
            numbers.adopt(*index, number);
        }
    }
    numbers
}
