//! Reads settings one by one and keeps what is wrong with them until all have been read.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;

/// Reads values and keeps what is wrong with them until all have been read.
#[derive(Debug, Default)]
pub struct Reader {
    problems: Vec<String>,
}

/// All that is wrong with a configuration.
#[derive(Debug)]
pub struct Problems {
    problems: Vec<String>,
    help: &'static str,
}

impl Reader {
    /// The YAML file of settings; what is wrong with it is noted.
    pub fn file<S: DeserializeOwned + Default>(&mut self, path: &str) -> S {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.wrong(format!("config: cannot read {path}: {error}")),
        };
        match serde_saphyr::from_str(&text) {
            Ok(settings) => settings,
            Err(error) => self.wrong(format!("config: {path}: {error}")),
        }
    }

    /// A setting without a default.
    pub fn required<T: From<String> + Default>(&mut self, name: &str, value: Option<String>) -> T {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => value.into(),
            None => {
                let variable = name.to_uppercase().replace('-', "_");
                self.wrong(format!(
                    "{name}: not set; give --{name}, WEIR_{variable}, or a line of the --config file"
                ))
            }
        }
    }

    /// A setting with a default, which must parse.
    pub fn or<T: FromStr<Err: Display>>(&mut self, name: &str, value: Option<String>, default: &str) -> T {
        let text = value.unwrap_or_else(|| default.into());
        match text.parse() {
            Ok(value) => value,
            Err(error) => {
                self.problems.push(format!("{name}: {text:?}: {error}; an example is {default}"));
                // The default is ours and parses; the value is never used, because a problem was noted.
                match default.parse() {
                    Ok(value) => value,
                    Err(_) => unreachable!("the default of {name} parses"),
                }
            }
        }
    }

    /// Values joined by commas.
    pub fn list<T: FromStr<Err: Display>>(&mut self, name: &str, value: Option<String>) -> Vec<T> {
        let text = value.unwrap_or_default();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        items
            .filter_map(|item| match item.parse() {
                Ok(value) => Some(value),
                Err(error) => {
                    self.problems.push(format!("{name}: {item:?}: {error}"));
                    None
                }
            })
            .collect()
    }

    /// The index of the value among `choices`; the first is the default.
    pub fn choice(&mut self, name: &str, value: Option<String>, choices: &[&str]) -> usize {
        let Some(value) = value else { return 0 };
        let found = choices.iter().position(|choice| *choice == value);
        found.unwrap_or_else(|| self.wrong(format!("{name}: {value:?} is none of {}", choices.join(", "))))
    }

    /// A duration such as 500ms, 30s, 10m, 24h.
    pub fn duration(&mut self, name: &str, value: Option<String>, default: Duration) -> Duration {
        let Some(text) = value else { return default };
        parse_duration(&text).unwrap_or_else(|| {
            self.wrong(format!("{name}: {text:?} is not a duration such as 500ms, 30s, 10m or 24h"))
        })
    }

    /// Notes a problem that only the caller sees; the value stands for the one that is not there.
    pub fn wrong<T: Default>(&mut self, problem: String) -> T {
        self.problems.push(problem);
        T::default()
    }

    /// The problems of all that was read, in the order in which it was; `help` says where the settings are explained.
    ///
    /// # Errors
    /// There is one.
    pub fn finish(self, help: &'static str) -> Result<(), Problems> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problems { problems: self.problems, help }) }
    }
}

impl Problems {
    /// Each problem.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }
}

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        writeln!(f, "the configuration has {count} {}:", if count == 1 { "problem" } else { "problems" })?;
        for problem in &self.problems {
            writeln!(f, "  - {problem}")?;
        }
        write!(f, "`{}` lists every setting", self.help)
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let millis = match &text[unit..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in
            [("250ms", Some(250)), ("2s", Some(2_000)), ("24h", Some(86_400_000)), ("5", None)]
        {
            assert_eq!(parse_duration(text).map(|d| d.as_millis()), millis, "{text}");
        }
        assert_eq!(parse_duration("99999999999999999999h"), None);
    }

    #[test]
    fn every_problem_is_kept() {
        let mut reader = Reader::default();
        let _: String = reader.required("node", None);
        let _: u16 = reader.or("port", Some("x".into()), "80");
        let problems = reader.finish("weir --help").unwrap_err();
        assert_eq!(problems.iter().count(), 2, "{problems}");
        assert!(problems.to_string().ends_with("`weir --help` lists every setting"));
    }
}
