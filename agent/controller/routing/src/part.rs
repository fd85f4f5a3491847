//! Reading what anybody may have written, part by part: what is wrong in one part says nothing about the others.

mod nulls;
mod unknown;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use serde_path_to_error::Segment;

pub(crate) use nulls::without_nulls;
pub(crate) use unknown::Unknown;

use crate::problem::{Effect, Problems, Reason, quoted};

/// A field that is read for itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Part<T> {
    /// Not there, or null.
    #[default]
    Absent,
    /// There, and understood.
    Read(T),
    /// There, and not understood.
    Wrong(Wrong),
}

/// Why a part cannot be read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wrong {
    /// Within the part, beginning with `.` or `[`; empty for the part itself.
    path: String,
    message: String,
}

/// Where a problem of a part is written, and what it means for traffic.
pub(crate) struct Place<'a> {
    pub(crate) field: &'a str,
    pub(crate) effect: Effect,
}

impl<T> Part<T> {
    /// What is there; a part that cannot be read is reported and counts as absent.
    pub(crate) fn get(&self, place: &Place<'_>, problems: &mut Problems) -> Option<&T> {
        self.try_get(place, problems).unwrap_or(None)
    }

    /// What is there, or that it has been reported that it cannot be read.
    pub(crate) fn try_get(&self, place: &Place<'_>, problems: &mut Problems) -> Result<Option<&T>, Reported> {
        match self {
            Self::Absent => Ok(None),
            Self::Read(value) => Ok(Some(value)),
            Self::Wrong(wrong) => {
                let field = format!("{}{}", place.field, wrong.path);
                problems.add(field, Reason::Invalid, place.effect, wrong.message.clone());
                Err(Reported)
            }
        }
    }

    /// Whether it is there, understood or not.
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

/// Something cannot be done, and its author has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported;

impl<'de, T: DeserializeOwned> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(from)?;
        Ok(match value {
            Value::Null => Self::Absent,
            value => read(value).map_or_else(Self::Wrong, Self::Read),
        })
    }
}

/// A part from JSON.
pub(crate) fn part<T: DeserializeOwned>(value: &Value) -> Part<T> {
    match value {
        Value::Null => Part::Absent,
        value => read(value.clone()).map_or_else(Part::Wrong, Part::Read),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => path.push_str(&format!("[{index}]")),
                Segment::Map { key } if key.contains(|c: char| !c.is_ascii_alphanumeric()) => {
                    path.push_str(&format!("[{}]", quoted(key).trim_matches('"')));
                }
                Segment::Map { key } => path.push_str(&format!(".{key}")),
                Segment::Enum { .. } | Segment::Unknown => {}
            }
        }
        Wrong { path, message: words(error.into_inner().to_string()) }
    })
}

/// Without the names of our types.
fn words(message: String) -> String {
    let message = match message.rsplit_once(", expected struct ") {
        Some((what, _)) => format!("{what}, expected an object"),
        None => message,
    };
    let message: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match message.split_once(", expected one of ") {
        // protobuf's spellings are understood, and need not be learnt.
        Some((what, names)) if what.starts_with("unknown field") => {
            let names: Vec<&str> = names.split(", ").filter(|name| !name.contains('_')).collect();
            format!("{what}, expected one of {}", names.join(", "))
        }
        _ => message,
    }
}
