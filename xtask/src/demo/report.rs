//! The checks and what they found, as a table or as JSON.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// All checks, in the order of their names.
#[derive(Default, Serialize)]
pub(super) struct Report {
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    name: String,
    ok: bool,
    evidence: String,
}

/// What a check gives: the evidence, or what it found instead.
pub(super) type Finding = Result<String>;

impl Report {
    /// Notes one check, and tells of it at once.
    pub(super) fn add(&mut self, name: &str, finding: Finding) {
        let (ok, evidence) = match finding {
            Ok(evidence) => (true, evidence),
            Err(error) => (false, format!("{error:#}")),
        };
        eprintln!("demo: {} {name}: {}", if ok { "ok    " } else { "FAILED" }, evidence.replace('\n', "; "));
        self.checks.push(Check { name: name.to_owned(), ok, evidence });
        self.checks.sort_by(|one, other| one.name.cmp(&other.name));
    }

    /// Number of checks.
    pub(super) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Names of the checks that failed.
    pub(super) fn failed(&self) -> Vec<&str> {
        self.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        // Without a terminal (a pipe, CI) there is no width to fit into.
        if table.width().is_none() {
            table.set_width(120);
        }
        table.set_header(["check", "", "evidence"]);
        for check in &self.checks {
            let mark = if check.ok { "ok" } else { "FAILED" };
            table.add_row([check.name.as_str(), mark, check.evidence.as_str()]);
        }
        table.to_string()
    }

    /// For programs.
    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_with_the_checks_in_order() {
        let mut report = Report::default();
        report.add("b second", Err(anyhow::anyhow!("found plaintext")));
        report.add("a first", Ok("seen".into()));
        let value: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(value["checks"][0]["name"], "a first");
        assert_eq!(value["checks"][1]["ok"], false);
        assert_eq!(value["checks"][1]["evidence"], "found plaintext");
        assert_eq!(report.failed(), ["b second"]);
        assert!(report.table().contains("FAILED"));
    }
}
