//! A request through the layer.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use http::{Request, Response};
use rstest::rstest;
use tonic::body::Body;
use tower::{Layer, ServiceExt, service_fn};
use weir_model::Identity;

use super::{HOUR, Stage, Wall, agent};
use crate::auth::{AuthError, Authenticator, Caller, Peer, TokenVerifier, VerifyFuture};

/// Asks the stage's verifier and counts; or has another answer for all.
struct Counting {
    stage: Stage,
    asked: AtomicUsize,
    mood: Option<AuthError>,
    hangs: bool,
}

impl TokenVerifier for Counting {
    fn verify<'a>(&'a self, token: &'a str) -> VerifyFuture<'a> {
        self.asked.fetch_add(1, SeqCst);
        match &self.mood {
            _ if self.hangs => Box::pin(pending()),
            Some(error) => Box::pin(std::future::ready(Err(error.clone()))),
            None => self.stage.verifier.verify(token),
        }
    }
}

fn counting() -> Counting {
    Counting { stage: Stage::new(), asked: AtomicUsize::new(0), mood: None, hangs: false }
}

/// What comes out at the other end: the caller, or the gRPC status (code, message).
async fn send(authenticator: &Authenticator, request: Request<()>) -> Result<Caller, (i32, String)> {
    let inner = service_fn(|request: Request<()>| async move {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(request.extensions().get::<Caller>().unwrap().clone());
        Ok::<_, Infallible>(response)
    });
    let response = authenticator.layer(inner).oneshot(request).await.unwrap();
    if let Some(caller) = response.extensions().get::<Caller>() {
        return Ok(caller.clone());
    }
    let status = tonic::Status::from_header_map(response.headers()).unwrap();
    Err((status.code() as i32, status.message().to_owned()))
}

fn with_token(token: &str) -> Request<()> {
    Request::builder().header("authorization", format!("Bearer {token}")).body(()).unwrap()
}

fn with_certificate(mut request: Request<()>, identity: &str) -> Request<()> {
    let identity: Identity = identity.parse().unwrap();
    request.extensions_mut().insert(Peer { address: ([127, 0, 0, 1], 1).into(), identity: Some(identity) });
    request
}

fn layer(verifier: Counting) -> (Authenticator, Arc<Counting>, Wall) {
    let wall = verifier.stage.wall.clone();
    let verifier = Arc::new(verifier);
    (Authenticator::new(verifier.clone(), "td", wall.clock()), verifier, wall)
}

const UNAUTHENTICATED: i32 = 16;
const UNAVAILABLE: i32 = 14;

#[tokio::test]
async fn a_token_is_asked_about_once_a_minute_and_never_past_its_end() {
    let (authenticator, verifier, wall) = layer(counting());
    let token = verifier.stage.token("istio-ca");
    let ask = || send(&authenticator, with_token(&token));
    for _ in 0..3 {
        assert_eq!(ask().await, Ok(agent()));
    }
    assert_eq!(verifier.asked.load(SeqCst), 1);
    wall.pass(Duration::from_secs(61));
    assert_eq!(ask().await, Ok(agent()));
    assert_eq!(verifier.asked.load(SeqCst), 2);
    wall.pass(HOUR - Duration::from_secs(100));
    assert_eq!(ask().await, Ok(agent()));
    wall.pass(Duration::from_secs(55));
    assert_eq!(ask().await.unwrap_err().0, UNAUTHENTICATED);
}

#[rstest]
#[case::nothing(Request::new(()))]
#[case::garbage(with_token("garbage"))]
#[case::dots(with_token("a.b.c"))]
#[case::empty(with_token(""))]
#[case::another_scheme(Request::builder().header("authorization", "Basic YTpi").body(()).unwrap())]
#[case::not_text(Request::builder().header("authorization", &b"Bearer \xff"[..]).body(()).unwrap())]
#[case::endless(with_token(&"x".repeat(17 << 10)))]
#[case::two(Request::builder().header("authorization", "Bearer a").header("authorization", "Bearer b").body(()).unwrap())]
#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_anybody(#[case] request: Request<()>) {
    let (authenticator, verifier, _) = layer(counting());
    let (code, message) = send(&authenticator, request).await.unwrap_err();
    assert_eq!((code, message.as_str()), (UNAUTHENTICATED, "request authenticate failure"));
    assert_eq!(verifier.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn a_token_that_is_long_expired_is_refused_without_asking_anybody() {
    let (authenticator, verifier, wall) = layer(counting());
    let token = verifier.stage.token("istio-ca");
    wall.pass(2 * HOUR);
    assert_eq!(send(&authenticator, with_token(&token)).await.unwrap_err().0, UNAUTHENTICATED);
    assert_eq!(verifier.asked.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_asked_is_not_a_no() {
    let down = Counting { mood: Some(AuthError::Unavailable("down".to_owned())), ..counting() };
    let silent = Counting { hangs: true, ..counting() };
    for verifier in [down, silent] {
        let (authenticator, verifier, _) = layer(verifier);
        let token = verifier.stage.token("istio-ca");
        let (code, message) = send(&authenticator, with_token(&token)).await.unwrap_err();
        assert_eq!(code, UNAVAILABLE, "{message}");
    }
}

/// Who has an API server to ask about tokens has only so many questions at once.
#[tokio::test(start_paused = true)]
async fn a_stranger_with_many_tokens_does_not_keep_the_others_from_proving_themselves() {
    struct Slow(Stage, String);
    impl TokenVerifier for Slow {
        fn verify<'a>(&'a self, token: &'a str) -> VerifyFuture<'a> {
            if token == self.1 { self.0.verifier.verify(token) } else { Box::pin(pending()) }
        }
    }
    let stage = Stage::new();
    let (wall, good) = (stage.wall.clone(), stage.token("istio-ca"));
    let bad = stage.token("other");
    let authenticator = Authenticator::new(Arc::new(Slow(stage, good.clone())), "td", wall.clock());
    let from = |address: [u8; 4], token: &str| {
        let mut request = with_token(token);
        request.extensions_mut().insert(Peer { address: (address, 1).into(), identity: None });
        request
    };
    let flood = (0..1000).map(|_| send(&authenticator, from([10, 0, 0, 1], &bad)));
    let flood = futures_util::future::join_all(flood);
    let other = async {
        let begun = tokio::time::Instant::now();
        assert_eq!(send(&authenticator, from([10, 0, 0, 2], &good)).await, Ok(agent()));
        begun.elapsed()
    };
    let (refused, waited) = tokio::join!(flood, other);
    assert!(refused.iter().all(Result::is_err));
    assert_eq!(waited, Duration::ZERO);
}

#[tokio::test]
async fn a_certificate_is_enough_and_a_token_of_the_same_account_adds_to_it() {
    let (authenticator, verifier, _) = layer(counting());
    let token = verifier.stage.token("istio-ca");
    let own = "spiffe://td/ns/weir-system/sa/weir-agent";
    let plain = Caller::new("weir-system", "weir-agent");
    let send = |request| send(&authenticator, request);
    assert_eq!(send(with_certificate(Request::new(()), own)).await, Ok(plain.clone()));
    assert_eq!(send(with_certificate(with_token(&token), own)).await, Ok(agent()));
    assert_eq!(send(with_certificate(with_token("bad"), own)).await, Ok(plain));
    let other = "spiffe://td/ns/shop/sa/web";
    assert_eq!(send(with_certificate(with_token(&token), other)).await, Ok(Caller::new("shop", "web")));
    let foreign = "spiffe://elsewhere/ns/weir-system/sa/weir-agent";
    assert_eq!(send(with_certificate(Request::new(()), foreign)).await.unwrap_err().0, UNAUTHENTICATED);
}
