//! The checks (a) to (f); (g) and (h) have files of their own.

use anyhow::{Context, bail, ensure};
use weir_harness::{Family, Packets};

use super::report::{Finding, Report};
use super::stage::{Stage, VIP};
use super::{outage, policy};

/// Words that the pods of the mesh send and receive; none may be seen on the link.
const REQUEST_WORD: &str = "weir-demo-request-word";
const VALUE_WORD: &str = "weir-demo-redis-value";
/// What the pod outside the mesh sends: the control that the search finds what is there.
const VISITOR_WORD: &str = "weir-demo-visitor-word";
/// Part of nginx's answer.
const ANSWER_WORD: &str = "pod nginx sees";

/// Runs all checks; each is tried, whatever became of the others.
pub(super) fn run(stage: &Stage, report: &mut Report) {
    let capture = stage.cluster.node("b").capture_link();
    report.add("a  unmodified programs, true addresses", addresses(stage));
    report.add("f  IPv6", ipv6(stage));
    report.add("c  the server's agent knows the client", identity(stage));
    let packets = capture.and_then(weir_harness::Capture::stop);
    report.add("b  only TLS between the nodes", packets.and_then(|packets| wire(&packets)));
    report.add("e  same node, no detour", same_node(stage));
    report.add("d  PERMISSIVE takes, STRICT refuses", plaintext(stage));
    report.add("h  policy: allowed, denied, changed", policy::check(stage));
    report.add("g  kill -9 of the agents", outage::check(stage));
}

/// nginx and redis see the client's own address, and the client sees the server's.
fn addresses(stage: &Stage) -> Finding {
    let (client, server) = (stage.curl.v4().to_string(), stage.nginx.v4().to_string());
    let url = format!("http://{server}/{REQUEST_WORD}");
    let format = "\n%{local_ip} %{remote_ip}";
    let text = stage.curl.output("curl", &["-sS", "--max-time", "10", "-w", format, &url])?.success()?;
    let (body, ends) = text.trim_end().rsplit_once('\n').context("curl said too little")?;
    let body = body.trim_end();
    ensure!(body.contains(&format!("sees {client}:")), "nginx answered {body:?} to {client}");
    ensure!(ends == format!("{client} {server}"), "curl's addresses were {ends}");
    let redis = redis_from_python(stage)?;
    let vip = stage.curl.curl(&format!("http://{VIP}/"))?;
    ensure!(vip.body.contains(ANSWER_WORD), "the service answered {:?}", vip.body);
    Ok(format!(
        "curl in pod curl ({client}) got {body:?} and sees {server} as its peer\n{redis}\n\
         curl to the service {VIP} reached nginx"
    ))
}

/// One connection to redis, used many times, by a client that knows nothing but sockets.
fn redis_from_python(stage: &Stage) -> Finding {
    let (own, host) = (stage.python.v4().to_string(), stage.redis.v4().to_string());
    let text = stage.python.python(REDIS_CLIENT, &[&host, VALUE_WORD])?;
    let (count, rest) = text.trim().split_once(' ').context("the Python client said too little")?;
    let addresses: Vec<&str> = rest.split(' ').collect();
    ensure!(addresses == [own.as_str(), host.as_str(), own.as_str()], "addresses were {addresses:?}");
    Ok(format!("Python did {count} exchanges with redis on one connection; redis sees it at {own}"))
}

/// The same over IPv6, and a redis client.
fn ipv6(stage: &Stage) -> Finding {
    let client = stage.curl.v6().to_string();
    let url = format!("{}{REQUEST_WORD}", stage.nginx.url(Family::V6, 80));
    let body = stage.curl.curl(&url)?.body;
    ensure!(body.contains(&format!("sees {client}:")), "nginx answered {body:?} to {client}");
    let host = stage.redis.v6().to_string();
    stage.curl.redis_cli(&host, &["SET", "colour", VALUE_WORD])?;
    let value = stage.curl.redis_cli(&host, &["GET", "colour"])?;
    ensure!(value == VALUE_WORD, "redis gave {value:?} back");
    let seen = stage.curl.redis_cli(&host, &["CLIENT", "INFO"])?;
    ensure!(seen.contains(&format!("addr=[{client}]:")), "redis sees {seen:?}");
    Ok(format!("nginx answered {:?}; redis at {host} kept a value and sees {client}", body.trim()))
}

/// The access log of the node that runs nginx names the client's identity.
fn identity(stage: &Stage) -> Finding {
    let wanted = stage.curl.identity();
    let b = stage.cluster.node("b");
    let line = b.agent().wait_access_log(&[
        ("src.identity", &wanted),
        ("direction", "inbound"),
        ("dst.workload", "nginx"),
    ])?;
    let fields = line.get("fields").unwrap_or(&line);
    let value = |name: &str| fields[name].as_str().unwrap_or("?").to_owned();
    Ok(format!(
        "node b logged: src.identity={} src.addr={} dst.workload={} direction={}",
        value("src.identity"),
        value("src.addr"),
        value("dst.workload"),
        value("direction"),
    ))
}

/// What passed on the link while (a), (c) and (f) ran.
fn wire(packets: &Packets) -> Finding {
    ensure!(packets.dropped == 0, "tcpdump lost {} packets: no proof", packets.dropped);
    let tunnel = packets.tunnel().count();
    ensure!(tunnel > 0, "no packet on port 15008");
    ensure!(packets.tunnel_is_tls(), "a flow on port 15008 does not start as TLS");
    if let Some(packet) = packets.outside_tunnel().next() {
        bail!("{} TCP packets outside the tunnel, the first: {packet}", packets.outside_tunnel().count());
    }
    let words = [REQUEST_WORD, VALUE_WORD, ANSWER_WORD, "GET /", "HTTP/1.1", "CLIENT"];
    if let Some(word) = words.iter().find(|word| packets.contains(word.as_bytes())) {
        bail!("{word:?} passed in plaintext");
    }
    let bytes: usize = packets.tunnel().map(|packet| packet.payload.len()).sum();
    Ok(format!(
        "{tunnel} TCP packets with {bytes} bytes on port 15008, every flow starts with a TLS handshake; \
         0 TCP packets on other ports; none of {} words of the pods found; 0 packets lost by tcpdump",
        words.len()
    ))
}

/// Two pods of one node: the identities hold, nothing leaves the node.
fn same_node(stage: &Stage) -> Finding {
    let a = stage.cluster.node("a");
    let capture = a.capture_link()?;
    let body = stage.curl.curl(&stage.local.url(Family::V4, 80))?.body;
    let packets = capture.stop()?;
    let client = stage.curl.v4();
    ensure!(body.contains(&format!("pod local sees {client}:")), "nginx answered {body:?} to {client}");
    ensure!(packets.tcp.is_empty(), "{} TCP packets left the node", packets.tcp.len());
    let wanted = [("dst.workload", "local"), ("direction", "inbound")];
    let identity = stage.curl.identity();
    let line = a.agent().wait_access_log(&[wanted[0], wanted[1], ("src.identity", &identity)])?;
    ensure!(!line.is_null(), "no log line");
    Ok(format!("nginx answered {:?}; logged with {identity}; 0 TCP packets on the link", body.trim()))
}

/// A pod outside the mesh, before and after STRICT.
fn plaintext(stage: &Stage) -> Finding {
    let url = format!("{}{VISITOR_WORD}", stage.nginx.url(Family::V4, 80));
    let capture = stage.cluster.node("b").capture_link()?;
    let taken = stage.visitor.curl(&url).context("PERMISSIVE did not take the visitor")?;
    let packets = capture.stop()?;
    ensure!(taken.status == 200, "PERMISSIVE answered {}", taken.status);
    let seen = stage.visitor.v4();
    ensure!(taken.body.contains(&format!("sees {seen}:")), "nginx answered {:?}", taken.body);
    ensure!(packets.contains(VISITOR_WORD.as_bytes()), "the search of (b) does not find plaintext");
    stage.cluster.set_strict(true)?;
    let outcome = strict(stage, &url);
    stage.cluster.set_strict(false)?;
    Ok(format!(
        "PERMISSIVE: 200, nginx sees {seen} (and the search of (b) finds these words on the link)\n{}",
        outcome?
    ))
}

fn strict(stage: &Stage, url: &str) -> Finding {
    let refused = stage.visitor.output("curl", &["-sS", "--max-time", "5", url])?;
    ensure!(!refused.status.success(), "STRICT answered the visitor {:?}", refused.stdout);
    let denied = [("src.workload", "visitor"), ("dst.workload", "nginx"), ("error", "")];
    let line = stage.cluster.node("b").agent().wait_access_log(&denied)?;
    let reason = line.get("fields").unwrap_or(&line)["error"].as_str().unwrap_or("?").to_owned();
    let member = stage.curl.curl(url).context("STRICT refused a member of the mesh")?;
    ensure!(member.status == 200, "STRICT answered a member {}", member.status);
    let exit = refused.status.code().unwrap_or(-1);
    Ok(format!(
        "STRICT: the visitor is refused (curl exit {exit}; node b logged {reason:?}), pod curl still gets 200"
    ))
}

/// Sets and reads a value over one connection, and asks redis whom it sees.
const REDIS_CLIENT: &str = r#"
import socket, sys
host, word = sys.argv[1], sys.argv[2]
s = socket.create_connection((host, 6379), timeout=10)
f = s.makefile("rb")
def ask(*words):
    s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words)))
    head = f.readline().strip()
    if head[:1] != b"$":
        return head.decode()
    body = f.read(int(head[1:]) + 2)[:-2]
    return body.decode()
for n in range(500):
    assert ask("SET", "key%d" % n, "%s-%d" % (word, n)) == "+OK"
    assert ask("GET", "key%d" % n) == "%s-%d" % (word, n)
info = dict(pair.split("=", 1) for pair in ask("CLIENT", "INFO").split() if "=" in pair)
print(1001, s.getsockname()[0], s.getpeername()[0], info["addr"].rsplit(":", 1)[0])
"#;
