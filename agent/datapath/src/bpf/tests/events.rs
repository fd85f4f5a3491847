//! Connection events from real connections.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rustix::mount::{MountFlags, mount};

use super::stage::{Stage, add_address, eventually, listen, on_stage};
use crate::{
    bpf::NodePrograms,
    events::{Event, EventKind, EventStream, ExemptReason, Role},
};

/// A pod whose own addresses are reachable, so that connections come up without an agent.
fn pod(stage: &Stage) -> NodePrograms {
    add_address("10.9.1.2");
    add_address("10.9.1.3");
    stage.enrolled()
}

/// The next event that `wanted` accepts; others are skipped.
fn next(stream: &mut EventStream, wanted: impl Fn(&Event) -> bool) -> Event {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut seen = Vec::new();
        loop {
            match tokio::time::timeout(Duration::from_secs(10), stream.next()).await {
                Ok(Some(event)) if wanted(&event) => return event,
                Ok(Some(event)) => seen.push((event.kind, event.role, event.destination)),
                other => panic!("no such event ({other:?}) after {seen:#?}"),
            }
        }
    })
}

/// The reader attaches the tracepoint in its own time; a connection from outside of the pods' cgroup tells when.
fn wait_for_tracepoint(stage: &Stage, stream: &mut EventStream) {
    let listener = listen("10.9.1.2:9999");
    let at: SocketAddr = listener.local_addr().unwrap();
    let seen = eventually(|| {
        stage.within("kubelet", || drop(TcpStream::connect(at).unwrap()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(20), stream.next()).await {
                if event.kind == EventKind::Outside {
                    return true;
                }
            }
            false
        })
    });
    assert!(seen, "the tracepoint reports nothing");
}

#[test]
fn the_life_of_a_captured_connection() {
    on_stage(|stage| {
        let node = pod(stage);
        let mut stream = node.events().unwrap();
        wait_for_tracepoint(stage, &mut stream);
        let listener = listen("10.9.1.3:8080");
        let at: SocketAddr = listener.local_addr().unwrap();
        let (client, agent_id) = stage.within("pods/app", || {
            let mut client = TcpStream::connect(at).unwrap();
            client.write_all(&[1; 1000]).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            server.read_exact(&mut [0; 1000]).unwrap();
            server.write_all(&[2; 500]).unwrap();
            client.read_exact(&mut [0; 500]).unwrap();
            let from = client.local_addr().unwrap();
            drop(server);
            // The client ends second, so both ends are through without TIME_WAIT here.
            let _ = client.read(&mut [0; 1]);
            drop(client);
            (from, stage.cgroup_id("pods/app"))
        });
        let captured = next(&mut stream, |event| event.kind == EventKind::Captured);
        assert_eq!((captured.destination, captured.source, captured.role), (at, None, Role::Client));
        assert_eq!(captured.netns_cookie, stage.cookie());
        assert_eq!((captured.pid, captured.cgroup_id), (Some(std::process::id()), Some(agent_id)));
        assert!(!captured.comm.is_empty());
        let of_client =
            |kind: EventKind| move |event: &Event| event.kind == kind && event.role == Role::Client;
        let connect = next(&mut stream, of_client(EventKind::Connect));
        assert_eq!((connect.source, connect.destination), (Some(client), at));
        assert_eq!(connect.socket_cookie, captured.socket_cookie);
        let established = next(&mut stream, |event| event.kind == EventKind::Established);
        assert_eq!((established.source, established.destination), (Some(client), at));
        let closed = next(&mut stream, of_client(EventKind::Closed { established: true }));
        assert_eq!((closed.bytes_sent, closed.bytes_received), (1000, 500));
        assert_eq!((closed.source, closed.destination), (Some(client), at));
        assert_eq!(closed.socket_cookie, captured.socket_cookie);
        assert!(closed.rtt.is_some() && closed.duration.is_some_and(|time| time < Duration::from_secs(5)));
        assert_eq!(closed.lost, 0);
        let age = closed.time.elapsed().unwrap();
        assert!(age < Duration::from_secs(10), "{age:?}");
    });
}

#[test]
fn exempt_connections_say_why() {
    on_stage(|stage| {
        let node = pod(stage);
        let mut stream = node.events().unwrap();
        let listener = listen("0.0.0.0:8080");
        for (cgroup, to, reason) in [
            ("pods/app", "127.0.0.1:8080", ExemptReason::Loopback),
            ("pods/app", "10.9.1.2:8080", ExemptReason::Own),
            ("pods/agent", "10.9.1.3:8080", ExemptReason::Agent),
        ] {
            let at: SocketAddr = to.parse().unwrap();
            stage.within(cgroup, || drop(TcpStream::connect(at).unwrap()));
            let event = next(&mut stream, |event| matches!(event.kind, EventKind::Exempt(_)));
            assert_eq!((event.kind, event.destination), (EventKind::Exempt(reason), at));
        }
        node.unenrol(stage.cookie()).unwrap();
        stage.within("pods/app", || drop(TcpStream::connect("10.9.1.3:8080").unwrap()));
        let event = next(&mut stream, |event| matches!(event.kind, EventKind::Exempt(_)));
        assert_eq!(event.kind, EventKind::Exempt(ExemptReason::NotEnrolled));
        drop(listener);
    });
}

#[test]
fn a_connection_that_never_came_up_is_told() {
    on_stage(|stage| {
        let node = pod(stage);
        let mut stream = node.events().unwrap();
        let at: SocketAddr = "10.9.1.3:9".parse().unwrap();
        stage.within("pods/app", || TcpStream::connect(at).unwrap_err());
        let event = next(&mut stream, |event| matches!(event.kind, EventKind::Closed { .. }));
        assert_eq!((event.kind, event.destination), (EventKind::Closed { established: false }, at));
    });
}

#[test]
fn the_tracepoint_sees_what_the_cgroup_hooks_do_not() {
    on_stage(|stage| {
        let node = pod(stage);
        let listener = listen("10.9.1.2:8080");
        let at: SocketAddr = listener.local_addr().unwrap();
        // Older than the trace.
        let old = stage.within("pods/app", || TcpStream::connect(at).unwrap());
        let old_from = old.local_addr().unwrap();
        let accepted = listener.accept().unwrap().0;
        let mut stream = node.events().unwrap();
        wait_for_tracepoint(stage, &mut stream);
        drop(accepted);
        drop(old);
        let closed = next(&mut stream, |event| event.source == Some(old_from) && event.destination == at);
        assert_eq!((closed.kind, closed.role), (EventKind::Closed { established: true }, Role::Unknown));
        assert_eq!(closed.duration, None);
        // In the pod's namespace, but not in the pods' cgroup.
        stage.within("kubelet", || drop(TcpStream::connect(at).unwrap()));
        let outside = next(&mut stream, |event| event.kind == EventKind::Outside);
        assert_eq!((outside.destination, outside.pid), (at, Some(std::process::id())));
        assert_eq!(outside.source, None, "the port is not chosen yet");
    });
}

/// A kernel without BTF: no tracepoint, and sock_ops tells of the end.
#[test]
fn without_the_tracepoint_sock_ops_reports_the_end() {
    on_stage(|stage| {
        let node = pod(stage);
        // The stage's own mount namespace; the reader's thread inherits it.
        mount("tmpfs", "/sys/kernel/btf", "tmpfs", MountFlags::empty(), None).unwrap();
        let mut stream = node.events().unwrap();
        let listener = listen("[::]:8080");
        add_address("fd09::3");
        for to in ["10.9.1.3:8080", "[fd09::3]:8080", "[::ffff:10.9.1.3]:8080"] {
            let at: SocketAddr = to.parse().unwrap();
            stage.within("pods/app", || {
                let mut client = TcpStream::connect(at).unwrap();
                client.write_all(&[1; 1000]).unwrap();
                let (mut server, _) = listener.accept().unwrap();
                server.read_exact(&mut [0; 1000]).unwrap();
                server.write_all(&[2; 500]).unwrap();
                client.read_exact(&mut [0; 500]).unwrap();
                drop(server);
                let _ = client.read(&mut [0; 1]);
            });
            let closed = next(&mut stream, |event| matches!(event.kind, EventKind::Closed { .. }));
            let canonical = SocketAddr::new(at.ip().to_canonical(), at.port());
            assert_eq!((closed.role, closed.destination), (Role::Client, canonical), "{to}");
            assert_eq!((closed.bytes_sent, closed.bytes_received), (1000, 500), "{to}");
        }
    });
}

#[test]
fn nothing_is_reported_when_nobody_reads() {
    on_stage(|stage| {
        let node = pod(stage);
        let listener = listen("10.9.1.3:8080");
        let connect = || stage.within("pods/app", || drop(TcpStream::connect("10.9.1.3:8080").unwrap()));
        connect();
        let first = node.events().unwrap();
        let mut second = node.events().unwrap();
        drop(first);
        connect();
        let event = next(&mut second, |event| event.kind == EventKind::Captured);
        drop(second);
        connect();
        // A new stream does not see what happened in between.
        let mut third = node.events().unwrap();
        connect();
        let later = next(&mut third, |event| event.kind == EventKind::Captured);
        assert!(later.time > event.time);
        assert_eq!(node.counters().unwrap().get(weir_ebpf_common::Counter::Captured), 4);
        drop(listener);
    });
}

#[test]
fn streams_end_with_the_node() {
    on_stage(|stage| {
        let node = pod(stage);
        let mut stream = node.events().unwrap();
        drop(node);
        assert_eq!(stream.blocking_next(), None);
    });
}
