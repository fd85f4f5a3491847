//! The node's list of CNI plugins, and ours in it. Texts in, texts out: files are the agent's business.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// The name of the plugin's program.
pub const PLUGIN: &str = "weir-cni";

/// What is done to the file that a runtime reads.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// It is as it should be.
    Nothing,
    /// It gets this text.
    Write(String),
    /// It is a single plugin's configuration: a list of this text is to take its place, which a runtime only reads if the
    /// file itself goes.
    Wrap(String),
}

/// Why a file cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConflistError {
    /// No JSON: half written, or something else.
    #[error("it is no JSON: {0}")]
    NotJson(String),
    /// JSON, but no network configuration.
    #[error("it is no network configuration: {0}")]
    NotANetwork(&'static str),
    /// A chained plugin has to have a previous result, which there is since 0.3.0.
    #[error("cniVersion is {0:?}; plugins can be chained since 0.3.0")]
    Version(String),
}

/// Our entry of a list: where the agent listens, and whose pods start without it.
#[must_use]
pub fn entry(socket: &str, exclude_namespaces: &[String]) -> Value {
    json!({"type": PLUGIN, "socket": socket, "excludeNamespaces": exclude_namespaces})
}

/// What is to be done so that `entry` is in the list of this text. Everything else stays as it is, to the letter, and so does the
/// place of an entry of ours: somebody may have put something behind it.
///
/// # Errors
/// It is not a text that we can be put into.
pub fn install(text: &str, entry: &Value) -> Result<Edit, ConflistError> {
    let network = read(text)?;
    if network.get("plugins").is_none() {
        return Ok(Edit::Wrap(written(&wrapped(network, entry))));
    }
    let plugins = plugins(text)?;
    let Some(last) = plugins.last() else {
        return Err(ConflistError::NotANetwork("its list of plugins is empty"));
    };
    Ok(match plugins.iter().find(|plugin| plugin.is_ours) {
        Some(ours) if text[ours.span.clone()].parse().ok().as_ref() == Some(entry) => Edit::Nothing,
        Some(ours) => Edit::Write(replaced(text, ours.span.clone(), &entry.to_string())),
        None => {
            let end = last.span.end;
            Edit::Write(replaced(text, end..end, &format!(",{}{entry}", indent(&text[..last.span.start]))))
        }
    })
}

/// The text without us, as it was before us; `None`: we are not in it.
///
/// # Errors
/// It is no list of plugins.
pub fn uninstall(text: &str) -> Result<Option<String>, ConflistError> {
    if read(text)?.get("plugins").is_none() {
        return Ok(None);
    }
    let mut left: Option<String> = None;
    loop {
        let text = left.as_deref().unwrap_or(text);
        let plugins = plugins(text)?;
        let Some(ours) = plugins.iter().position(|plugin| plugin.is_ours) else { return Ok(left) };
        // With the comma before it, or, as the first, with the one behind.
        let span = match (ours.checked_sub(1), plugins.get(ours + 1)) {
            (Some(before), _) => plugins[before].span.end..plugins[ours].span.end,
            (None, Some(after)) => plugins[ours].span.start..after.span.start,
            (None, None) => plugins[ours].span.clone(),
        };
        left = Some(replaced(text, span, ""));
    }
}

/// Whether a runtime reads files of this name.
#[must_use]
pub fn is_read(file: &str) -> bool {
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    matches!(ending, Some("conf" | "conflist" | "json"))
}

fn read(text: &str) -> Result<Value, ConflistError> {
    let network: Value =
        serde_json::from_str(text).map_err(|error| ConflistError::NotJson(error.to_string()))?;
    if !network.is_object() {
        return Err(ConflistError::NotANetwork("it is not an object"));
    }
    match network.get("cniVersion").and_then(Value::as_str) {
        None => Err(ConflistError::NotANetwork("it has no cniVersion")),
        Some(version @ ("0.1.0" | "0.2.0")) => Err(ConflistError::Version(version.to_owned())),
        Some(_) => Ok(network),
    }
}

/// An entry of a list, and where it is in the text.
struct Plugin {
    span: Range<usize>,
    is_ours: bool,
}

/// The entries of the list. The text is known to be an object. Of two `plugins` in it parsers take one or the other, so there must be
/// one.
fn plugins(text: &str) -> Result<Vec<Plugin>, ConflistError> {
    let mut found = None;
    let mut at = text.find('{').map_or(text.len(), |start| start + 1);
    while let Some(name) = value(text, &mut at) {
        skip(text, &mut at, ':');
        let is_plugins = text[name].parse().is_ok_and(|name: Value| name == "plugins");
        let Some(span) = value(text, &mut at) else { break };
        if is_plugins && found.replace(span).is_some() {
            return Err(ConflistError::NotANetwork("it has plugins twice"));
        }
        skip(text, &mut at, ',');
    }
    let list = found.filter(|span| text[span.clone()].starts_with('['));
    let Some(list) = list else { return Err(ConflistError::NotANetwork("plugins is not a list")) };
    let (mut plugins, mut at) = (Vec::new(), list.start + 1);
    while let Some(span) = value(text, &mut at) {
        let is_ours = text[span.clone()].parse().is_ok_and(|plugin: Value| plugin["type"] == PLUGIN);
        plugins.push(Plugin { span, is_ours });
        skip(text, &mut at, ',');
    }
    Ok(plugins)
}

/// The next value of a text, if there is one before something ends.
fn value(text: &str, at: &mut usize) -> Option<Range<usize>> {
    let start = text.len() - text[*at..].trim_start().len();
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    *at = start + values.byte_offset();
    Some(start..*at)
}

fn skip(text: &str, at: &mut usize, mark: char) {
    let rest = text[*at..].trim_start();
    *at = text.len() - rest.strip_prefix(mark).unwrap_or(rest).len();
}

fn replaced(text: &str, span: Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &text[..span.start], &text[span.end..])
}

/// The white space at the end of a text.
fn indent(text: &str) -> &str {
    &text[text.trim_end_matches([' ', '\t', '\r', '\n']).len()..]
}

/// A list of the one plugin and us. Name and version are those of the list; the plugin keeps the rest.
fn wrapped(mut plugin: Value, entry: &Value) -> Value {
    let mut list = json!({});
    for field in ["cniVersion", "name", "disableCheck"] {
        if let Some(value) = plugin.as_object_mut().and_then(|fields| fields.remove(field)) {
            list[field] = value;
        }
    }
    list["plugins"] = json!([plugin, entry]);
    list
}

fn written(network: &Value) -> String {
    format!("{network:#}\n")
}

#[cfg(test)]
#[path = "conflist_tests.rs"]
mod tests;
