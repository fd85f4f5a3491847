//! The access log: Istio's default lines, as text and as JSON.

use std::fmt::Write as _;
use std::time::SystemTime;

/// Where lines go and what they look like.
pub struct AccessLog {
    form: Form,
    sink: Box<dyn Fn(&str) + Send + Sync>,
}

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Envoy's default order, with `-` for what is not there.
    Text,
    /// An object in one line, with `null` for what is not there.
    Json,
}

impl AccessLog {
    /// `sink` gets each line, without its end.
    pub fn new(form: Form, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { form, sink: Box::new(sink) }
    }
}

/// A value of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    None,
    Text(String),
    Number(u64),
}

impl Field {
    pub(super) fn text(text: Option<String>) -> Self {
        text.filter(|t| !t.is_empty()).map_or(Self::None, Self::Text)
    }
}

/// Writes a line of all fields, in the order of [`FIELDS`].
pub(super) fn write_line(log: &AccessLog, at: SystemTime, fields: &[Field; FIELDS.len()]) {
    let line = match log.form {
        Form::Text => text(at, fields),
        Form::Json => json(at, fields),
    };
    (log.sink)(&line);
}

/// Name in JSON, and what stands before and after it in the text.
pub(super) const FIELDS: [(&str, &str, &str); 23] = [
    ("method", " \"", ""),
    ("path", " ", ""),
    ("protocol", " ", "\""),
    ("response_code", " ", ""),
    ("response_flags", " ", ""),
    ("response_code_details", " ", ""),
    ("connection_termination_details", " ", ""),
    ("upstream_transport_failure_reason", " \"", "\""),
    ("bytes_received", " ", ""),
    ("bytes_sent", " ", ""),
    ("duration", " ", ""),
    ("upstream_service_time", " ", ""),
    ("x_forwarded_for", " \"", "\""),
    ("user_agent", " \"", "\""),
    ("request_id", " \"", "\""),
    ("authority", " \"", "\""),
    ("upstream_host", " \"", "\""),
    ("upstream_cluster", " ", ""),
    ("upstream_local_address", " ", ""),
    ("downstream_local_address", " ", ""),
    ("downstream_remote_address", " ", ""),
    ("requested_server_name", " ", ""),
    ("route_name", " ", ""),
];

fn text(at: SystemTime, fields: &[Field; FIELDS.len()]) -> String {
    let mut line = format!("[{}]", stamp(at));
    for ((_, before, after), field) in FIELDS.iter().zip(fields) {
        line.push_str(before);
        match field {
            Field::None => line.push('-'),
            Field::Text(text) => push_plain(&mut line, text),
            Field::Number(number) => push(&mut line, format_args!("{number}")),
        }
        line.push_str(after);
    }
    line
}

fn json(at: SystemTime, fields: &[Field; FIELDS.len()]) -> String {
    let mut line = format!("{{\"start_time\":\"{}\"", stamp(at));
    for ((name, ..), field) in FIELDS.iter().zip(fields) {
        push(&mut line, format_args!(",\"{name}\":"));
        match field {
            Field::None => line.push_str("null"),
            Field::Text(text) => push_json(&mut line, text),
            Field::Number(number) => push(&mut line, format_args!("{number}")),
        }
    }
    line.push('}');
    line
}

/// What a client wrote must not look like another field, or another line.
fn push_plain(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' | '\\' => push(line, format_args!("\\x{:02X}", u32::from(c))),
            c if c.is_control() => push(line, format_args!("\\x{:02X}", u32::from(c))),
            c => line.push(c),
        }
    }
}

fn push_json(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => push(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}

fn push(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = line.write_fmt(text);
}

/// RFC 3339, UTC, milliseconds.
fn stamp(at: SystemTime) -> String {
    let at = time::OffsetDateTime::from(at);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second, milli) = (at.hour(), at.minute(), at.second(), at.millisecond());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fields() -> [Field; FIELDS.len()] {
        let mut fields = [const { Field::None }; FIELDS.len()];
        fields[0] = Field::text(Some("GET".into()));
        fields[1] = Field::text(Some("/a?b=\"c\"\n".into()));
        fields[2] = Field::text(Some("HTTP/1.1".into()));
        fields[3] = Field::Number(503);
        fields[4] = Field::text(Some("UF,URX".into()));
        fields[13] = Field::text(Some(String::new()));
        fields
    }

    fn at() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_248_000_123)
    }

    #[test]
    fn a_line_of_text() {
        let expected = "[2026-11-21T08:00:00.123Z] \"GET /a?b=\\x22c\\x22\\x0A HTTP/1.1\" 503 UF,URX - - \"-\" \
                        - - - - \"-\" \"-\" \"-\" \"-\" \"-\" - - - - - -";
        assert_eq!(text(at(), &fields()), expected);
    }

    #[test]
    fn a_line_of_json() {
        let line = json(at(), &fields());
        let start = "{\"start_time\":\"2026-11-21T08:00:00.123Z\",\"method\":\"GET\",\"path\":\"/a?b=\\\"c\\\"\\u000a\",";
        assert!(line.starts_with(start), "{line}");
        assert!(line.contains("\"response_code\":503,\"response_flags\":\"UF,URX\""), "{line}");
        assert!(
            line.ends_with(
                ",\"user_agent\":null,\"request_id\":null,\"authority\":null,\"upstream_host\":null,\
            \"upstream_cluster\":null,\"upstream_local_address\":null,\"downstream_local_address\":null,\
            \"downstream_remote_address\":null,\"requested_server_name\":null,\"route_name\":null}"
            ),
            "{line}"
        );
    }
}
