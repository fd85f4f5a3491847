//! Collecting problems with their places.

use std::fmt::Display;

use serde_saphyr::{Location, Spanned};

use super::error::Problem;

/// Every problem found so far.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn at(&mut self, place: Location, field: impl Display, message: impl Display) {
        let (line, column) = (place.line(), place.column());
        // Both may quote the file, and a log line must stay one.
        let [field, message] =
            [field.to_string(), message.to_string()].map(|text| text.replace(char::is_control, " "));
        self.0.push(Problem { line, column, field, message });
    }

    pub(super) fn into_result(mut self) -> Result<(), Vec<Problem>> {
        self.0.sort();
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// The value of a port field. `lowest` is 0 where 0 has a meaning.
    pub(super) fn port(&mut self, value: &Spanned<i64>, lowest: i64, field: impl Display) -> Option<u16> {
        let port = u16::try_from(value.value).ok().filter(|port| i64::from(*port) >= lowest);
        if port.is_none() {
            let message = format!("{} is not a port; expected {lowest} to 65535", value.value);
            self.at(value.referenced, field, message);
        }
        port
    }

    /// The value of a field that holds one thing as text.
    pub(super) fn parse<T: std::str::FromStr>(
        &mut self,
        value: &Spanned<String>,
        expected: &str,
        field: impl Display,
    ) -> Option<T> {
        let parsed = value.value.parse().ok();
        if parsed.is_none() {
            self.at(value.referenced, field, format!("'{}' is not {expected}", clip(&value.value)));
        }
        parsed
    }
}

/// A message must stay a line.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
