//! sock_ops: which accepted sockets are tied to lo.

use std::net::{SocketAddr, TcpListener, TcpStream};

use weir_ebpf_common::{Counter, MARK};

use super::stage::{listen, on_stage, socket, sysctl};

/// The agent connects with this mark; the device of what the app accepts.
fn delivered(stage: &super::stage::Stage, listener: &TcpListener, mark: u32) -> (Option<Vec<u8>>, TcpStream) {
    let at: SocketAddr = listener.local_addr().unwrap();
    let client = stage.within("pods/agent", || {
        let socket = socket(at.ip());
        socket.set_mark(mark).unwrap();
        socket.connect(&at.into()).unwrap();
        TcpStream::from(socket)
    });
    let (accepted, _) = listener.accept().unwrap();
    (socket2::SockRef::from(&accepted).device().unwrap(), client)
}

#[test]
fn a_delivery_is_tied_to_lo() {
    on_stage(|stage| {
        let node = stage.enrolled();
        sysctl("net/ipv4/tcp_fwmark_accept", "1");
        for at in ["127.0.0.1:8080", "[::1]:8080"] {
            let listener = stage.within("pods/app", || listen(at));
            let (device, _client) = delivered(stage, &listener, MARK);
            assert_eq!(device.as_deref(), Some(&b"lo"[..]), "{at}");
            assert_eq!(delivered(stage, &listener, 0).0, None, "{at} without the mark");
            assert_eq!(delivered(stage, &listener, MARK ^ 0x100).0, None, "{at} with another mark");
        }
        let counters = node.counters().unwrap();
        assert_eq!((counters.get(Counter::LoBound), counters.get(Counter::LoBindFailed)), (2, 0));

        node.unenrol(stage.cookie()).unwrap();
        let listener = stage.within("pods/app", || listen("127.0.0.1:8081"));
        assert_eq!(delivered(stage, &listener, MARK).0, None, "not enrolled");
    });
}

#[test]
fn the_agents_own_children_are_not() {
    on_stage(|stage| {
        let node = stage.enrolled();
        sysctl("net/ipv4/tcp_fwmark_accept", "1");
        for at in ["127.0.0.1:8080", "[::1]:8080"] {
            let listener = stage.within("pods/agent", || listen(at));
            node.tag_listener(&listener).unwrap();
            assert_eq!(delivered(stage, &listener, MARK).0, None, "{at}");
        }
        assert_eq!(node.counters().unwrap().get(Counter::LoBound), 0);
    });
}

#[test]
fn a_listener_that_chose_its_device_keeps_it() {
    on_stage(|stage| {
        let node = stage.enrolled();
        sysctl("net/ipv4/tcp_fwmark_accept", "1");
        let listener = stage.within("pods/app", || {
            let listener = listen("127.0.0.1:8080");
            socket2::SockRef::from(&listener).bind_device(Some(b"lo")).unwrap();
            listener
        });
        assert_eq!(delivered(stage, &listener, MARK).0.as_deref(), Some(&b"lo"[..]));
        assert_eq!(node.counters().unwrap().get(Counter::LoBound), 0, "the hook left it alone");
    });
}
