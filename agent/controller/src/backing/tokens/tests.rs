//! Reviews and keys, and who is believed.

use std::time::{SystemTime, UNIX_EPOCH};

use rstest::rstest;
use tempfile::TempDir;
use weir_serve::auth::{ISSUER, JwksKeys};
use weir_serve::ca::PodPlace;
use weir_sources::ReviewedPod;

use super::*;

/// Knows one pod.
struct OnePod;

impl Placement for OnePod {
    fn is_ready(&self) -> bool {
        true
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<PodPlace> {
        let place = PodPlace { uid: "u1".into(), service_account: "weir-agent".into(), node: "a".into() };
        (namespace == "weir-system" && name == "agent-a").then_some(place)
    }

    fn runs(&self, _: &str, _: &str, _: &str) -> bool {
        false
    }
}

struct Stage {
    judgement: Judgement,
    keys: JwksKeys,
    temp: TempDir,
}

impl Stage {
    fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let keys = JwksKeys::open_or_create(temp.path().join("keys")).unwrap();
        let judgement = Judgement {
            keys: HeldKeys::new(AUDIENCE, Arc::new(now)),
            pods: Arc::new(OnePod),
            metrics: TokenMetrics::register(&mut Registry::default()),
            by_keys: false.into(),
        };
        Self { judgement, keys, temp }
    }

    /// Reads the keys as the cluster's.
    fn publish(&self, issuer: &str) {
        let jwks = std::fs::read_to_string(self.keys.jwks()).unwrap();
        self.judgement.hold(Some(&TokenKeys { issuer: issuer.to_owned(), jwks }));
    }

    /// A token for an hour, of so long ago.
    fn token(&self, caller: &Caller, audience: &str, age: Duration) -> String {
        self.keys.issue(caller, audience, now() - age, HOUR).unwrap()
    }

    fn away(&self, token: &str) -> Result<Caller, AuthError> {
        self.judgement.of(token, Err(ReviewError::Unavailable("it is away".to_owned())))
    }

    fn counted(&self) -> [u64; 2] {
        [Judge::Review, Judge::Keys].map(|by| self.judgement.metrics.get(by))
    }
}

fn agent() -> Caller {
    pod("agent-a", "u1")
}

fn pod(name: &str, uid: &str) -> Caller {
    let pod = PodRef { name: name.into(), uid: uid.into() };
    Caller { pod: Some(pod), node: Some("a".into()), ..Caller::new("weir-system", "weir-agent") }
}

fn reviewed() -> Reviewed {
    Reviewed {
        namespace: "weir-system".into(),
        service_account: "weir-agent".into(),
        pod: Some(ReviewedPod { name: "agent-a".into(), uid: "u1".into() }),
        node: Some("a".into()),
    }
}

#[test]
fn while_nobody_can_be_asked_the_keys_say_whose_a_token_is() {
    let stage = Stage::new();
    stage.publish(ISSUER);
    assert_eq!(stage.away(&stage.token(&agent(), AUDIENCE, Duration::ZERO)), Ok(agent()));
    assert_eq!(stage.counted(), [0, 1]);
}

/// Whoever the API server is there to be asked about is nobody else's to judge, however good a token looks.
#[rstest]
#[case::it_knows(Ok(reviewed()), Ok(agent()))]
#[case::it_refuses(
    Err(ReviewError::Refused("its pod is gone".into())),
    Err(AuthError::Refused("the token is refused: its pod is gone".into()))
)]
#[case::we_may_not_ask(
    Err(ReviewError::Unwilling("403".into())),
    Err(AuthError::Unavailable("the API server reviews no token for us: 403".into()))
)]
fn an_api_server_that_answers_is_the_only_judge(
    #[case] review: Result<Reviewed, ReviewError>,
    #[case] wanted: Result<Caller, AuthError>,
) {
    let stage = Stage::new();
    stage.publish(ISSUER);
    let token = stage.token(&agent(), AUDIENCE, Duration::ZERO);
    let believed = u64::from(review.is_ok());
    assert_eq!(stage.judgement.of(&token, review), wanted);
    assert_eq!(stage.counted(), [believed, 0]);
}

#[rstest]
#[case::other_audience(agent(), "vault", Duration::ZERO, ISSUER, "InvalidAudience")]
#[case::other_issuer(agent(), AUDIENCE, Duration::ZERO, "https://else", "InvalidIssuer")]
#[case::expired(agent(), AUDIENCE, 2 * HOUR, ISSUER, "expired 3600 seconds ago")]
#[case::of_an_account(
    Caller::new("weir-system", "weir-agent"),
    AUDIENCE,
    Duration::ZERO,
    ISSUER,
    "bound to no pod"
)]
#[case::of_a_node(Caller { pod: None, ..agent() }, AUDIENCE, Duration::ZERO, ISSUER, "bound to no pod")]
#[case::without_a_uid(pod("agent-a", ""), AUDIENCE, Duration::ZERO, ISSUER, "bound to no pod")]
#[case::of_a_pod_that_is_gone(pod("agent-b", "u2"), AUDIENCE, Duration::ZERO, ISSUER, "is not known")]
#[case::of_a_pod_that_came_before(
    pod("agent-a", "u0"),
    AUDIENCE,
    Duration::ZERO,
    ISSUER,
    "another one by now"
)]
#[case::of_another_account(
    Caller { service_account: "root".into(), ..agent() }, AUDIENCE, Duration::ZERO, ISSUER, "another one by now"
)]
#[case::elsewhere(Caller { namespace: "shop".into(), ..agent() }, AUDIENCE, Duration::ZERO, ISSUER, "is not known")]
fn what_the_keys_do_not_prove_has_to_wait(
    #[case] caller: Caller,
    #[case] audience: &str,
    #[case] age: Duration,
    #[case] issuer: &str,
    #[case] said: &str,
) {
    let stage = Stage::new();
    stage.publish(issuer);
    let answer = stage.away(&stage.token(&caller, audience, age));
    let waits = matches!(&answer, Err(AuthError::Unavailable(why)) if why.starts_with("it is away; and ") && why.contains(said));
    assert!(waits, "{answer:?}");
    assert_eq!(stage.counted(), [0, 0]);
}

#[test]
fn a_token_by_another_key_has_to_wait() {
    let stage = Stage::new();
    stage.publish(ISSUER);
    let other = JwksKeys::open_or_create(stage.temp.path().join("other")).unwrap();
    let forged = other.issue(&agent(), AUDIENCE, now(), HOUR).unwrap();
    let answer = stage.away(&forged).unwrap_err().to_string();
    assert!(answer.contains("no key '") && answer.contains("the keys of weir-controller"), "{answer}");
}

/// None were read; the API server takes them back; what it publishes is no set of keys.
#[rstest]
#[case::never_read(&[])]
#[case::taken_back(&[Some("good"), None])]
#[case::garbage(&[Some("good"), Some("{}")])]
fn without_keys_everybody_has_to_wait(#[case] published: &[Option<&str>]) {
    let stage = Stage::new();
    for keys in published {
        match keys {
            Some("good") => stage.publish(ISSUER),
            other => {
                let keys = other.map(|jwks| TokenKeys { issuer: ISSUER.to_owned(), jwks: jwks.to_owned() });
                stage.judgement.hold(keys.as_ref());
            }
        }
    }
    let answer = stage.away(&stage.token(&agent(), AUDIENCE, Duration::ZERO)).unwrap_err();
    let said = "it is away; and the cluster's keys could not be read before";
    assert_eq!(answer, AuthError::Unavailable(said.to_owned()));
}

/// The time of all these tests.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

const HOUR: Duration = Duration::from_secs(3600);
