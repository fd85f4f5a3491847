//! The functional self-test: capture works on this kernel, or the agent does not start.
//!
//! It does not ask for versions or features. It enrols a scratch namespace the way a pod is enrolled, sends real connections through in
//! both directions, and looks at who sees which address. A child process plays the app, because the hooks of the pods' cgroup see
//! processes by their cgroup.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::datapath::Node;
use crate::error::{DatapathError, Result};
use crate::listener::ListenerKind;
use crate::pod::{EnrolledPod, PodSpec};
use crate::scratch::Scratch;

mod app;

use app::{APP_PORT, App, CLOSED_PORT, REMOTE_PORT};

/// Runs the test; under 300 ms, some tens where all is well.
pub(crate) fn run(node: &Node) -> Result<()> {
    let begin = Instant::now();
    run_with(node, |_| Ok(()))?;
    tracing::info!(milliseconds = begin.elapsed().as_millis() as u64, mode = "primary", "self-test passed");
    Ok(())
}

/// Runs the test on a pod that `tamper` has changed after its enrolment: the tests use it to see the test fail.
pub(crate) fn run_with(node: &Node, tamper: impl FnOnce(&Scratch) -> io::Result<()>) -> Result<()> {
    let scratch = Scratch::new().map_err(|error| {
        failed(
            "make a scratch namespace pair",
            &error,
            "is the agent privileged (CAP_SYS_ADMIN, CAP_NET_ADMIN), and does the kernel have veth?",
        )
    })?;
    let spec = PodSpec {
        uid: format!("weir-self-test-{}", std::process::id()),
        netns: scratch.path(),
        addresses: scratch.addresses(),
        probe_ports: Vec::new(),
    };
    let netns =
        scratch.pod.try_clone().map_err(DatapathError::system("duplicate the namespace's descriptor"))?;
    let (pod, enrolled) = node.enrol_new(spec, netns)?;
    let result = tamper(&scratch)
        .map_err(|error| failed("tamper with the pod", &error, "this happens in tests only"))
        .and_then(|()| converse(node, &scratch, &enrolled));
    drop(enrolled);
    node.take_back(pod);
    result
}

/// All conversations, with the app as a child process.
fn converse(node: &Node, scratch: &Scratch, enrolled: &EnrolledPod) -> Result<()> {
    let app = App::start(&node.config.pods_cgroup, scratch).map_err(|error| {
        failed(
            "start a process in the pods' cgroup",
            &error,
            "--pods-cgroup: may the agent make a cgroup below it?",
        )
    })?;
    let pairs = scratch.pairs();
    outbound(enrolled, &pairs)?;
    for (pod, remote) in &pairs {
        inbound(scratch, enrolled, *pod, *remote)?;
        closed_port(enrolled, *pod, *remote)?;
        tunnel(scratch, enrolled, *pod)?;
    }
    app.finish().map_err(|error| {
        failed(
            "let the app see its peers",
            &error,
            "sock_ops on the pods' cgroup: is another program attached there, or to a parent with flags 0?",
        )
    })
}

/// The app connects to the remote once per family; the agent's listeners get it with the true addresses at both ends.
fn outbound(enrolled: &EnrolledPod, pairs: &[(IpAddr, IpAddr)]) -> Result<()> {
    const STEP: &str = "capture a connection that the app opens";
    const LOOK: &str = "connect4/connect6 on the pods' cgroup (is another mesh or a program with BPF_F_PREORDER there?), ip rule 100 and table 22341, sk_lookup";
    let mut captured = Vec::new();
    for _ in pairs {
        let connection =
            accept(enrolled, ListenerKind::Outbound).map_err(|error| failed(STEP, &error, LOOK))?;
        let family = connection.peer_addr().map(|peer| peer.ip().to_canonical().is_ipv4()).ok();
        captured.push((family, connection));
    }
    // They went to workers by their hash, so they come in any order.
    for (pod, remote) in pairs {
        let mut of_family = captured.iter().filter(|(family, _)| *family == Some(pod.is_ipv4()));
        let (_, connection) = of_family
            .next()
            .ok_or_else(|| failed(STEP, &format!("nothing with source {pod} arrived"), LOOK))?;
        expect(STEP, LOOK, "original destination", connection.local_addr(), *remote, Some(REMOTE_PORT))?;
        expect(STEP, LOOK, "source", connection.peer_addr(), *pod, None)?;
    }
    Ok(())
}

/// A connection from outside comes to the agent, and from there to the app with the client's address.
fn inbound(scratch: &Scratch, enrolled: &EnrolledPod, pod: IpAddr, remote: IpAddr) -> Result<()> {
    const STEP: &str = "capture a connection from outside";
    const LOOK: &str = "sk_lookup of the pod, interface and address maps";
    let target = SocketAddr::new(pod, APP_PORT);
    let _client = from_outside(scratch, target).map_err(|error| failed(STEP, &error, LOOK))?;
    let captured = accept(enrolled, ListenerKind::Plaintext).map_err(|error| failed(STEP, &error, LOOK))?;
    expect(STEP, LOOK, "called address", captured.local_addr(), pod, Some(APP_PORT))?;
    expect(STEP, LOOK, "client", captured.peer_addr(), remote, None)?;

    const DELIVER: &str = "deliver a connection to the app";
    const LOOK_DELIVER: &str = "net.ipv4.tcp_fwmark_accept in the pod (must be 1), table 22341 (the route over lo must be the best), CAP_NET_ADMIN";
    let delivery =
        deliver(enrolled, remote, target).map_err(|error| failed(DELIVER, &error, LOOK_DELIVER))?;
    receive_byte(&delivery).map_err(|error| failed(DELIVER, &error, LOOK_DELIVER))
}

/// A port where nobody listens refuses at once, and is not silent.
fn closed_port(enrolled: &EnrolledPod, pod: IpAddr, remote: IpAddr) -> Result<()> {
    const STEP: &str = "be refused by a closed port of the app";
    const LOOK: &str = "net.ipv4.fwmark_reflect and net.ipv6.fwmark_reflect in the pod (must be 1)";
    match deliver(enrolled, remote, SocketAddr::new(pod, CLOSED_PORT)) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(failed(STEP, &error, LOOK)),
        Ok(_) => Err(failed(STEP, &"somebody accepted", LOOK)),
    }
}

/// Port 15008 has listeners of its own.
fn tunnel(scratch: &Scratch, enrolled: &EnrolledPod, pod: IpAddr) -> Result<()> {
    const STEP: &str = "capture a tunnel from outside";
    const LOOK: &str = "sk_lookup of the pod: the slots of port 15008";
    let target = SocketAddr::new(pod, weir_ebpf_common::HBONE_PORT);
    let _client = from_outside(scratch, target).map_err(|error| failed(STEP, &error, LOOK))?;
    let captured = accept(enrolled, ListenerKind::Hbone).map_err(|error| failed(STEP, &error, LOOK))?;
    expect(STEP, LOOK, "called address", captured.local_addr(), pod, Some(target.port()))
}

/// A connection from the remote namespace; refused or timed out is an error.
fn from_outside(scratch: &Scratch, target: SocketAddr) -> io::Result<Socket> {
    let socket = scratch
        .remote
        .run(|| Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP)))??;
    socket.connect_timeout(&target.into(), PATIENCE)?;
    Ok(socket)
}

fn deliver(enrolled: &EnrolledPod, client: IpAddr, app: SocketAddr) -> io::Result<Socket> {
    let socket = enrolled.sockets.deliver(client, app)?;
    socket.connect_timeout(&app.into(), PATIENCE)?;
    Ok(socket)
}

/// Accepts from whichever worker's listener of this kind the connection went to.
fn accept(enrolled: &EnrolledPod, kind: ListenerKind) -> io::Result<TcpStream> {
    let listeners: Vec<&TcpListener> = enrolled
        .listeners
        .iter()
        .filter(|listener| listener.kind == kind)
        .map(|listener| &listener.socket)
        .collect();
    let mut polled: Vec<_> = listeners
        .iter()
        .map(|listener| rustix::event::PollFd::new(*listener, rustix::event::PollFlags::IN))
        .collect();
    let patience = rustix::event::Timespec {
        tv_sec: i64::try_from(PATIENCE.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: PATIENCE.subsec_nanos().into(),
    };
    rustix::event::poll(&mut polled, Some(&patience))?;
    let ready = polled.iter().position(|poll| !poll.revents().is_empty());
    let ready = ready
        .and_then(|position| listeners.get(position))
        .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "nothing arrived at the agent's listeners"))?;
    Ok(ready.accept()?.0)
}

fn receive_byte(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [std::mem::MaybeUninit::uninit()];
    match SockRef::from(socket).recv(&mut byte)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn expect(
    step: &'static str,
    look_at: &'static str,
    what: &str,
    seen: io::Result<SocketAddr>,
    ip: IpAddr,
    port: Option<u16>,
) -> Result<()> {
    let seen = seen.map_err(|error| failed(step, &error, look_at))?;
    let right = seen.ip().to_canonical() == ip && port.is_none_or(|port| seen.port() == port);
    let port = port.map_or("any port".to_owned(), |port| format!("port {port}"));
    if right { Ok(()) } else { Err(failed(step, &format!("the {what} is {seen}, not {ip} {port}"), look_at)) }
}

fn failed(step: &'static str, why: &dyn std::fmt::Display, look_at: &'static str) -> DatapathError {
    DatapathError::SelfTest { step, why: why.to_string(), look_at }
}

/// Local connections take microseconds, but a busy or throttled machine may stop for longer than that, and an agent that gives up then is not
/// there when it is needed. What fails at all fails by silence, and this bounds it.
const PATIENCE: Duration = Duration::from_secs(2);
