//! `--set a.b=c,list={x,y}`, as Helm reads it.

use serde_json::{Map, Value};

/// Sets what the text says.
pub(super) fn apply(values: &mut Value, text: &str) -> Result<(), String> {
    for assignment in split(text, ',') {
        let (path, value) = assignment
            .split_once('=')
            .ok_or_else(|| format!("{assignment:?} is not of the form NAME=VALUE"))?;
        let value = read(value);
        put(values, path, value)?;
    }
    Ok(())
}

/// Parts between separators that are neither in braces nor behind a backslash.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut depth, mut is_escaped) = (vec![String::new()], 0_usize, false);
    for c in text.chars() {
        if c == separator && depth == 0 && !is_escaped {
            parts.push(String::new());
            continue;
        }
        match c {
            '{' if !is_escaped => depth += 1,
            '}' if !is_escaped => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        if let (Some(part), false) = (parts.last_mut(), is_escaped) {
            part.push(c);
        }
    }
    parts
}

fn read(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let items = split(items, ',');
        return items.iter().filter(|item| !item.is_empty()).map(|item| read(item.trim())).collect();
    }
    match text {
        "true" => true.into(),
        "false" => false.into(),
        "null" => Value::Null,
        // A number that begins with 0 is a name.
        number if number == "0" || !number.trim_start_matches('-').starts_with('0') => {
            number.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        }
        text => text.into(),
    }
}

fn put(values: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut at = values;
    for step in path.split('.') {
        let (name, index) = match step.split_once('[') {
            None => (step, None),
            Some((name, rest)) => {
                let index = rest.strip_suffix(']').and_then(|index| index.parse::<usize>().ok());
                (
                    name,
                    Some(
                        index
                            .filter(|index| *index < MOST_ITEMS)
                            .ok_or("an index is a small number in brackets")?,
                    ),
                )
            }
        };
        if name.is_empty() {
            return Err("a name is empty".to_owned());
        }
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(fields) = at.as_object_mut() else { return Ok(()) };
        at = fields.entry(name).or_insert(Value::Null);
        if let Some(index) = index {
            if !at.is_array() {
                *at = Value::Array(Vec::new());
            }
            let Some(items) = at.as_array_mut() else { return Ok(()) };
            if items.len() <= index {
                items.resize(index + 1, Value::Null);
            }
            at = &mut items[index];
        }
    }
    *at = value;
    Ok(())
}

const MOST_ITEMS: usize = 1000;

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("a=b", json!({"a": "b"}))]
    #[case("a.b=1,a.c=true", json!({"a": {"b": 1, "c": true}}))]
    #[case("a={x,2}", json!({"a": ["x", 2]}))]
    #[case("a={}", json!({"a": []}))]
    #[case("a[1].b=x", json!({"a": [null, {"b": "x"}]}))]
    #[case(r"a=x\,y", json!({"a": "x,y"}))]
    #[case("a=007", json!({"a": "007"}))]
    #[case("a=null", json!({"a": null}))]
    #[case("a=", json!({"a": ""}))]
    #[case("a=b=c", json!({"a": "b=c"}))]
    fn reads(#[case] text: &str, #[case] expected: Value) {
        let mut values = json!({});
        apply(&mut values, text).unwrap();
        assert_eq!(values, expected);
    }

    #[rstest]
    #[case("a", "is not of the form")]
    #[case(".a=1", "a name is empty")]
    #[case("a[x]=1", "an index")]
    #[case("a[9999999]=1", "an index")]
    fn refuses(#[case] text: &str, #[case] why: &str) {
        let refused = apply(&mut json!({}), text).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
}
