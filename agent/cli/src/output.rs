//! What commands print: tables for people, JSON and YAML for machines.

use serde::Serialize;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Why something cannot be printed.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// It is no JSON.
    #[error("this cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is no YAML.
    #[error("this cannot be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// A value as YAML.
///
/// # Errors
/// It cannot be said in YAML.
pub fn yaml(value: &impl Serialize) -> Result<String, OutputError> {
    Ok(serde_saphyr::to_string(value)?)
}

/// A value in the form that is asked for; `people` makes the one for people, with its line ends.
///
/// # Errors
/// It cannot be said so.
pub fn text(
    format: Format,
    value: &impl Serialize,
    people: impl FnOnce() -> String,
) -> Result<String, OutputError> {
    Ok(match format {
        Format::Table => people(),
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Yaml => yaml(value)?,
    })
}

/// A table without lines.
#[must_use]
pub fn table<R, C>(headings: &[&str], rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = C>,
    C: ToString,
{
    let first = headings.iter().map(ToString::to_string).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(|cell| cell.to_string()).collect());
    let rows: Vec<Vec<String>> = std::iter::once(first).chain(rows).collect();
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max();
    let widths: Vec<_> = (0..headings.len()).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_plain() {
        let rows = [["a", "long one"], ["bb", "c"]];
        assert_eq!(table(&["X", "Y"], rows), "X   Y\na   long one\nbb  c\n");
    }
}
