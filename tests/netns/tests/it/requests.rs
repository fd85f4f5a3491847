//! What a waypoint does with single requests and long ones, counted at the pods behind it.

use std::time::Duration;

use anyhow::{Result, ensure};
use weir_harness::{Answer, Bookinfo, Cluster, until_ok};

use crate::support::stories;

const SOON: Duration = Duration::from_secs(20);

fn ratings(book: &Bookinfo, times: usize) -> Result<Vec<Answer>> {
    book.ask(&format!("{}/ratings/0", Bookinfo::RATINGS), "x", times)
}

fn good(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

stories! {
    fn a_try_that_failed_is_made_again_as_often_as_was_said(c = Cluster::builder("retries").controlled()) {
        let mut book = Bookinfo::start(c)?;
        c.apply("routes", &retries("{attempts: 0}"))?;
        // Each second answer of the pod is good.
        book.restart("ratings-v1", &["--fail-but-every", "2"])?;
        // Of ten requests.
        let come_to = |what: &str, wanted| until_ok(what, SOON, || {
            let before = book.asked("ratings-v1")?;
            let answers = ratings(&book, 10)?;
            let tries = book.asked("ratings-v1")? - before;
            ensure!((good(&answers), tries) == wanted, "{} good, {tries} tries", good(&answers));
            Ok(())
        });
        come_to("no more than one try", (5, 10))?;
        c.apply("routes", &retries("{attempts: 2, retryOn: 5xx}"))?;
        come_to("two tries each", (10, 20))?;
        // Not all that fails: only what was named.
        c.apply("routes", &retries("{attempts: 2, retryOn: connect-failure}"))?;
        come_to("no try for another reason", (5, 10))?;
    }

    fn a_pod_that_fails_is_left_alone(c = Cluster::builder("breaker").controlled()) {
        let mut book = Bookinfo::start(c)?;
        c.apply("breaker", include_str!("../../../../deploy/samples/bookinfo/istio/ratings-breaker.yaml"))?;
        book.restart("ratings-v1", &["--fail-but-every", "1000000"])?;
        until_ok("the pod to be left alone", SOON, || {
            let before = book.asked("ratings-v1")?;
            let answers = ratings(&book, 10)?;
            let tries = book.asked("ratings-v1")? - before;
            ensure!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
            ensure!(tries == 0, "{tries} requests have reached it");
            Ok(())
        })?;
        c.delete("breaker")?;
        until_ok("it to be asked again", SOON, || {
            let before = book.asked("ratings-v1")?;
            ratings(&book, 1)?;
            ensure!(book.asked("ratings-v1")? > before, "it is not");
            Ok(())
        })?;
    }

    fn a_websocket_passes_a_waypoint_both_ways(c = Cluster::builder("websocket").controlled()) {
        let server = c.node("b").pod("echo").namespace("bookinfo").enrolled().start()?;
        let book = Bookinfo::start(c)?;
        server.python_server(SERVER, &[])?;
        server.wait_listening(7000)?;
        c.apply("echo", ECHO)?;
        // The service may be there before its route.
        until_ok("the service and its route", SOON, || {
            let text = book.reader.python(CLIENT, &["10.96.1.9", "7000"])?;
            ensure!(text.trim() == "101 routed, then 20 messages back", "{text}");
            Ok(())
        })?;
        // Told when it has ended, which the client does not wait for.
        until_ok("the waypoint to tell of it", SOON, || {
            let told = book.waypoint.log_text();
            ensure!(told.contains("\"response_code\":101"), "the waypoint did not see it: {told}");
            Ok(())
        })?;
    }
}

fn retries(policy: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
         metadata: {{name: ratings, namespace: bookinfo}}\nspec:\n  hosts: [ratings]\n  http:\n  \
         - retries: {policy}\n    route: [{{destination: {{host: ratings}}}}]\n"
    )
}

const ECHO: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: echo, namespace: bookinfo}\n\
                    spec: {clusterIP: 10.96.1.9, selector: {app: echo}, ports: [{name: http, port: 7000}]}\n---\n\
                    apiVersion: networking.istio.io/v1\nkind: VirtualService\n\
                    metadata: {name: echo, namespace: bookinfo}\nspec:\n  hosts: [echo]\n  http:\n  \
                    - headers: {response: {set: {x-by: routed}}}\n    route: [{destination: {host: echo}}]\n";

/// Says 101 to whoever asks for a WebSocket, and then each byte back.
const SERVER: &str = r#"
import base64, hashlib, socket, threading
def serve(s):
    f, key = s.makefile("rb"), ""
    while (line := f.readline().strip()):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: " + proof + b"\r\n\r\n")
    while (data := f.read1(65536)):
        s.sendall(data)
    s.close()
listener = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// Twenty masked text frames, each waited for.
const CLIENT: &str = r#"
import base64, hashlib, os, socket, struct, sys
host, port = sys.argv[1], int(sys.argv[2])
s = socket.create_connection((host, port), timeout=10)
f = s.makefile("rb")
key = base64.b64encode(os.urandom(16))
s.sendall(b"GET /chat HTTP/1.1\r\nhost: echo\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: " + key + b"\r\n\r\n")
status, fields = f.readline().split()[1].decode(), {}
while (line := f.readline().strip()):
    name, _, value = line.partition(b":")
    fields[name.lower()] = value.strip()
assert fields[b"sec-websocket-accept"] == base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
count = 0
for n in range(20):
    text, mask = os.urandom(100 * n + 1), os.urandom(4)
    head = struct.pack("!BB", 0x81, 0x80 | len(text)) if len(text) < 126 else struct.pack("!BBH", 0x81, 0x80 | 126, len(text))
    frame = head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(text))
    s.sendall(frame)
    assert f.read(len(frame)) == frame
    count += 1
print(status, fields.get(b"x-by", b"not routed").decode() + ", then", count, "messages back")
"#;
