//! Where in a file something is said.
//!
//! Objects do not carry their places: a place is wanted once, when something is wrong. Then the text is read again, for
//! nothing but places.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::chunks::{Chunk, chunks};
use super::switches;

/// Line and column of a field of the object that begins in `line`, or of the nearest thing around it that is there.
/// `None` if no document is there. JSON that is no YAML has the place of its document only.
///
/// `field` is written as in a [`Problem`](crate::Problem): `spec.ports[0].port`.
pub fn locate(text: &str, line: usize, field: &str) -> Option<(usize, usize)> {
    let chunk = chunks(text).take_while(|chunk| chunk.first_line <= line).last()?;
    let Some(mut at) = tree(&chunk) else { return Some((chunk.first_line, 1)) };
    // An item of a list begins later than its document.
    if line > chunk.first_line
        && let Tree::Map(fields) = &mut at.value
        && let Some(place) = fields.iter().position(|(name, _)| name == "items")
        && let Tree::Seq(items) = fields.swap_remove(place).1.value
    {
        at = items.into_iter().rfind(|item| line_of(&chunk, item) <= line)?;
    }
    let mut at = &at;
    for step in steps(field) {
        let next = match &at.value {
            Tree::Map(fields) => fields.iter().find(|(name, _)| name == step).map(|(_, value)| value),
            Tree::Seq(items) => step.parse::<usize>().ok().and_then(|place| items.get(place)),
            Tree::Leaf => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    Some((line_of(&chunk, at), (at.referenced.column() as usize).max(1)))
}

/// The lines in which the items of a list begin.
pub(super) fn items(chunk: &Chunk<'_>) -> Vec<usize> {
    let Some(Spanned { value: Tree::Map(fields), .. }) = tree(chunk) else { return Vec::new() };
    let items = fields.into_iter().find(|(name, _)| name == "items");
    let Some((_, Spanned { value: Tree::Seq(items), .. })) = items else { return Vec::new() };
    items.iter().map(|item| line_of(chunk, item)).collect()
}

fn line_of(chunk: &Chunk<'_>, at: &Spanned<Tree>) -> usize {
    chunk.first_line + (at.referenced.line() as usize).max(1) - 1
}

/// `a.b[0][x.y]`: a, b, 0, x.y.
fn steps(field: &str) -> impl Iterator<Item = &str> {
    let mut rest = field;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (step, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']')?,
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        rest = after;
        (!step.is_empty()).then_some(step)
    })
}

fn tree(chunk: &Chunk<'_>) -> Option<Spanned<Tree>> {
    serde_saphyr::from_str_with_options(chunk.text, switches()).ok()
}

/// A document, without its values.
enum Tree {
    Map(Vec<(String, Spanned<Tree>)>),
    Seq(Vec<Spanned<Tree>>),
    Leaf,
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Tree::Map(fields))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::Seq(items))
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i128<E: Error>(self, _: i128) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u128<E: Error>(self, _: u128) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_unit<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
                IgnoredAny::deserialize(from).map(|_| Tree::Leaf)
            }
        }
        from.deserialize_any(Any)
    }
}
