//! The access log: Istio's default lines, as text and as JSON.

use std::fmt::{Display, Write};
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

/// A value of a line, where it is: what is written a hundred thousand times a second is not copied before.
#[derive(Clone, Copy)]
pub(super) enum Field<'a> {
    None,
    Text(&'a str),
    Shown(&'a dyn Display),
    Number(u64),
}

impl<'a> Field<'a> {
    pub(super) fn text(text: Option<&'a str>) -> Self {
        text.filter(|t| !t.is_empty()).map_or(Self::None, Self::Text)
    }

    pub(super) fn shown(value: Option<&'a dyn Display>) -> Self {
        value.map_or(Self::None, Self::Shown)
    }
}

/// Writes a line of all fields, in the order of [`FIELDS`].
pub(super) fn write_line(log: &AccessLog, at: SystemTime, fields: &[Field<'_>; FIELDS.len()]) {
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

fn text(at: SystemTime, fields: &[Field<'_>; FIELDS.len()]) -> String {
    let mut line = String::with_capacity(USUAL);
    line.push('[');
    stamp(&mut line, at);
    line.push(']');
    for ((_, before, after), field) in FIELDS.iter().zip(fields) {
        line.push_str(before);
        match field {
            Field::None => line.push('-'),
            Field::Text(text) => push_plain(&mut line, text),
            Field::Shown(value) => push(&mut Escaped(&mut line, push_plain), format_args!("{value}")),
            Field::Number(number) => push(&mut line, format_args!("{number}")),
        }
        line.push_str(after);
    }
    line
}

fn json(at: SystemTime, fields: &[Field<'_>; FIELDS.len()]) -> String {
    let mut line = String::with_capacity(2 * USUAL);
    line.push_str("{\"start_time\":\"");
    stamp(&mut line, at);
    line.push('"');
    for ((name, ..), field) in FIELDS.iter().zip(fields) {
        line.push_str(",\"");
        line.push_str(name);
        line.push_str("\":");
        match field {
            Field::None => line.push_str("null"),
            Field::Text(text) => {
                line.push('"');
                push_json(&mut line, text);
                line.push('"');
            }
            Field::Shown(value) => {
                line.push('"');
                push(&mut Escaped(&mut line, push_json), format_args!("{value}"));
                line.push('"');
            }
            Field::Number(number) => push(&mut line, format_args!("{number}")),
        }
    }
    line.push('}');
    line
}

/// What a client wrote must not look like another field, or another line.
fn push_plain(line: &mut String, text: &str) {
    if is_plain(text) {
        return line.push_str(text);
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => push(line, format_args!("\\x{:02X}", u32::from(c))),
            c if c.is_control() => push(line, format_args!("\\x{:02X}", u32::from(c))),
            c => line.push(c),
        }
    }
}

fn push_json(line: &mut String, text: &str) {
    if is_plain(text) {
        return line.push_str(text);
    }
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => push(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
}

/// Nothing to be escaped in either form: the usual case is copied at once.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

/// Takes what is written through one of the two.
struct Escaped<'a>(&'a mut String, fn(&mut String, &str));

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        (self.1)(self.0, text);
        Ok(())
    }
}

fn push(line: &mut impl Write, text: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = line.write_fmt(text);
}

/// A line of text is rarely longer, so it grows but once.
const USUAL: usize = 512;

/// RFC 3339, UTC, milliseconds.
fn stamp(line: &mut String, at: SystemTime) {
    let at = time::OffsetDateTime::from(at);
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second, milli) = (at.hour(), at.minute(), at.second(), at.millisecond());
    push(line, format_args!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fields() -> [Field<'static>; FIELDS.len()] {
        let mut fields = [const { Field::None }; FIELDS.len()];
        fields[0] = Field::text(Some("GET"));
        fields[1] = Field::text(Some("/a?b=\"c\"\n"));
        fields[2] = Field::shown(Some(&"HTTP/1.1"));
        fields[3] = Field::Number(503);
        fields[4] = Field::text(Some("UF,URX"));
        fields[13] = Field::text(Some(""));
        fields
    }

    fn at() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_248_000_123)
    }

    #[test]
    fn what_is_shown_is_escaped_too() {
        let mut fields = [const { Field::None }; FIELDS.len()];
        fields[16] = Field::shown(Some(&"a\"\nb"));
        assert!(text(at(), &fields).contains("\"a\\x22\\x0Ab\""));
        assert!(json(at(), &fields).contains("\"upstream_host\":\"a\\\"\\u000ab\""));
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
