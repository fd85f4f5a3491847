//! The functions that the chart uses, as Helm has them.

use serde_json::Value;

/// Calls one.
pub(super) fn call(name: &str, arguments: Vec<Value>) -> Result<Value, String> {
    Ok(match (name, arguments.as_slice()) {
        ("toYaml", [value]) => to_yaml(value)?.into(),
        ("indent", [Value::Number(by), value]) => indent(by.as_u64(), &text(value)).into(),
        ("nindent", [Value::Number(by), value]) => format!("\n{}", indent(by.as_u64(), &text(value))).into(),
        ("quote", [value]) => quote(value)?.into(),
        ("replace", [from, to, within]) => text(within).replace(&text(from), &text(to)).into(),
        ("join", [with, Value::Array(items)]) => {
            items.iter().map(text).collect::<Vec<_>>().join(&text(with)).into()
        }
        ("default", [otherwise, value]) => if is_true(value) { value } else { otherwise }.clone(),
        ("not", [value]) => (!is_true(value)).into(),
        ("and", [_, ..]) => first(arguments, false),
        ("or", [_, ..]) => first(arguments, true),
        ("eq", [a, b]) => (a == b).into(),
        ("ne", [a, b]) => (a != b).into(),
        ("gt", [a, b]) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a > b).into(),
            _ => return Err(format!("{a} and {b} cannot be compared")),
        },
        ("int", [value]) => int(value).into(),
        ("printf", [Value::String(format), values @ ..]) => printf(format, values)?.into(),
        ("fail", [why]) => return Err(text(why)),
        (_, arguments) => {
            let shapes: Vec<_> = arguments.iter().map(Value::to_string).collect();
            return Err(format!("is not known here with ({})", shapes.join(", ")));
        }
    })
}

/// A value as it is written into a text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Whether there is something.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// The first that is (or is not) true, else the last.
fn first(values: Vec<Value>, wanted: bool) -> Value {
    let mut last = Value::Null;
    for value in values {
        if is_true(&value) == wanted {
            return value;
        }
        last = value;
    }
    last
}

/// With `%s` and `%v` only, one for each value.
fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let parts: Vec<_> = format.replace("%v", "%s").split("%s").map(str::to_owned).collect();
    if parts.len() != values.len() + 1 || parts.iter().any(|part| part.contains('%')) {
        return Err(format!("{format:?} is not for {} values", values.len()));
    }
    let texts = values.iter().map(text).chain([String::new()]);
    Ok(parts.iter().zip(texts).map(|(part, value)| format!("{part}{value}")).collect())
}

fn int(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_default(),
        Value::String(text) => text.parse().unwrap_or_default(),
        _ => 0,
    }
}

fn quote(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        value => serde_json::to_string(&text(value)).map_err(|error| error.to_string()),
    }
}

fn to_yaml(value: &Value) -> Result<String, String> {
    // Nothing but what is empty is as short in JSON, which is YAML.
    if matches!(value, Value::Array(items) if items.is_empty())
        || matches!(value, Value::Object(fields) if fields.is_empty())
    {
        return Ok(value.to_string());
    }
    crate::output::yaml(value).map(|text| text.trim_end().to_owned()).map_err(|error| error.to_string())
}

fn indent(by: Option<u64>, text: &str) -> String {
    let blanks = " ".repeat(by.unwrap_or_default().min(64) as usize);
    text.split('\n').map(|line| format!("{blanks}{line}")).collect::<Vec<_>>().join("\n")
}
