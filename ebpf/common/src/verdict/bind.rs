//! bind4/6: which bind gets SO_REUSEADDR.

use crate::TCP;

/// An app's explicit port may be the local port of the agent's children (open or in TIME_WAIT), so every explicit TCP
/// bind of an enrolled pod gets SO_REUSEADDR. Port 0 stays alone: with the option the kernel would hand out one port
/// to several sockets.
#[inline(always)]
pub const fn bind(enrolled: bool, protocol: u32, port: u16) -> bool {
    enrolled && protocol == TCP && port != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_tcp_ports_of_enrolled_pods() {
        for (enrolled, protocol, port, expected) in [
            (true, TCP, 8080, true),
            (true, TCP, 1, true),
            (true, TCP, 0, false),
            (true, 17, 53, false),
            (false, TCP, 8080, false),
        ] {
            assert_eq!(bind(enrolled, protocol, port), expected, "{enrolled} {protocol} {port}");
        }
    }
}
