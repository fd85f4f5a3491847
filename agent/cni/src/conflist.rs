//! The node's list of CNI plugins, and ours in it. Texts in, texts out: files are the agent's business.

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

/// What is to be done so that `entry` is in the list of this text. Everything else stays as it is, and so does the place
/// of an entry of ours: somebody may have put something behind it.
///
/// # Errors
/// It is not a text that we can be put into.
pub fn install(text: &str, entry: &Value) -> Result<Edit, ConflistError> {
    let mut network = read(text)?;
    if network.get("plugins").is_none() {
        return Ok(Edit::Wrap(written(&wrapped(network, entry))));
    }
    let plugins = plugins(&mut network)?;
    let mut ours = plugins.iter_mut().filter(|plugin| is_ours(plugin));
    match ours.next() {
        Some(is) if *is == *entry => return Ok(Edit::Nothing),
        Some(is) => *is = entry.clone(),
        None => plugins.push(entry.clone()),
    }
    Ok(Edit::Write(written(&network)))
}

/// The text without us; `None`: we are not in it.
///
/// # Errors
/// It is no list of plugins.
pub fn uninstall(text: &str) -> Result<Option<String>, ConflistError> {
    let mut network = read(text)?;
    if network.get("plugins").is_none() {
        return Ok(None);
    }
    let plugins = plugins(&mut network)?;
    let before = plugins.len();
    plugins.retain(|plugin| !is_ours(plugin));
    Ok((plugins.len() != before).then(|| written(&network)))
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

fn plugins(network: &mut Value) -> Result<&mut Vec<Value>, ConflistError> {
    match network["plugins"].as_array_mut() {
        Some(plugins) if !plugins.is_empty() => Ok(plugins),
        Some(_) => Err(ConflistError::NotANetwork("its list of plugins is empty")),
        None => Err(ConflistError::NotANetwork("plugins is not a list")),
    }
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

fn is_ours(plugin: &Value) -> bool {
    plugin["type"] == PLUGIN
}

fn written(network: &Value) -> String {
    format!("{network:#}\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BRIDGE: &str = r#"{"cniVersion":"1.0.0","name":"k8s","zz":{"n":[1,null,1.5]},"plugins":[{"type":"bridge","mtu":1500},{"type":"portmap","capabilities":{"portMappings":true}}]}"#;

    fn ours() -> Value {
        entry("/run/weir/cni.sock", &["kube-system".into()])
    }

    fn write(text: &str) -> Value {
        match install(text, &ours()).unwrap() {
            Edit::Write(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn we_come_last_and_the_rest_stays() {
        let after = write(BRIDGE);
        let mut expected: Value = serde_json::from_str(BRIDGE).unwrap();
        expected["plugins"].as_array_mut().unwrap().push(ours());
        assert_eq!(after, expected);
        assert_eq!(install(&after.to_string(), &ours()), Ok(Edit::Nothing), "and once is enough");
        let before: Value = serde_json::from_str(&uninstall(&after.to_string()).unwrap().unwrap()).unwrap();
        assert_eq!(before, serde_json::from_str::<Value>(BRIDGE).unwrap());
        assert_eq!(uninstall(BRIDGE), Ok(None));
    }

    #[test]
    fn an_entry_of_an_older_agent_is_replaced_where_it_is() {
        let text = r#"{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"a"},{"type":"weir-cni","socket":"/old"},{"type":"z"}]}"#;
        let after = write(text);
        assert_eq!(after["plugins"], json!([{"type": "a"}, ours(), {"type": "z"}]));
    }

    #[test]
    fn a_single_plugin_becomes_a_list() {
        let text = r#"{"cniVersion":"0.4.0","name":"n","type":"bridge","ipam":{"type":"host-local"}}"#;
        let Edit::Wrap(after) = install(text, &ours()).unwrap() else { panic!() };
        let after: Value = serde_json::from_str(&after).unwrap();
        let bridge = json!({"type": "bridge", "ipam": {"type": "host-local"}});
        assert_eq!(after, json!({"cniVersion": "0.4.0", "name": "n", "plugins": [bridge, ours()]}));
        assert_eq!(uninstall(text), Ok(None));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::half(r#"{"cniVersion":"1.0.0","plugins":[{"ty"#)]
    #[case::a_list("[1]")]
    #[case::no_version(r#"{"plugins":[{"type":"a"}]}"#)]
    #[case::too_old(r#"{"cniVersion":"0.2.0","plugins":[{"type":"a"}]}"#)]
    #[case::no_plugins(r#"{"cniVersion":"1.0.0","plugins":[]}"#)]
    #[case::plugins_of_another_shape(r#"{"cniVersion":"1.0.0","plugins":{"type":"a"}}"#)]
    fn what_is_left_alone(#[case] text: &str) {
        assert!(install(text, &ours()).is_err());
    }

    #[rstest]
    #[case("10-a.conflist", true)]
    #[case("10-a.conf", true)]
    #[case("10-a.json", true)]
    #[case("10-a.conf.before-weir", false)]
    #[case(".10-a.conflist.tmp", false)]
    #[case("conflist", false)]
    fn names_that_a_runtime_reads(#[case] name: &str, #[case] is: bool) {
        assert_eq!(is_read(name), is);
    }
}
