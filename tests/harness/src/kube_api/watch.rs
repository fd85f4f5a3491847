//! A watch: one line of JSON per change, from a resource version on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Shared;
use super::answer::{Answer, Failure, answer};
use super::fault::Cut;
use super::kinds::KindDef;
use super::rest::shown;
use super::route::{ResourcePath, Route};
use super::selector::Selector;
use super::store::Store;

/// Begins a watch.
pub(crate) fn start(
    shared: &Arc<Shared>,
    kind: &KindDef,
    route: &Route,
    path: &ResourcePath,
) -> Result<Answer, Failure> {
    let mut store = shared.store();
    let from = route.text("resourceVersion").parse().unwrap_or(0);
    // Before there is a watch: the end of one needs the store, which is ours until we return.
    if from != 0 && store.is_forgotten(from) && store.gone_by_status {
        return Err(Failure::expired());
    }
    let mut watch = Watch {
        shared: shared.clone(),
        kind: kind.clone(),
        api: path.version.clone(),
        selector: Selector::of(route, path.namespace.as_deref()),
        sent: store.version(),
        lines: VecDeque::new(),
        bookmarks: route.flag("allowWatchBookmarks"),
        ends: Instant::now() + limit(route),
        cuts: store.cuts().0,
        changed: store.changed(),
        over: None,
    };
    match from {
        0 => watch.begin_with_all(&store),
        version if store.is_forgotten(version) => {
            watch.lines.push_back(line("ERROR", &Failure::expired().status()));
            watch.over = Some(Cut::End);
        }
        version => watch.sent = version,
    }
    if route.flag("sendInitialEvents") {
        let marks = json!({"k8s.io/initial-events-end": "true"});
        watch.lines.push_back(watch.bookmark(Some(marks)));
    }
    *store.watches.entry(kind.plural.clone()).or_default() += 1;
    drop(store);
    let stream = unfold(watch, |mut watch| async {
        let next = watch.next().await?;
        Some((next.map(Frame::data), watch))
    });
    Ok(answer(200, "application/json", BodyExt::boxed(StreamBody::new(stream))))
}

struct Watch {
    shared: Arc<Shared>,
    kind: KindDef,
    api: String,
    selector: Selector,
    /// Changes up to this version are in `lines` or were sent.
    sent: u64,
    lines: VecDeque<Bytes>,
    bookmarks: bool,
    ends: Instant,
    cuts: u64,
    changed: tokio::sync::watch::Receiver<()>,
    /// It ends when the lines are sent.
    over: Option<Cut>,
}

impl Watch {
    async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        let mut bookmark = Instant::now() + self.shared.bookmarks();
        loop {
            self.changed.borrow_and_update();
            self.collect();
            if let Some(line) = self.lines.pop_front() {
                return Some(Ok(line));
            }
            match self.over {
                Some(Cut::Reset | Cut::Torn) => return Some(Err(std::io::ErrorKind::ConnectionReset.into())),
                Some(_) => return None,
                None => {}
            }
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep_until(bookmark), if self.bookmarks => {
                    bookmark += self.shared.bookmarks();
                    self.lines.push_back(self.bookmark(None));
                }
                () = tokio::time::sleep_until(self.ends) => self.over = Some(Cut::End),
            }
        }
    }

    /// Takes what happened since.
    fn collect(&mut self) {
        let shared = self.shared.clone();
        let store = shared.store();
        let (cuts, how) = store.cuts();
        if cuts != self.cuts && self.over.is_none() {
            self.cuts = cuts;
            self.over = Some(how);
            match how {
                Cut::Gone => self.lines.push_back(line("ERROR", &Failure::expired().status())),
                Cut::Torn => {
                    self.lines.push_back(Bytes::from_static(b"{\"type\":\"ADDED\",\"object\":{\"kind\":"))
                }
                Cut::End | Cut::Reset => {}
            }
        }
        if self.over.is_some() {
            return;
        }
        for change in store.since(self.sent).filter(|change| change.id.is_of(&self.kind)) {
            let before = change.old.as_deref().is_some_and(|old| self.selector.takes(old));
            let after = !change.gone && self.selector.takes(&change.new);
            let event = match (before, after) {
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
                (false, false) => continue,
            };
            self.lines.push_back(line(event, &shown(&self.kind, &self.api, &change.new)));
        }
        self.sent = store.version();
    }

    fn begin_with_all(&mut self, store: &Store) {
        let (_, objects) = store.listed();
        for (_, object) in objects.iter().filter(|(id, o)| id.is_of(&self.kind) && self.selector.takes(o)) {
            self.lines.push_back(line("ADDED", &shown(&self.kind, &self.api, object)));
        }
    }

    fn bookmark(&self, annotations: Option<Value>) -> Bytes {
        let mut object = json!({
            "kind": self.kind.kind, "apiVersion": self.kind.api_version(&self.api),
            "metadata": {"resourceVersion": self.sent.to_string(), "creationTimestamp": null},
        });
        if let Some(annotations) = annotations {
            object["metadata"]["annotations"] = annotations;
        }
        line("BOOKMARK", &object)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(count) = self.shared.store().watches.get_mut(&self.kind.plural) {
            *count = count.saturating_sub(1);
        }
    }
}

fn line(event: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": event, "object": object})))
}

fn limit(route: &Route) -> Duration {
    let seconds = route.text("timeoutSeconds").parse().ok().filter(|&seconds| seconds > 0);
    Duration::from_secs(seconds.unwrap_or(1800))
}
