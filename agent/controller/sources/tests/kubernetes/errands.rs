//! Secrets, roots, tokens, the webhook.

use std::collections::BTreeMap;
use std::sync::Arc;

use rstest::rstest;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use weir_harness::kube_api::{Call, Fault, KubeApi, TokenOwner};
use weir_sources::{ReviewError, Reviewer, RootConfigMaps, SecretError, SecretStore, Target, Webhook};

use crate::support::{connect, until};

fn data(text: &str) -> BTreeMap<String, Vec<u8>> {
    [("ca-key.pem".to_owned(), text.as_bytes().to_vec())].into()
}

#[tokio::test]
async fn of_many_replicas_exactly_one_makes_the_secret() {
    let api = KubeApi::start().unwrap();
    let cluster = connect(&api).await;
    let replicas = (0..10).map(|n| {
        let store = SecretStore::new(&cluster, "default", "weir-ca");
        tokio::spawn(async move { store.create(data(&n.to_string())).await })
    });
    let mut made = Vec::new();
    for replica in replicas.collect::<Vec<_>>() {
        match replica.await.unwrap() {
            Ok(stored) => made.push(stored),
            Err(error) => assert!(matches!(error, SecretError::Conflict { .. }), "{error}"),
        }
    }
    assert_eq!(made.len(), 1);
    let store = SecretStore::new(&cluster, "default", "weir-ca");
    assert_eq!(store.load().await.unwrap().as_ref(), Some(&made[0]));
}

#[tokio::test]
async fn a_secret_is_replaced_only_by_who_read_it_and_watched_by_all() {
    let api = KubeApi::start().unwrap();
    let store = SecretStore::new(&connect(&api).await, "default", "weir-ca");
    let (sender, mut changes) = mpsc::channel(1);
    tokio::spawn(store.clone().watch(sender));
    assert_eq!(changes.recv().await.unwrap(), None);
    let first = store.create(data("1")).await.unwrap();
    assert_eq!(changes.recv().await.unwrap().unwrap().data, data("1"));
    let second = store.replace(&first.version, data("2")).await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), Some(second.clone()));
    assert!(matches!(store.replace(&first.version, data("3")).await, Err(SecretError::Conflict { .. })));
    api.delete("secrets", "default", "weir-ca").unwrap();
    assert_eq!(changes.recv().await.unwrap(), None);
    assert!(matches!(store.replace(&second.version, data("3")).await, Err(SecretError::Conflict { .. })));
    assert!(!format!("{second:?}").contains("50"), "the bytes of a secret are not for logs");
}

#[tokio::test]
async fn the_roots_are_in_every_namespace_while_we_lead() {
    let api = KubeApi::start().unwrap();
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    api.put(namespace("shop")).unwrap();
    let mut leaving = namespace("leaving");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    leaving["metadata"]["finalizers"] = json!(["x"]);
    api.put(leaving).unwrap();
    let (lead, leading) = watch::channel(false);
    let (roots, bundle) = watch::channel::<Arc<str>>("ONE".into());
    let maps = RootConfigMaps::new(&connect(&api).await, "istio-ca-root-cert", leading, bundle);
    tokio::spawn(maps.run());
    let text = |namespace: &str| {
        let map = api.get("configmaps", namespace, "istio-ca-root-cert")?;
        map["data"]["root-cert.pem"].as_str().map(str::to_owned)
    };
    lead.send_replace(true);
    until("both", || ["default", "shop"].iter().all(|n| text(n).as_deref() == Some("ONE"))).await;
    assert_eq!(text("leaving"), None);
    api.put(namespace("new")).unwrap();
    until("the new one", || text("new").as_deref() == Some("ONE")).await;
    api.delete("configmaps", "shop", "istio-ca-root-cert").unwrap();
    until("the one that was deleted", || text("shop").as_deref() == Some("ONE")).await;
    api.fault(Call::new("patch", "configmaps"), Fault::Status(500, "InternalError"), 1);
    roots.send_replace("ONE TWO".into());
    until("the new roots", || {
        ["default", "shop", "new"].iter().all(|n| text(n).as_deref() == Some("ONE TWO"))
    })
    .await;
    let applies = api.writes();
    assert!(applies.iter().all(|w| w.content_type == "application/apply-patch+yaml"), "{applies:?}");
    assert!(
        applies
            .iter()
            .all(|w| w.uri.contains("force=true") && w.uri.contains("fieldManager=weir-controller"))
    );
    lead.send_replace(false);
    drop(roots);
}

#[rstest]
#[case::good("good", &["istio-ca"], Ok(()))]
#[case::several_audiences("good", &["other", "istio-ca"], Ok(()))]
#[case::wrong_audience("api", &["istio-ca"], Err(true))]
#[case::unknown("stolen", &["istio-ca"], Err(true))]
#[tokio::test]
async fn a_token_is_whose_the_api_says(
    #[case] token: &str,
    #[case] audiences: &[&str],
    #[case] wanted: Result<(), bool>,
) {
    let api = KubeApi::start().unwrap();
    let owner = |audiences: &[&str]| TokenOwner {
        namespace: "weir-system".into(),
        service_account: "weir-agent".into(),
        pod: Some(("agent-1".into(), "uid-1".into())),
        node: Some("a".into()),
        audiences: audiences.iter().map(|&a| a.to_owned()).collect(),
    };
    api.token("good", owner(&["istio-ca"]));
    api.token("api", owner(&[]));
    let reviewer = Reviewer::new(&connect(&api).await);
    let audiences: Vec<String> = audiences.iter().map(|&a| a.to_owned()).collect();
    match (reviewer.review(token, &audiences).await, wanted) {
        (Ok(reviewed), Ok(())) => {
            assert_eq!(
                (reviewed.namespace.as_str(), reviewed.service_account.as_str()),
                ("weir-system", "weir-agent")
            );
            let pod = reviewed.pod.unwrap();
            assert_eq!((pod.name.as_str(), pod.uid.as_str()), ("agent-1", "uid-1"));
            assert_eq!(reviewed.node.as_deref(), Some("a"));
        }
        (Err(ReviewError::Refused(_)), Err(true)) => {}
        (got, wanted) => panic!("{got:?} is not {wanted:?}"),
    }
}

/// Nor is one that answers, and says nothing of the token, an API server that is away.
#[rstest]
#[case::dies(Fault::Close, true)]
#[case::fails(Fault::Status(500, "InternalError"), true)]
#[case::is_behind_somebody(Fault::Status(503, "ServiceUnavailable"), true)]
#[case::is_somebody_else(Fault::Garbage, true)]
#[case::has_too_much_to_do(Fault::Status(429, "TooManyRequests"), false)]
#[case::does_not_let_us(Fault::Forbidden, false)]
#[case::does_not_know_us(Fault::Status(401, "Unauthorized"), false)]
#[tokio::test]
async fn an_api_that_does_not_answer_is_not_a_refusal(#[case] fault: Fault, #[case] is_away: bool) {
    let api = KubeApi::start().unwrap();
    api.fault(Call::any(), fault, 1);
    let reviewer = Reviewer::new(&connect(&api).await);
    let answer = reviewer.review("t", &["istio-ca".to_owned()]).await;
    let as_wanted = match &answer {
        Err(ReviewError::Unavailable(_)) => is_away,
        Err(ReviewError::Unwilling(_)) => !is_away,
        _ => false,
    };
    assert!(as_wanted, "{answer:?}");
}

#[tokio::test]
async fn the_webhook_is_written_and_written_anew_only_if_it_changes() {
    let api = KubeApi::start().unwrap();
    let cluster = connect(&api).await;
    let mut webhook = Webhook {
        name: "weir-controller".into(),
        target: Target::Service {
            namespace: "weir-system".into(),
            name: "weir-controller".into(),
            port: 443,
        },
        path: "/validate".into(),
        ca_bundle: "PEM".into(),
        fail_closed: false,
        only: None,
    };
    webhook.write(&cluster).await.unwrap();
    let read = || api.get("validatingwebhookconfigurations", "", "weir-controller").unwrap();
    let config = read();
    assert_eq!(config["webhooks"][0]["clientConfig"]["caBundle"], "UEVN");
    assert_eq!(config["webhooks"][0]["failurePolicy"], "Ignore");
    let version = api.version();
    webhook.write(&cluster).await.unwrap();
    assert_eq!(api.version(), version);
    webhook.fail_closed = true;
    webhook.write(&cluster).await.unwrap();
    assert_eq!(read()["webhooks"][0]["failurePolicy"], "Fail");
    webhook.only = Some(("istio.io/rev".into(), "weir".into()));
    webhook.write(&cluster).await.unwrap();
    assert_eq!(read()["webhooks"][0]["namespaceSelector"], json!({"matchLabels": {"istio.io/rev": "weir"}}));
    webhook.only = None;
    webhook.write(&cluster).await.unwrap();
    assert_eq!(read()["webhooks"][0]["namespaceSelector"].pointer("/matchLabels/istio.io~1rev"), None);
}

/// A quota or a webhook of one namespace keeps the roots from it, and from nobody else.
#[rstest]
#[case::quota(Fault::Forbidden)]
#[case::webhook(Fault::Status(500, "InternalError"))]
#[tokio::test]
async fn a_namespace_that_takes_no_roots_keeps_no_other_from_them(#[case] fault: Fault) {
    let api = KubeApi::start().unwrap();
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    for name in ["a-first", "shop"] {
        api.put(namespace(name)).unwrap();
    }
    api.fault(Call::new("patch", "configmaps").within("a-first"), fault, usize::MAX);
    let (_lead, leading) = watch::channel(true);
    let (roots, bundle) = watch::channel::<Arc<str>>("ONE".into());
    tokio::spawn(RootConfigMaps::new(&connect(&api).await, "istio-ca-root-cert", leading, bundle).run());
    let has = |namespace: &str, text: &str| {
        let map = api.get("configmaps", namespace, "istio-ca-root-cert").unwrap_or_default();
        map["data"]["root-cert.pem"] == text
    };
    until("the others", || has("shop", "ONE") && has("default", "ONE")).await;
    roots.send_replace("TWO".into());
    until("the others", || has("shop", "TWO") && has("default", "TWO")).await;
    let tries = || api.writes().iter().filter(|w| w.uri.contains("/a-first/")).count();
    let before = tries();
    until("another try", || tries() > before).await;
    api.heal();
    until("the first", || has("a-first", "TWO")).await;
}
