//! Fields that nobody knows.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, IgnoredAny};

use super::{Place, Reported};
use crate::problem::{Problems, Reason, quoted};

/// Fields that nobody knows: misspelt, or of a version to come.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Unknown(Vec<String>);

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(BTreeMap::<String, IgnoredAny>::deserialize(from)?.into_keys().collect()))
    }
}

impl Unknown {
    /// Reports them as fields of the object at `place`.
    pub(crate) fn report(&self, place: &Place<'_>, problems: &mut Problems) -> Result<(), Reported> {
        for name in &self.0 {
            let field = format!("{}.{}", place.field, quoted(name).trim_matches('"'));
            problems.add(field, Reason::Invalid, place.effect, "is not a field that is known here");
        }
        if self.0.is_empty() { Ok(()) } else { Err(Reported) }
    }
}
