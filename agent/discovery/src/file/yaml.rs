//! YAML with every switch set on purpose, and errors with a place and a field.

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};
use serde_saphyr::{Options, UserMessageFormatter, budget, options};

use super::error::Problem;
use super::place::clip;
use super::schema::Document;

/// Reads the one document of a file.
pub(super) fn read(text: &str) -> Result<Document, Problem> {
    let nothing =
        |message: &str| Problem { line: 0, column: 0, field: String::new(), message: message.to_owned() };
    if text.len() > MAX_BYTES {
        return Err(nothing(&format!("it has {} bytes, the limit is {MAX_BYTES}", text.len())));
    }
    // An editor that truncates and then writes shows us an empty file. That is not "no workloads".
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(nothing("it is empty; a mesh without workloads is written `workloads: []`"));
    }
    // The library's own errors do not know the field. Its closure can only return its own error, so the field
    // takes the way around.
    let mut field = String::new();
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, switches(), |deserializer| {
        let mut track = serde_path_to_error::Track::new();
        let read = Document::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track));
        if read.is_err() {
            field = field_path(&track.path());
        }
        read
    });
    read.map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |place| (place.line(), place.column()));
        let message = message(&error);
        Problem { line, column, field, message }
    })
}

/// All values are typed, so the switches about untyped ones only matter where a type accepts several forms.
fn switches() -> Options {
    options! {
        strict_booleans: true,
        legacy_octal_numbers: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: budget! {
            max_depth: 32,
            max_documents: 1,
            max_nodes: 4_000_000,
            max_events: 8_000_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
    }
}

/// Without what goes before it: place and field. On one line, as a log has it.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // It quotes the file: a log is read on a terminal, and a control character there is a command.
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    match text.rsplit_once(" at line ") {
        Some((text, place)) if place.chars().all(|c| c.is_ascii_digit() || ", column".contains(c)) => {
            text.to_owned()
        }
        _ => text,
    }
}

/// The path as the user knows it: `Spanned` puts a level named `value` around what it wraps, and no field of
/// ours has that name.
fn field_path(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } if key == "value" => {}
            Segment::Map { key } if text.is_empty() => text.push_str(&clip(key)),
            Segment::Map { key } => text.push_str(&format!(".{}", clip(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

/// A mesh of 10 000 pods is about 4 MB.
const MAX_BYTES: usize = 64 << 20;
/// The names of all fields fit; a key of a megabyte does not.
const MAX_MESSAGE: usize = 1000;
