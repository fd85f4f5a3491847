//! One request, and what must come of it, in one line:
//!
//! ```text
//! echo /v2/example version=two -> v2                        the backend that answers 200
//! echo /set x=1 -> v1 x=1,2 !y path=/other                  headers with which it was asked, one that it must not have, the path
//! consumer@echo-v1 / -> v1 <x-header-set=set <!other        from the other namespace; headers of the answer
//! echo /port -> 302 http://echo:8083/port                   a status, and where it leads
//! grpc:echo:7070 x-test-case=set -> v1 x-header-set=1       a call
//! ```

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

/// A line, taken apart.
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) is_consumer: bool,
    is_call: bool,
    /// Host, with a port if it is not 80.
    host: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    result: &'a str,
    expected: Vec<&'a str>,
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let (asked, expected) = text.split_once("->").context("no ->")?;
        let (mut asked, mut expected) = (asked.split_whitespace(), expected.split_whitespace());
        let host = asked.next().context("no host")?;
        let (is_consumer, host) = match host.strip_prefix("consumer@") {
            Some(host) => (true, host),
            None => (false, host),
        };
        let (is_call, host) = match host.strip_prefix("grpc:") {
            Some(host) => (true, host),
            None => (false, host),
        };
        let path = if is_call { "/weir.Echo/Unary" } else { asked.next().context("no path")? };
        let headers = asked.map(|header| header.split_once('=').context("a header is name=value"));
        let headers = headers.collect::<Result<_>>()?;
        let result = expected.next().context("no result")?;
        Ok(Self { text, is_consumer, is_call, host, path, headers, result, expected: expected.collect() })
    }

    /// What the client is told to do.
    pub(super) fn ask(&self, pod: &str, times: usize) -> Result<Value> {
        let (name, port) = self.host.split_once(':').unwrap_or((self.host, "80"));
        let address = match name.split('.').next() {
            Some("echo") => "10.96.4.1",
            Some("echo-v1") => "10.96.4.2",
            Some("echo-v2") => "10.96.4.3",
            Some("pod-v2") => pod,
            _ => bail!("who is {name}?"),
        };
        let mut headers: Map<String, Value> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let host = headers.remove("host").unwrap_or_else(|| self.host.into());
        let mut ask = json!({
            "url": format!("http://{address}:{port}{}", self.path), "host": host, "headers": headers, "times": times,
        });
        if self.is_call {
            ask["messages"] = json!(["hello"]);
        }
        Ok(ask)
    }

    pub(super) fn compare(&self, answer: &Value) -> Result<()> {
        match self.result {
            "any" => ensure!(backend(answer).is_some(), "no backend has answered"),
            "v1" | "v2" => {
                let expected = format!("echo-{}", self.result);
                ensure!(backend(answer) == Some(&expected), "not {expected}");
            }
            status => {
                let status: u16 = status.parse().with_context(|| format!("what is {status}?"))?;
                ensure!(answer["status"] == status, "not {status}");
                let leads_to = answer["headers"]["location"].as_str();
                let expected = self.expected.first().copied();
                ensure!(leads_to == expected, "it leads to {leads_to:?}, not to {expected:?}");
                return Ok(());
            }
        }
        let (seen, back) = (&asked(answer)["headers"], &answer["headers"]);
        for expected in &self.expected {
            let (headers, fact) = match expected.strip_prefix('<') {
                Some(fact) => (back, fact),
                None => (seen, *expected),
            };
            match (fact.strip_prefix('!'), fact.split_once('=')) {
                (Some(name), _) => ensure!(headers.get(name).is_none(), "{name} is there"),
                (_, Some(("path", path))) => ensure!(asked(answer)["path"] == path, "not asked for {path}"),
                (_, Some((name, value))) => {
                    let got = headers[name].as_str().unwrap_or_default().replace(' ', "");
                    ensure!(got == value, "{name} is {got:?}, not {value:?}");
                }
                _ => bail!("what is {expected}?"),
            }
        }
        Ok(())
    }
}

/// Who has answered.
pub(super) fn backend(answer: &Value) -> Option<&str> {
    let is_good = answer["status"] == 200 && answer["grpcStatus"].as_str().is_none_or(|status| status == "0");
    asked(answer)["name"].as_str().filter(|_| is_good)
}

/// What it says it was asked.
fn asked(answer: &Value) -> &Value {
    if answer["messages"].is_array() { &answer["messages"][0] } else { &answer["body"] }
}
