use prost_types::Any;
use rstest::rstest;
use weir_proto::discovery::Resource;

use super::*;

const ROUTES: &str = "type.test/Routes";
const HOSTS: &str = "type.test/Hosts";

fn client() -> Client {
    Client::new(Node { id: "waypoint".into(), ..Node::default() }, &[ROUTES, HOSTS])
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn response(type_url: &str, resources: &[(&str, &str)], removed: &[&str]) -> DeltaDiscoveryResponse {
    let resource = |(name, body): &(&str, &str)| Resource {
        name: (*name).into(),
        version: format!("v-{body}"),
        resource: Some(Any { type_url: type_url.into(), value: body.as_bytes().to_vec() }),
        ..Resource::default()
    };
    DeltaDiscoveryResponse {
        type_url: type_url.into(),
        nonce: "n".into(),
        resources: resources.iter().map(resource).collect(),
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryResponse::default()
    }
}

/// Refuses what says "bad".
fn take(client: &mut Client, response: DeltaDiscoveryResponse) -> Outcome {
    client.receive(response, &mut |_, _, body| match &body[..] {
        b"bad" => Err("it is bad".into()),
        _ => Ok(()),
    })
}

fn body<'a>(client: &'a Client, name: &str) -> Option<&'a [u8]> {
    client.get(ROUTES, name).map(|bytes| &bytes[..])
}

#[test]
fn nothing_is_asked_for_until_something_is_wanted() {
    let mut client = client();
    assert!(client.open().is_empty(), "a request without names would ask for everything");
    let request = client.want(ROUTES, names(&["a", "b"])).unwrap();
    assert_eq!(
        (&*request.type_url, request.resource_names_subscribe),
        (ROUTES, vec!["a".into(), "b".into()])
    );
    assert_eq!(request.node.unwrap().id, "waypoint", "the first of a type says who asks");
    assert!(client.want(ROUTES, names(&["a", "b"])).is_none(), "it is said");
}

#[test]
fn later_only_the_difference_is_said_and_what_is_not_wanted_is_forgotten() {
    let mut client = client();
    client.want(ROUTES, names(&["a", "b"]));
    take(&mut client, response(ROUTES, &[("a", "1"), ("b", "2")], &[]));
    let request = client.want(ROUTES, names(&["b", "c"])).unwrap();
    assert_eq!(request.resource_names_subscribe, ["c"]);
    assert_eq!(request.resource_names_unsubscribe, ["a"]);
    assert!(request.node.is_none());
    assert_eq!((body(&client, "a"), body(&client, "b")), (None, Some(&b"2"[..])));
    let late = take(&mut client, response(ROUTES, &[("a", "3")], &[]));
    assert!(
        late.changed.is_empty() && body(&client, "a").is_none(),
        "what is on its way is not taken up again"
    );
}

#[test]
fn a_new_stream_says_what_is_held() {
    let mut client = client();
    client.want(ROUTES, names(&["a", "b", "c"]));
    client.want(HOSTS, names(&["h"]));
    take(&mut client, response(ROUTES, &[("a", "1")], &["b"]));
    let requests = client.open();
    assert_eq!(requests.iter().map(|r| &*r.type_url).collect::<Vec<_>>(), [HOSTS, ROUTES]);
    assert_eq!(requests[1].resource_names_subscribe, ["a", "b", "c"]);
    assert_eq!(requests[1].initial_resource_versions, [("a".to_owned(), "v-1".to_owned())].into());
    assert!(requests.iter().all(|request| request.node.is_some()));
    assert_eq!(body(&client, "a"), Some(&b"1"[..]), "and it is in force meanwhile");
}

#[rstest]
#[case::comes(&[], &[("a", "1")], &[], &["a"], Some("1"))]
#[case::changes(&[("a", "1")], &[("a", "2")], &[], &["a"], Some("2"))]
#[case::comes_again(&[("a", "1")], &[("a", "1")], &[], &[], Some("1"))]
#[case::goes(&[("a", "1")], &[], &["a"], &["a"], None)]
#[case::is_not_there(&[], &[], &["a"], &["a"], None)]
#[case::was_not_asked_for(&[], &[("z", "1")], &["y"], &[], None)]
#[case::is_bad(&[("a", "1")], &[("a", "bad")], &[], &[], Some("1"))]
fn what_changed_is_said(
    #[case] before: &[(&str, &str)],
    #[case] resources: &[(&str, &str)],
    #[case] removed: &[&str],
    #[case] changed: &[&str],
    #[case] held: Option<&str>,
) {
    let mut client = client();
    client.want(ROUTES, names(&["a"]));
    take(&mut client, response(ROUTES, before, &[]));
    let outcome = take(&mut client, response(ROUTES, resources, removed));
    let said: Vec<_> = outcome.changed.iter().map(|(url, name)| (*url, name.as_str())).collect();
    assert_eq!(said, changed.iter().map(|name| (ROUTES, *name)).collect::<Vec<_>>());
    assert_eq!(body(&client, "a"), held.map(str::as_bytes));
    assert_eq!(client.is_known(ROUTES, "a"), held.is_some() || !removed.is_empty() && !changed.is_empty());
}

#[test]
fn what_is_refused_is_said_and_the_rest_is_taken() {
    let mut client = client();
    client.want(ROUTES, names(&["a", "b"]));
    let outcome = take(&mut client, response(ROUTES, &[("a", "bad"), ("b", "1")], &[]));
    assert_eq!(outcome.answer.error_detail.unwrap().message, "a: it is bad");
    assert_eq!(outcome.answer.response_nonce, "n");
    assert_eq!(outcome.changed, [(ROUTES, "b".to_owned())]);
    let empty = DeltaDiscoveryResponse {
        resources: vec![Resource { name: "a".into(), ..Resource::default() }],
        ..response(ROUTES, &[], &[])
    };
    assert_eq!(take(&mut client, empty).refused, ["a: it has no body"]);
}

#[test]
fn a_name_that_went_and_came_is_known_as_there() {
    let mut client = client();
    client.want(ROUTES, names(&["a"]));
    assert!(!client.is_known(ROUTES, "a"));
    take(&mut client, response(ROUTES, &[], &["a"]));
    assert!(client.is_known(ROUTES, "a") && body(&client, "a").is_none());
    take(&mut client, response(ROUTES, &[("a", "1")], &[]));
    assert_eq!(body(&client, "a"), Some(&b"1"[..]));
}

#[test]
fn every_type_that_was_asked_for_has_to_be_answered() {
    let mut client = client();
    assert!(client.is_answered(), "nothing was asked");
    client.want(ROUTES, names(&["a"]));
    client.want(HOSTS, names(&["h"]));
    take(&mut client, response(ROUTES, &[("a", "1")], &[]));
    assert!(!client.is_answered());
    take(&mut client, response(HOSTS, &[], &["h"]));
    assert!(client.is_answered());
    client.open();
    assert!(!client.is_answered(), "a new stream");
}
