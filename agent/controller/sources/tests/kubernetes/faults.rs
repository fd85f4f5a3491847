//! Nothing is lost and nothing is kept that is gone, whatever the API server does.

use std::time::Duration;

use rstest::rstest;
use weir_harness::kube_api::{Call, Cut, Fault, KubeApi};
use weir_resources::Kind;
use weir_sources::KindState;

use crate::mirror::Mirror;
use crate::support::{pod, until};

#[tokio::test]
async fn a_long_list_comes_in_pages_and_then_what_changes() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    for n in 0..1203 {
        api.put(pod(&format!("p{n}"), "1")).unwrap();
    }
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    assert_eq!(mirror.count(Kind::Pod), 1203);
    let pages = api.requests().iter().filter(|r| r.verb == "list" && r.resource == "pods").count();
    assert_eq!(pages, 3);
    api.put(pod("p7", "2")).unwrap();
    api.delete("pods", "shop", "p8").unwrap();
    api.put(pod("new", "1")).unwrap();
    mirror
        .until("the changes", |m| {
            m.version("p7") == Some("2") && !m.has(Kind::Pod, "p8") && m.has(Kind::Pod, "new")
        })
        .await;
    assert_eq!(mirror.lists[&Kind::Pod], 1);
}

#[rstest]
#[case::in_time(Cut::End)]
#[case::reset(Cut::Reset)]
#[case::torn(Cut::Torn)]
#[tokio::test]
async fn a_watch_that_is_cut_goes_on_where_it_was(#[case] cut: Cut) {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("a", "1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    until("the watch", || api.watches("pods") == 1).await;
    api.cut(cut);
    api.put(pod("a", "2")).unwrap();
    api.put(pod("b", "1")).unwrap();
    mirror.until("what happened meanwhile", |m| m.version("a") == Some("2") && m.has(Kind::Pod, "b")).await;
    assert_eq!(mirror.lists[&Kind::Pod], 1, "the list did not have to be read again");
}

/// 410 comes as an event, or as the status of a watch that begins.
#[rstest]
#[case::as_event(false)]
#[case::as_status(true)]
#[tokio::test]
async fn a_version_that_is_forgotten_costs_a_list(#[case] by_status: bool) {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("a", "1")).unwrap();
    api.put(pod("gone", "1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    until("the watch", || api.watches("pods") == 1).await;
    api.refuse_old_watches(by_status);
    api.fault(Call::new("watch", "pods"), Fault::Slow(Duration::from_millis(50)), 1);
    api.cut(Cut::Reset);
    until("its end", || api.watches("pods") == 0).await;
    api.put(pod("a", "2")).unwrap();
    api.delete("pods", "shop", "gone").unwrap();
    api.compact();
    mirror
        .until("what happened meanwhile", |m| m.version("a") == Some("2") && !m.has(Kind::Pod, "gone"))
        .await;
    assert!(mirror.lists[&Kind::Pod] >= 2);
}

#[tokio::test]
async fn a_watch_that_is_told_410_in_the_middle_lists_again() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("a", "1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    until("the watch", || api.watches("pods") == 1).await;
    api.cut(Cut::Gone);
    api.put(pod("a", "2")).unwrap();
    mirror.until("the new list", |m| m.version("a") == Some("2") && m.lists[&Kind::Pod] == 2).await;
}

#[tokio::test]
async fn a_page_that_expired_begins_the_list_anew() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    for n in 0..600 {
        api.put(pod(&format!("p{n}"), "1")).unwrap();
    }
    api.fault(Call::new("list", "pods"), Fault::Slow(Duration::ZERO), 1);
    api.fault(Call::new("list", "pods"), Fault::Status(410, "Expired"), 1);
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    assert_eq!(mirror.count(Kind::Pod), 600);
    assert_eq!(mirror.lists[&Kind::Pod], 2);
}

#[rstest]
#[case::refused(Fault::Status(500, "InternalError"))]
#[case::overloaded(Fault::Status(429, "TooManyRequests"))]
#[case::closed(Fault::Close)]
#[case::lost(Fault::Lost)]
#[case::garbage(Fault::Garbage)]
#[case::slow(Fault::Slow(Duration::from_millis(300)))]
#[tokio::test]
async fn an_api_that_fails_for_a_while_is_read_in_the_end(#[case] fault: Fault) {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("a", "1")).unwrap();
    api.fault(Call::any(), fault, 40);
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    api.put(pod("a", "2")).unwrap();
    mirror.until("a change", |m| m.version("a") == Some("2")).await;
    assert_eq!(mirror.cluster.health().report()[&Kind::Pod], KindState::Synced);
}

#[tokio::test]
async fn watches_that_fail_again_and_again_end_in_a_new_list() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("a", "1")).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    api.fault(Call::new("watch", "pods"), Fault::Status(504, "Timeout"), 6);
    api.cut(Cut::Reset);
    api.put(pod("a", "2")).unwrap();
    mirror.until("the list", |m| m.version("a") == Some("2") && m.lists[&Kind::Pod] == 2).await;
}

#[tokio::test]
async fn a_stale_list_is_followed_by_what_it_lacks() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("a", "1")).unwrap();
    api.put(pod("gone", "1")).unwrap();
    api.freeze();
    api.put(pod("a", "2")).unwrap();
    api.delete("pods", "shop", "gone").unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until("the present", |m| m.version("a") == Some("2") && !m.has(Kind::Pod, "gone")).await;
}

/// An object that nobody can read is an event, and the others come.
#[tokio::test]
async fn a_bad_object_harms_itself_only() {
    let api = KubeApi::with_mesh_kinds().unwrap();
    api.put(pod("good", "1")).unwrap();
    let mut bad = pod("bad", "1");
    bad["spec"] = serde_json::json!({"nodeName": 7});
    api.put(bad).unwrap();
    let mut mirror = Mirror::of(&api).await;
    mirror.until_synced().await;
    assert!(mirror.has(Kind::Pod, "bad") && mirror.version("bad").is_none());
    assert_eq!(mirror.version("good"), Some("1"));
}
