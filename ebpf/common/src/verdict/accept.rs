//! sock_ops at PASSIVE_ESTABLISHED: which accepted socket is tied to lo.

/// An accepted socket, as sock_ops sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its namespace is an enrolled pod.
    pub enrolled: bool,
    /// SO_MARK, inherited from the SYN (sysctl tcp_fwmark_accept).
    pub mark: u32,
    /// Its listener is the agent's.
    pub agents: bool,
    /// SO_BINDTODEVICE of its listener, 0 = none.
    pub device: u32,
}

/// The app's end of a delivery is tied to lo, so that the real client's next SYN with the same port cannot meet it.
/// Not the agent's own children, which carry the mark too (outbound) and belong to other devices; not a socket whose
/// listener chose a device. `mark` is the configured one, compared with all 32 bits.
#[inline(always)]
pub const fn accept(socket: &Accepted, mark: u32) -> bool {
    socket.enrolled && socket.mark == mark && !socket.agents && socket.device == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MARK;

    #[test]
    fn deliveries_only() {
        let app = Accepted { enrolled: true, mark: MARK, agents: false, device: 0 };
        for (name, socket, expected) in [
            ("delivery to the app", app, true),
            ("not enrolled", Accepted { enrolled: false, ..app }, false),
            ("from outside", Accepted { mark: 0, ..app }, false),
            ("one bit off", Accepted { mark: MARK ^ 1, ..app }, false),
            ("agent's child", Accepted { agents: true, ..app }, false),
            ("listener bound to a device", Accepted { device: 2, ..app }, false),
        ] {
            assert_eq!(accept(&socket, MARK), expected, "{name}");
        }
    }
}
