//! Files, and what is made of them. `tree` has no file system; `follow` has a real one.

use weir_resources::{Event, Kind, Object};

mod follow;
mod incremental;
mod tree;

/// One line per event, in the order in which they came: `+Pod shop/web`, `!Service a/b`, `-Node n`.
fn told(batches: &[Vec<Event>]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Apply(object) => format!("+{}", object.key()),
        Event::Invalid(invalid) => format!("!{}", invalid.key.as_ref().unwrap()),
        Event::Delete(key) => format!("-{key}"),
        Event::Relist(kind) => format!("relist {}", kind.name()),
        Event::Synced(kind) => format!("synced {}", kind.name()),
    };
    batches.iter().flatten().map(line).collect()
}

/// The same, of a kind only.
fn told_of(kind: Kind, batches: &[Vec<Event>]) -> Vec<String> {
    let ours =
        |line: &String| line.trim_start_matches(['+', '!', '-']).split(' ').next() == Some(kind.name());
    told(batches).into_iter().filter(ours).collect()
}

fn find(batches: &[Vec<Event>], key: &str) -> Option<Object> {
    batches.iter().flatten().find_map(|event| match event {
        Event::Apply(object) if object.key().to_string() == key => Some((**object).clone()),
        _ => None,
    })
}

fn account(name: &str) -> String {
    format!("apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: shop}}\n---\n")
}

fn pod(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\n{more}\n---\n")
}
