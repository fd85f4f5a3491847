//! Reads settings one by one and keeps what is wrong with them until all have been read.

use std::fmt::Display;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use crate::cli::Settings;

/// Reads values and keeps what is wrong with them until all have been read.
#[derive(Default)]
pub(super) struct Reader {
    problems: Vec<String>,
}

impl Reader {
    pub(super) fn file(&mut self, path: &str) -> Settings {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.wrong(format!("config: cannot read {path}: {error}")),
        };
        match serde_saphyr::from_str(&text) {
            Ok(settings) => settings,
            Err(error) => self.wrong(format!("config: {path}: {error}")),
        }
    }

    pub(super) fn required<T: From<String> + Default>(&mut self, name: &str, value: Option<String>) -> T {
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

    pub(super) fn or<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        value: Option<String>,
        default: &str,
    ) -> T {
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

    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, name: &str, value: Option<String>) -> Vec<T> {
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
    pub(super) fn choice(&mut self, name: &str, value: Option<String>, choices: &[&str]) -> usize {
        let Some(value) = value else { return 0 };
        let found = choices.iter().position(|choice| *choice == value);
        found.unwrap_or_else(|| self.wrong(format!("{name}: {value:?} is none of {}", choices.join(", "))))
    }

    pub(super) fn duration(&mut self, name: &str, value: Option<String>, default: Duration) -> Duration {
        let Some(text) = value else { return default };
        parse_duration(&text).unwrap_or_else(|| {
            self.wrong(format!("{name}: {text:?} is not a duration such as 500ms, 30s, 10m or 24h"))
        })
    }

    pub(super) fn workers(&mut self, value: Option<String>) -> usize {
        let Some(text) = value else {
            let cpus = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
            return cpus.clamp(2, MAX_WORKERS);
        };
        match text.parse() {
            Ok(n) if (1..=MAX_WORKERS).contains(&n) => n,
            _ => self.wrong(format!("workers: {text:?} is not a number from 1 to {MAX_WORKERS}")),
        }
    }

    /// One of two settings must be given, and not both.
    pub(super) fn either(&mut self, (one, first): (&str, bool), (other, second): (&str, bool), why: &str) {
        match (first, second) {
            (false, false) => self.wrong::<()>(format!("{one}: not set, and neither is {other}: {why}")),
            (true, true) => self.wrong::<()>(format!("{one}: cannot be set together with {other}: {why}")),
            _ => {}
        }
    }

    /// Notes what is wrong with a setting.
    pub(super) fn problem(&mut self, name: &str, problem: impl Display) {
        self.wrong::<()>(format!("{name}: {problem}"));
    }

    fn wrong<T: Default>(&mut self, problem: String) -> T {
        self.problems.push(problem);
        T::default()
    }

    /// The problems of all that was read, in the order in which it was.
    pub(super) fn problems(self) -> Vec<String> {
        self.problems
    }
}

/// A destination prefix; a bare address is a prefix of its full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) IpAddr, pub(crate) u8);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| "not an address or a prefix such as 10.0.0.0/8".to_owned())?;
        let full = if address.is_ipv4() { 32 } else { 128 };
        let length = match length.map(str::parse::<u8>) {
            None => full,
            Some(Ok(length)) if length <= full => length,
            Some(_) => return Err(format!("the prefix length must be 0 to {full}")),
        };
        Ok(Self(address, length))
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

/// The kernel programs have slots for so many workers.
const MAX_WORKERS: usize = 16;
