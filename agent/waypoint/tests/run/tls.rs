//! Servers outside of the mesh that speak TLS: who they must be, and as whom we come.

use bytes::Bytes;
use prost::Message;
use rstest::rstest;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpListener;
use weir_discovery::on_demand::Asker as _;
use weir_proto::{l7, type_url};

use crate::pki::{Authority, Pair, Seen, Server, secret};
use crate::world::{WEB, World, run, web};

/// A world whose one endpoint is a server of TLS.
struct Stage {
    world: World,
    seen: Seen,
}

const SECRET: &str = "shop/pair";
static ANY: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
static OLD: &[&SupportedProtocolVersion] = &[&TLS12];

impl Stage {
    async fn new(server: Server<'_>) -> Self {
        let mut world = World::new(true).await;
        let listener = TcpListener::bind((world.server, 0)).await.unwrap();
        let endpoint =
            l7::Endpoint { tunnel: false, ..world.endpoint(listener.local_addr().unwrap().port()) };
        world.say(&[web()], &[], vec![endpoint]);
        Self { world, seen: server.start(listener) }
    }

    fn put(&mut self, type_url: &'static str, name: &str, message: &impl Message) -> Result<(), String> {
        let put = self.world.feed.put(type_url, name, &Bytes::from(message.encode_to_vec()));
        self.world.feed.settle();
        put
    }

    /// The endpoint is to be spoken to so.
    fn tls(&mut self, tls: l7::UpstreamTls, protocol: l7::UpstreamProtocol) {
        let cluster =
            l7::Cluster { port: 80, tls: Some(tls), protocol: protocol.into(), ..Default::default() };
        self.put(type_url::BACKEND, WEB, &l7::Backend { clusters: vec![cluster], ..Default::default() })
            .unwrap();
    }

    fn secret(&mut self, secret: &l7::Secret) -> Result<(), String> {
        self.put(type_url::SECRET, SECRET, secret)
    }

    /// Status and body of a request for the host `web`.
    async fn get(&self) -> (String, String) {
        let answer = self.world.get("/").await;
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
    }
}

fn simple() -> l7::UpstreamTls {
    l7::UpstreamTls { mode: l7::TlsMode::Simple.into(), secret: SECRET.into(), ..Default::default() }
}

fn both(pair: &Pair) -> Server<'_> {
    Server { pair, clients: None, versions: ANY }
}

#[rstest]
#[case::by_the_host_of_the_request(simple(), &["web"], Some("web http/1.1 TLSv1_3 -"))]
#[case::by_the_name_that_is_said(l7::UpstreamTls { sni: "api.example".into(), ..simple() }, &["api.example"], Some("api.example http/1.1 TLSv1_3 -"))]
#[case::by_another_name(simple(), &["other"], None)]
#[case::by_a_wildcard(l7::UpstreamTls { sni: "api.bank.example".into(), ..simple() }, &["*.bank.example"], Some("api.bank.example http/1.1 TLSv1_3 -"))]
#[case::by_one_of_the_wanted_names(l7::UpstreamTls { subject_alt_names: vec!["no.example".into(), "api.example".into()], ..simple() }, &["api.example"], Some("web http/1.1 TLSv1_3 -"))]
#[case::by_none_of_the_wanted_names(l7::UpstreamTls { subject_alt_names: vec!["no.example".into()], ..simple() }, &["web"], None)]
#[case::by_a_uri(l7::UpstreamTls { subject_alt_names: vec!["spiffe://td/ns/a/sa/b".into()], ..simple() }, &["spiffe://td/ns/a/sa/b"], Some("web http/1.1 TLSv1_3 -"))]
#[case::by_another_uri(l7::UpstreamTls { subject_alt_names: vec!["spiffe://td/ns/a/sa/b".into()], ..simple() }, &["spiffe://td/ns/a/sa/bc", "web"], None)]
#[case::by_nobody(l7::UpstreamTls { insecure_skip_verify: true, ..simple() }, &["other"], Some("web http/1.1 TLSv1_3 -"))]
#[tokio::test]
async fn a_server_is_known(
    #[case] tls: l7::UpstreamTls,
    #[case] names: &[&str],
    #[case] expected: Option<&str>,
) {
    run(async {
        let authority = Authority::new("bank");
        let pair = authority.sign(names, 1);
        let mut stage = Stage::new(both(&pair)).await;
        stage.tls(tls, l7::UpstreamProtocol::UpstreamHttp1);
        stage.secret(&secret(None, Some(&authority), "")).unwrap();
        let (status, body) = stage.get().await;
        match expected {
            Some(expected) => assert_eq!((status.as_str(), body.as_str()), ("200", expected)),
            None => assert_eq!(status, "503", "{body}"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    run(async {
        let (authority, other) = (Authority::new("bank"), Authority::new("thief"));
        let pair = other.sign(&["web"], 1);
        let mut stage = Stage::new(both(&pair)).await;
        stage.tls(simple(), l7::UpstreamProtocol::UpstreamHttp1);
        stage.secret(&secret(None, Some(&authority), "")).unwrap();
        assert_eq!(stage.get().await.0, "503");
        assert!(stage.seen.borrow().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_old_server_is_spoken_to_in_its_version() {
    run(async {
        let authority = Authority::new("bank");
        let pair = authority.sign(&["web"], 1);
        let mut stage = Stage::new(Server { versions: OLD, ..both(&pair) }).await;
        stage.tls(simple(), l7::UpstreamProtocol::UpstreamHttp1);
        stage.secret(&secret(None, Some(&authority), "")).unwrap();
        assert_eq!(stage.get().await, ("200".to_owned(), "web http/1.1 TLSv1_2 -".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn the_protocol_of_http_is_offered() {
    run(async {
        let authority = Authority::new("bank");
        let pair = authority.sign(&["web"], 1);
        let mut stage = Stage::new(both(&pair)).await;
        stage.tls(simple(), l7::UpstreamProtocol::UpstreamHttp2);
        stage.secret(&secret(None, Some(&authority), "")).unwrap();
        stage.get().await;
        assert!(!stage.seen.borrow().is_empty());
        assert!(
            stage.seen.borrow().iter().all(|line| line == "web h2 TLSv1_3 -"),
            "{:?}",
            stage.seen.borrow()
        );
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_revoked_counts_no_more() {
    run(async {
        let authority = Authority::new("bank");
        let pair = authority.sign(&["web"], 7);
        let mut stage = Stage::new(both(&pair)).await;
        stage.tls(simple(), l7::UpstreamProtocol::UpstreamHttp1);
        stage.secret(&secret(None, Some(&authority), &authority.revoke(&[6]))).unwrap();
        assert_eq!(stage.get().await.0, "200");
        stage.secret(&secret(None, Some(&authority), &authority.revoke(&[6, 7]))).unwrap();
        assert_eq!(stage.get().await.0, "503");
    })
    .await;
}

#[tokio::test]
async fn another_secret_is_used_at_once_and_a_bad_one_never() {
    run(async {
        let (servers, clients) = (Authority::new("bank"), Authority::new("clients"));
        let (pair, first, second) =
            (servers.sign(&["web"], 1), clients.sign(&["me"], 2), clients.sign(&["me"], 3));
        let mut stage = Stage::new(Server { clients: Some(&clients), ..both(&pair) }).await;
        let mutual = l7::UpstreamTls { mode: l7::TlsMode::Mutual.into(), ..simple() };
        stage.tls(mutual, l7::UpstreamProtocol::UpstreamHttp1);
        stage.secret(&secret(Some(&first), Some(&servers), "")).unwrap();
        assert_eq!(stage.get().await.1, "web http/1.1 TLSv1_3 2");
        stage.secret(&secret(Some(&second), Some(&servers), "")).unwrap();
        assert_eq!(stage.get().await.1, "web http/1.1 TLSv1_3 3");
        let mismatched = Pair { certificate: first.certificate.clone(), key: second.key.clone() };
        let why = stage.secret(&secret(Some(&mismatched), Some(&servers), "")).unwrap_err();
        assert!(why.contains("do not belong together") && !why.contains("BEGIN"), "{why}");
        assert_eq!(stage.get().await.1, "web http/1.1 TLSv1_3 3");
        stage.world.feed.remove(type_url::SECRET, SECRET);
        stage.world.feed.settle();
        assert_eq!(
            stage.get().await.1,
            "web http/1.1 TLSv1_3 3",
            "a control plane that knows nothing takes nothing away"
        );
    })
    .await;
}

#[tokio::test]
async fn tls_that_waits_for_its_secret_is_not_in_force() {
    run(async {
        let authority = Authority::new("bank");
        let pair = authority.sign(&["web"], 1);
        let mut stage = Stage::new(both(&pair)).await;
        // What was in force before is plaintext, which this server cannot read.
        stage.tls(simple(), l7::UpstreamProtocol::UpstreamHttp1);
        assert_ne!(stage.get().await.0, "200");
        stage.secret(&secret(None, Some(&authority), "")).unwrap();
        assert_eq!(stage.get().await.0, "200");
        let gone = l7::Cluster {
            port: 80,
            tls: Some(simple()),
            refused: "there is no Secret".into(),
            ..Default::default()
        };
        let backend = l7::Backend { clusters: vec![gone], ..Default::default() };
        stage.put(type_url::BACKEND, WEB, &backend).unwrap();
        assert_eq!(stage.get().await.0, "503", "what the control plane refuses is refused");
    })
    .await;
}
