//! Files that change in any order, beside a tree that is built anew from what they say in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use weir_resources::Key;

use super::super::claims::Claims;
use super::super::derive::Derived;
use super::super::file::File;
use super::super::tree::{Tree, Update};
use super::*;

/// A document, and what makes it another object than the others. Few names, so that they meet.
#[derive(Debug, Clone)]
struct Document {
    id: String,
    text: String,
}

#[derive(Debug, Clone)]
enum Change {
    Gone,
    Unreadable,
    /// Its documents, and whether there is one after them that is no YAML.
    Says(Vec<Document>, bool),
}

fn document(kind: &'static str, group: &str, namespace: Option<&str>, name: &str, more: &str) -> Document {
    let id = format!("{kind} {}{name}", namespace.map(|ns| format!("{ns}/")).unwrap_or_default());
    let place = namespace.map(|ns| format!(", namespace: {ns}")).unwrap_or_default();
    let text = format!("{{apiVersion: {group}v1, kind: {kind}, metadata: {{name: {name}{place}{more}}}");
    Document { id, text }
}

fn pod() -> impl Strategy<Value = Document> {
    let metadata = select(vec![
        "",
        ", labels: {istio.io/dataplane-mode: ambient}",
        ", labels: {istio.io/dataplane-mode: none}",
        ", annotations: {sidecar.istio.io/status: x}",
        ", annotations: {ambient.istio.io/redirection: pending}",
    ]);
    let rest = select(vec![
        "}",
        ", spec: {serviceAccountName: one}}",
        ", spec: {serviceAccountName: two}}",
        ", spec: {hostNetwork: true}}",
        ", status: {podIP: bad}}",
    ]);
    (select(vec!["a", "b"]), select(vec!["p", "q"]), metadata, rest).prop_map(
        |(namespace, name, meta, rest)| {
            let Document { id, text } = document("Pod", "", Some(namespace), name, meta);
            Document { id, text: text + rest }
        },
    )
}

fn other() -> impl Strategy<Value = Document> {
    let of = |kind, group, namespace, name, more: &str, rest: &str| {
        let Document { id, text } = document(kind, group, namespace, name, more);
        Document { id, text: text + rest }
    };
    let mut all = Vec::new();
    for namespace in ["a", "b"] {
        for labels in ["", ", labels: {istio.io/dataplane-mode: ambient}", ", labels: {x: y}", ", labels: 7"]
        {
            all.push(of("Namespace", "", None, namespace, labels, "}"));
        }
        for account in ["one", "two"] {
            all.push(of("ServiceAccount", "", Some(namespace), account, "", "}"));
            let spec = format!(", spec: {{address: 10.0.0.1, serviceAccount: {account}}}}}");
            all.push(of("WorkloadEntry", "networking.istio.io/", Some(namespace), "w", "", &spec));
        }
        for more in ["", ", generation: 1000", ", annotations: 7"] {
            let group = "security.istio.io/";
            all.push(of("AuthorizationPolicy", group, Some(namespace), "x", more, "}"));
        }
    }
    for address in ["10.1.1.1", "10.1.1.2"] {
        let spec = format!(", spec: {{clusterIP: {address}, ports: [{{port: 80}}]}}}}");
        all.push(of("Service", "", Some("a"), "w", "", &spec));
    }
    let waypoint = ", spec: {gatewayClassName: weir-waypoint}}";
    all.push(of("Gateway", "gateway.networking.k8s.io/", Some("a"), "w", "", waypoint));
    all.push(of("Node", "", None, "n", "", "}"));
    select(all)
}

fn change() -> impl Strategy<Value = Change> {
    let documents = prop::collection::vec(prop_oneof![pod(), other()], 0..5);
    prop_oneof![
        2 => Just(Change::Gone),
        1 => Just(Change::Unreadable),
        8 => (documents, prop::bool::weighted(0.2)).prop_map(|(documents, broken)| Change::Says(documents, broken)),
    ]
}

/// Rounds of changes to three files.
fn rounds() -> impl Strategy<Value = Vec<BTreeMap<&'static str, Change>>> {
    let names = select(vec!["a.yaml", "b.yaml", "c/d.yaml"]);
    prop::collection::vec(prop::collection::btree_map(names, change(), 0..3), 1..12)
}

fn text(documents: &[Document]) -> String {
    documents.iter().map(|document| format!("---\n{}\n", document.text)).collect()
}

/// What each file says, with what stays in force of what it said.
#[derive(Default)]
struct Files(BTreeMap<&'static str, Vec<Document>>);

impl Files {
    fn take(&mut self, name: &'static str, change: &Change) {
        match change {
            Change::Gone => drop(self.0.remove(name)),
            Change::Unreadable => drop(self.0.entry(name).or_default()),
            Change::Says(documents, is_broken) => {
                let before = self.0.insert(name, documents.clone()).unwrap_or_default();
                let is_missing = |old: &Document| documents.iter().all(|new| new.id != old.id);
                let missing = before.into_iter().filter(is_missing);
                self.0.get_mut(name).unwrap().extend(missing.take(if *is_broken { usize::MAX } else { 0 }));
            }
        }
    }

    /// `Pod a/p is in a.yaml already`, said of `b.yaml`.
    fn duplicates(&self) -> BTreeSet<(&'static str, &str)> {
        let (mut said, mut duplicates) = (BTreeSet::new(), BTreeSet::new());
        for (name, documents) in &self.0 {
            let ids: BTreeSet<&str> = documents.iter().map(|document| &*document.id).collect();
            duplicates.extend(ids.intersection(&said).map(|id| (*name, *id)));
            said.extend(ids);
        }
        duplicates
    }

    fn anew(&self) -> Update {
        let all = self.0.iter().map(|(name, documents)| (PathBuf::from(name), Some(Ok(text(documents)))));
        Tree::default().update(all.collect())
    }
}

/// What somebody knows who heard all events: each object without its generation, and the generation.
#[derive(Default)]
struct Known(BTreeMap<Key, (Event, i64)>);

impl Known {
    fn hear(&mut self, batches: Vec<Vec<Event>>) {
        for event in batches.into_iter().flatten() {
            let (key, event, generation) = match event {
                Event::Apply(mut object) => {
                    let generation = std::mem::take(&mut object.meta_mut().generation);
                    (object.key(), Event::Apply(object), generation)
                }
                Event::Invalid(mut invalid) => {
                    let generation = std::mem::take(&mut invalid.meta.generation);
                    (invalid.key.clone().unwrap(), Event::Invalid(invalid), generation)
                }
                Event::Delete(key) => {
                    assert!(self.0.remove(&key).is_some(), "{key} is gone, and was not there");
                    continue;
                }
                Event::Relist(_) | Event::Synced(_) => continue,
            };
            let before = self.0.get(&key).map_or(0, |(_, generation)| *generation);
            assert!([before + 1, 1000].contains(&generation), "{key}: {generation} after {before}");
            if let Some((before, _)) = self.0.insert(key, (event.clone(), generation)) {
                // Who gives a number, or takes it back, changes nothing else.
                assert!(before != event || generation >= 1000, "said twice: {event:?}");
            }
        }
    }

    fn objects(self) -> BTreeMap<Key, Event> {
        self.0.into_iter().map(|(key, (event, _))| (key, event)).collect()
    }
}

fn content(change: &Change) -> Option<Result<String, String>> {
    match change {
        Change::Gone => None,
        Change::Unreadable => Some(Err("it is not UTF-8".to_owned())),
        Change::Says(documents, false) => Some(Ok(text(documents))),
        Change::Says(documents, true) => Some(Ok(text(documents) + "---\na: [\n")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changes_lead_to_what_a_new_tree_says(rounds in rounds()) {
        let (mut tree, mut files, mut known) = (Tree::default(), Files::default(), Known::default());
        for round in rounds {
            let before: BTreeSet<(String, String)> =
                files.duplicates().into_iter().map(|(file, id)| (file.into(), id.into())).collect();
            round.iter().for_each(|(name, change)| files.take(name, change));
            let changes = round.iter().map(|(name, change)| (PathBuf::from(name), content(change)));
            let said = tree.update(changes.collect());
            let now: BTreeSet<(String, String)> =
                files.duplicates().into_iter().map(|(file, id)| (file.into(), id.into())).collect();
            let told: Vec<String> = said.reports.iter().map(ToString::to_string).collect();
            let told = told.into_iter().filter(|line| line.ends_with("already; that one is in force"));
            let told: Vec<String> = told.map(|line| line.split_once(" is in ").unwrap().0.to_owned()).collect();
            let mut wanted: Vec<String> = now.difference(&before).map(|(file, id)| format!("{file}: {id}")).collect();
            wanted.sort_by_key(|line| told.iter().position(|other| other == line));
            prop_assert_eq!(told, wanted);
            known.hear(said.batches);
        }
        let mut anew = Known::default();
        anew.hear(files.anew().batches);
        prop_assert_eq!(known.objects(), anew.objects());
    }
}

fn file(name: &str, text: String) -> (Arc<Path>, File) {
    let path = Path::new(name);
    (path.into(), File::read(path, &Ok(text), &File::default()).unwrap().0)
}

/// What it costs is what is looked at, however large the mesh is.
#[test]
fn a_change_looks_at_what_it_changes() {
    let (mut claims, mut derived) = (Claims::default(), Derived::default());
    let twenty = |n: usize| (0..20).map(|m| pod_of(n, m, "default")).collect::<String>();
    for n in 0..50 {
        let (path, file) = file(&format!("{n}.yaml"), twenty(n));
        claims.replace(&path, &[], &file.entries);
    }
    let mut touched = claims.take_touched();
    derived.follow(&mut touched, &claims, |_| None);
    let entries = touched.iter().filter_map(|key| Some((key.clone(), derived.entry(key, &claims)?)));
    let told: BTreeMap<_, _> = entries.collect();
    assert_eq!(told.len(), 1002);
    let ((path, before), (_, after)) =
        (file("7.yaml", twenty(7)), file("7.yaml", twenty(7) + &pod_of(7, 20, "own")));
    claims.replace(&path, &before.entries, &after.entries);
    let mut touched = claims.take_touched();
    derived.follow(&mut touched, &claims, |key| told.get(key));
    let touched: Vec<String> = touched.iter().map(ToString::to_string).collect();
    assert_eq!(touched, ["Namespace shop", "Pod shop/p7-20", "ServiceAccount shop/own"]);
}

fn pod_of(n: usize, m: usize, account: &str) -> String {
    super::pod(&format!("p{n}-{m}"), &format!("spec: {{serviceAccountName: {account}}}"))
}
