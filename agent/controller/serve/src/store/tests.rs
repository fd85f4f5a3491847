//! The order of changes.

use weir_index::{Change, Resource, ResourceKind};

use super::*;

fn resource(name: &str, version: u64) -> Arc<Resource> {
    Arc::new(Resource {
        name: name.into(),
        kind: ResourceKind::Authorization,
        version,
        body: "".into(),
        aliases: [].into(),
        node: "".into(),
        services: [].into(),
    })
}

fn changes(names: &[(&str, Option<u64>)]) -> Changes {
    let change = |(name, version): &(&str, Option<u64>)| Change {
        name: (*name).into(),
        resource: version.map(|version| resource(name, version)),
    };
    Changes { authorizations: names.iter().map(change).collect(), ..Changes::default() }
}

fn since(published: &Published, position: u64) -> Vec<String> {
    let text = |(_, entry): (u64, &Entry)| match entry {
        Entry::Live(resource) => format!("{} {}", resource.name, resource.version),
        Entry::Gone(name, _) => format!("{name} gone"),
    };
    published.authorizations.since(position..).map(text).collect()
}

#[test]
fn a_name_is_there_once_with_what_it_is_last() {
    let store = Store::new();
    assert!(!store.is_ready());
    store.publish(Snapshot::of([resource("a", 1), resource("b", 1)]), &Changes::default());
    assert!(store.is_ready());
    let before = store.current();
    assert_eq!(since(&before, 0).len(), 2, "the first picture counts, whatever is said to have changed");
    store.publish(Snapshot::default(), &changes(&[("a", Some(2)), ("c", Some(1))]));
    store.publish(Snapshot::default(), &changes(&[("a", Some(3)), ("c", None), ("never", None)]));
    let now = store.current();
    assert_eq!(since(&now, before.position), ["a 3", "c gone"]);
    assert_eq!(since(&now, 0), ["b 1", "a 3", "c gone"]);
    assert_eq!(since(&now, now.position), [""; 0]);
    assert_eq!(since(&before, 0).len(), 2, "a picture does not see later changes");
    store.publish(Snapshot::default(), &changes(&[("c", Some(2))]));
    assert_eq!(since(&store.current(), now.position), ["c 2"]);
}

#[test]
fn what_is_gone_is_forgotten_in_time_and_it_shows() {
    let store = Store::new();
    store.publish(Snapshot::default(), &Changes::default());
    let start = store.current().position;
    for round in 0..3 {
        let names: Vec<String> = (0..log::MARKS / 2).map(|n| format!("{round}-{n}")).collect();
        let of = |version: Option<u64>| {
            let pairs: Vec<_> = names.iter().map(|name| (&**name, version)).collect();
            changes(&pairs)
        };
        store.publish(Snapshot::default(), &of(Some(1)));
        store.publish(Snapshot::default(), &of(None));
    }
    let now = store.current();
    assert_eq!(since(&now, 0).len(), log::MARKS);
    assert!(!now.authorizations.remembers(start));
    assert!(now.authorizations.remembers(now.position));
}

#[test]
fn streams_wake_only_for_what_they_serve() {
    let store = Store::new();
    let mut head = store.watch();
    store.publish(Snapshot::default(), &Changes::default());
    assert!(head.has_changed().unwrap());
    head.mark_unchanged();
    store.publish(Snapshot::default(), &Changes::default());
    assert!(!head.has_changed().unwrap(), "nothing that is served has changed");
    store.publish(Snapshot::default(), &changes(&[("a", Some(1))]));
    assert!(head.has_changed().unwrap());
}
