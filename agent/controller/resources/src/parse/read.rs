//! A value into a type, with the path of what is wrong.

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::{Deserializer, Path, Segment, Track};

use crate::Problem;

/// Reads a whole object.
pub(super) fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Problem> {
    read_at("", value)
}

/// Reads a part of an object.
pub(super) fn read_at<'de, T: Deserialize<'de>>(field: &str, value: &'de Value) -> Result<T, Problem> {
    let mut track = Track::new();
    T::deserialize(Deserializer::new(value, &mut track)).map_err(|error| {
        Problem::new(path(field, &track.path()), clip(&words(error.to_string()), MAX_MESSAGE))
    })
}

/// Without the names of our types.
fn words(message: String) -> String {
    match message.rsplit_once(", expected struct ") {
        Some((what, _)) => format!("{what}, expected an object"),
        None => message,
    }
}

/// What somebody wrote, so that it fits into a line of a log.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", clip(text, MAX_QUOTE))
}

/// It quotes what somebody wrote, a megabyte or a control character of a terminal perhaps.
fn clip(text: &str, most: usize) -> String {
    let mut clipped: String = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clipped.len() < text.len() {
        clipped.push('…');
    }
    clipped
}

/// `spec.ports[0].port`; a key that holds dots itself stands in brackets: `metadata.labels[a.b/c]`.
fn path(field: &str, path: &Path) -> String {
    let mut text = field.to_owned();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } if key.contains(|c: char| !c.is_ascii_alphanumeric()) => {
                text.push_str(&format!("[{}]", clip(key, MAX_QUOTE)));
            }
            Segment::Map { key } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&clip(key, MAX_QUOTE));
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

const MAX_QUOTE: usize = 80;
/// The names of all fields of a kind fit.
const MAX_MESSAGE: usize = 300;
