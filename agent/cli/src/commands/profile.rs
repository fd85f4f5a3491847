//! `weir profile`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{Error, print};
use crate::chart::{self, Values};
use crate::cli::Outcome;
use crate::output::{self, Format};

/// Commands of `weir profile`.
#[derive(Subcommand)]
pub(crate) enum Profile {
    /// List the profiles, with what each is for.
    List(List),
    /// Print all values of a profile.
    Dump(Dump),
    /// Print the values in which two profiles differ; exits with 2 if there are any.
    Diff(Diff),
}

/// Options of `weir profile list`.
#[derive(Args)]
pub(crate) struct List {
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

/// Options of `weir profile dump`.
#[derive(Args)]
pub(crate) struct Dump {
    /// Which one.
    #[arg(default_value = "default")]
    profile: String,
    /// yaml or json.
    #[arg(long, short, default_value = "yaml", value_name = "FORMAT")]
    output: Format,
}

/// Options of `weir profile diff`.
#[derive(Args)]
pub(crate) struct Diff {
    /// One profile.
    one: String,
    /// The other.
    other: String,
    /// table, json or yaml.
    #[arg(long, short, default_value = "table", value_name = "FORMAT")]
    output: Format,
}

impl Profile {
    pub(crate) fn run(self) -> Result<Outcome, Error> {
        match self {
            Self::List(options) => list(&options),
            Self::Dump(options) => dump(&options),
            Self::Diff(options) => diff(&options),
        }
    }
}

fn list(options: &List) -> Result<Outcome, Error> {
    let profiles = chart::Profile::all();
    let named: BTreeMap<_, _> = profiles.iter().map(|profile| (profile.name, profile.about)).collect();
    let people = || output::table(&["NAME", "WHAT IT IS"], named.iter().map(|(name, about)| [*name, *about]));
    print(&output::text(options.output, &named, people)?)?;
    Ok(Outcome::Done)
}

fn dump(options: &Dump) -> Result<Outcome, Error> {
    let values = Values::build(Some(&options.profile), &[], &[])?;
    let format = if options.output == Format::Table { Format::Yaml } else { options.output };
    print(&output::text(format, values.as_json(), String::new)?)?;
    Ok(Outcome::Done)
}

fn diff(options: &Diff) -> Result<Outcome, Error> {
    let [one, other] = [&options.one, &options.other].map(|name| Values::build(Some(name), &[], &[]));
    let mut differences = BTreeMap::new();
    compare("", one?.as_json(), other?.as_json(), &mut differences);
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
    let rows = || differences.iter().map(|(path, [one, other])| [path.clone(), text(one), text(other)]);
    let people = || match differences.is_empty() {
        true => String::new(),
        false => output::table(&["VALUE", &options.one, &options.other], rows()),
    };
    print(&output::text(options.output, &differences, people)?)?;
    Ok(if differences.is_empty() { Outcome::Done } else { Outcome::Found })
}

/// Paths of the values that differ.
fn compare(path: &str, one: &Value, other: &Value, into: &mut BTreeMap<String, [Option<Value>; 2]>) {
    let (Value::Object(a), Value::Object(b)) = (one, other) else {
        if one != other {
            into.insert(path.to_owned(), [Some(one.clone()), Some(other.clone())]);
        }
        return;
    };
    for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (a.get(key), b.get(key)) {
            (Some(one), Some(other)) => compare(&below, one, other, into),
            (one, other) => drop(into.insert(below, [one.cloned(), other.cloned()])),
        }
    }
}
