//! A server outside of the mesh, to which a waypoint speaks TLS: by address and by name, and with certificates that change.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use weir_harness::{Cluster, Pod, Waypoint, until_ok};

use crate::support::stories;

/// How long a change may take from a file to the waypoint.
const SOON: Duration = Duration::from_secs(20);
const HOST: &str = "api.bank.example";
const VIP: &str = "10.96.3.1";

/// A client in the mesh, a bank outside of it, and a waypoint between them.
struct Bank {
    client: Pod,
    bank: Pod,
    waypoint: Waypoint,
    dir: tempdir::Dir,
}

impl Bank {
    fn start(c: &Cluster) -> Result<Self> {
        let (client, bank) =
            (c.node("a").pod("client").enrolled().start()?, c.node("b").pod("bank").start()?);
        let dir = tempdir::Dir::new()?;
        for authority in ["servers", "clients"] {
            openssl(
                dir.path(),
                &format!(
                    "req -x509 {KEY} -keyout {authority}.key -out {authority}.crt -subj /CN={authority} -days 2"
                ),
            )?;
        }
        sign(dir.path(), "servers", "bank", 1)?;
        bank.spawn("python3", &["-c", SERVER, &dir.path().to_string_lossy()])?;
        bank.wait_listening(8443)?;
        c.up()?;
        let dns = format!("{}:5353", bank.v4());
        let waypoint = c.waypoint("waypoint").flag("--dns-servers", &dns).start()?;
        Ok(Self { client, bank, waypoint, dir })
    }

    /// The Secret with the client's certificate of this serial number.
    fn secret(&self, c: &Cluster, serial: u32) -> Result<()> {
        sign(self.dir.path(), "clients", &format!("client-{serial}"), serial)?;
        let read = |name: &str| {
            let text = fs::read_to_string(self.dir.path().join(name))?;
            Ok::<_, anyhow::Error>(text.replace('\n', "\n    "))
        };
        let (crt, key) = (read(&format!("client-{serial}.crt"))?, read(&format!("client-{serial}.key"))?);
        c.apply(
            "secret",
            &format!(
                "{SECRET}  tls.crt: |\n    {crt}\n  tls.key: |\n    {key}\n  ca.crt: |\n    {}\n",
                read("servers.crt")?
            ),
        )
    }

    /// Status and body, in plaintext from the client's view.
    fn get(&self) -> Result<(u16, String)> {
        let answer = self.client.curl_with(&["-H", &format!("host: {HOST}")], &format!("http://{VIP}/"))?;
        Ok((answer.status, answer.body))
    }

    fn soon(&self, expected: &str) -> Result<()> {
        until_ok(expected, SOON, || {
            let (status, body) = self.get()?;
            ensure!(format!("{status} {body}").starts_with(expected), "{status} {body}");
            Ok(())
        })
    }
}

/// Signs for the bank's name.
fn sign(dir: &Path, authority: &str, name: &str, serial: u32) -> Result<()> {
    fs::write(dir.join("ext"), format!("subjectAltName=DNS:{HOST}\n"))?;
    openssl(dir, &format!("req {KEY} -keyout {name}.key -out {name}.csr -subj /CN={name}"))?;
    openssl(
        dir,
        &format!(
            "x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key -set_serial {serial} -days 2 -extfile ext -out {name}.crt"
        ),
    )
}

fn openssl(dir: &Path, arguments: &str) -> Result<()> {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output();
    let output = output.context("openssl")?;
    ensure!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

stories! {
    fn a_waypoint_speaks_tls_to_a_server_outside(c = Cluster::builder("tls").controlled()) {
        let bank = Bank::start(c)?;
        c.apply("entry", &entry("STATIC", &format!("endpoints: [{{address: {}}}]", bank.bank.v4())))?;
        c.apply("rule", RULE)?;
        // Nothing is sent without the certificate that was asked for.
        bank.soon("503 ")?;
        bank.secret(c, 2)?;
        bank.soon(&format!("200 {HOST} 02"))?;
        // Another certificate, while requests are under way: none fails.
        let (done, client) = (AtomicBool::new(false), &bank);
        std::thread::scope(|scope| {
            let load = scope.spawn(|| {
                let mut count = 0;
                while !done.load(Ordering::Relaxed) {
                    let (status, body) = client.get()?;
                    ensure!(status == 200, "{status} {body} after {count} requests");
                    count += 1;
                }
                Ok::<_, anyhow::Error>(count)
            });
            let rotated = (3..6).try_for_each(|serial| {
                bank.secret(c, serial)?;
                bank.soon(&format!("200 {HOST} 0{serial}"))
            });
            done.store(true, Ordering::Relaxed);
            let count = load.join().expect("the load")?;
            rotated.with_context(|| format!("after {count} requests"))
        })?;
        // What nobody can use does not take its place, and is told.
        c.apply("secret", &format!("{SECRET}  tls.crt: nonsense\n  tls.key: nonsense\n"))?;
        until_ok("the rule's author to be told", SOON, || {
            let statuses = c.controller().debug("status")?.to_string();
            ensure!(statuses.contains("the one before stays in force"), "{statuses}");
            Ok(())
        })?;
        bank.soon(&format!("200 {HOST} 05"))?;
        let dump = bank.waypoint.config_dump()?.to_string();
        ensure!(!dump.contains("BEGIN"), "a key in the dump");
    }

    fn a_waypoint_finds_a_server_by_its_name(c = Cluster::builder("names").controlled()) {
        let bank = Bank::start(c)?;
        c.apply("rule", RULE)?;
        bank.secret(c, 2)?;
        c.apply("entry", &entry("DNS", "endpoints: []"))?;
        bank.soon("503 no healthy upstream: names of endpoints lead nowhere")?;
        let address = bank.bank.v4().to_string();
        bank.bank.spawn("python3", &["-c", NAMES, &address])?;
        bank.soon(&format!("200 {HOST} 02"))?;
    }
}

fn entry(resolution: &str, rest: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n\
         metadata: {{name: bank, namespace: default, labels: {{istio.io/use-waypoint: waypoint}}}}\nspec:\n  \
         hosts: [{HOST}]\n  addresses: [{VIP}]\n  location: MESH_EXTERNAL\n  resolution: {resolution}\n  {rest}\n  \
         ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8443}}]\n"
    )
}

const RULE: &str = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\n\
                    metadata: {name: bank, namespace: default}\nspec:\n  host: api.bank.example\n  \
                    trafficPolicy: {tls: {mode: MUTUAL, credentialName: pair}}\n";

const SECRET: &str =
    "apiVersion: v1\nkind: Secret\nmetadata: {name: pair, namespace: default}\nstringData:\n";

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// Tells by which name it was called, and the serial number of the client's certificate.
const SERVER: &str = r#"
import os, ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
os.chdir(sys.argv[1])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("bank.crt", "bank.key")
context.load_verify_locations("clients.crt")
context.verify_mode = ssl.CERT_REQUIRED
def called(socket, name, _): socket.called = name
context.sni_callback = called
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        peer = self.connection.getpeercert()
        body = f"{self.connection.called} {peer['serialNumber']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = ThreadingHTTPServer(("0.0.0.0", 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

/// A name server that knows one IPv4 address, for all names.
const NAMES: &str = r#"
import socket, sys
address = socket.inet_aton(sys.argv[1])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 5353))
while True:
    question, client = server.recvfrom(512)
    end = question.index(0, 12) + 5
    is_v4 = question[end - 4:end - 2] == b"\0\1"
    head = question[:2] + b"\x81\x80\0\1" + (b"\0\1" if is_v4 else b"\0\0") + b"\0\0\0\0"
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + address if is_v4 else b""
    server.sendto(head + question[12:end] + answer, client)
"#;

/// A directory that goes with its owner.
mod tempdir {
    use std::path::{Path, PathBuf};

    pub(super) struct Dir(PathBuf);

    impl Dir {
        pub(super) fn new() -> std::io::Result<Self> {
            let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let name = format!("weir-tls-{}-{}", std::process::id(), stamp.unwrap_or_default().as_nanos());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path)?;
            Ok(Self(path))
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
