//! What the plugin and the agent say to each other: one line of JSON each, and the connection ends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What the plugin says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "command")]
pub enum Question {
    /// A pod starts: capture it, if it is to be.
    Add(Pod),
    /// A pod's sandbox goes.
    Del(Pod),
    /// A pod should be as it was left.
    Check(Pod),
    /// Whether the agent takes pods.
    Status,
}

/// A pod as the runtime names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod {
    /// Its namespace in Kubernetes.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid; empty from runtimes that do not say it.
    pub uid: String,
    /// Id of its sandbox.
    pub container: String,
    /// Path of its network namespace on the node; empty if it is gone.
    pub netns: String,
    /// Its addresses, as the plugins before said.
    pub addresses: Vec<IpAddr>,
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "result", content = "reason")]
pub enum Answer {
    /// It is as it should be: captured, or not wanted.
    Done,
    /// It cannot be said or done yet.
    TryAgain(String),
    /// It cannot be done.
    Refused(String),
}

/// Asks the agent at `socket` and waits for its answer for at most `patience`.
///
/// # Errors
/// Nobody listens, or the answer is none, or none came in time.
pub fn ask(socket: &Path, question: &Question, patience: Duration) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(patience))?;
    stream.set_read_timeout(Some(patience))?;
    write(&mut stream, question)?;
    let mut line = Vec::new();
    // What comes too slowly to be whole in time is broken off by the agent, which ends the connection.
    BufReader::new(stream.take(LONGEST as u64)).read_until(b'\n', &mut line)?;
    parse(&line)
}

/// A line of a message.
///
/// # Errors
/// Of the writer.
pub fn write<M: Serialize>(to: &mut impl Write, message: &M) -> io::Result<()> {
    to.write_all(&line(message)?)?;
    to.flush()
}

/// A message as a line.
///
/// # Errors
/// It cannot be written as JSON (of the types here: never).
pub fn line<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a message from a line.
///
/// # Errors
/// It is none: cut off, too long, or of another shape.
pub fn parse<M: for<'de> Deserialize<'de>>(line: &[u8]) -> io::Result<M> {
    if line.last() != Some(&b'\n') {
        let what =
            if line.len() >= LONGEST { "a message is too long" } else { "a message ended in the middle" };
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
    }
    serde_json::from_slice(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Longest message, and longest configuration, in bytes. A result of many interfaces and routes has some 10 KiB.
pub const LONGEST: usize = 1 << 20;
/// Where the agent listens unless the configuration says otherwise.
pub const SOCKET: &str = "/run/weir/cni.sock";

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let pod =
            Pod { namespace: "shop".into(), addresses: vec!["10.0.0.1".parse().unwrap()], ..Pod::default() };
        for question in [Question::Add(pod.clone()), Question::Del(pod), Question::Status] {
            assert_eq!(parse::<Question>(&line(&question).unwrap()).unwrap(), question);
        }
        for answer in [Answer::Done, Answer::TryAgain("soon".into()), Answer::Refused("\n".into())] {
            assert_eq!(parse::<Answer>(&line(&answer).unwrap()).unwrap(), answer);
        }
    }

    #[rstest]
    #[case::nothing("")]
    #[case::half(r#"{"command":"sta"#)]
    #[case::no_end_of_line(r#"{"command":"status"}"#)]
    #[case::no_json("hello\n")]
    #[case::another_command("{\"command\":\"eat\"}\n")]
    #[case::a_bad_address("{\"command\":\"add\",\"addresses\":[\"10.0.0\"]}\n")]
    #[case::two_in_a_line("{\"command\":\"status\"}{}\n")]
    fn what_is_no_question(#[case] text: &str) {
        assert!(parse::<Question>(text.as_bytes()).is_err());
    }

    /// An older plugin may stay on a node while the agent is a newer one, and the other way around.
    #[test]
    fn what_is_not_known_is_passed_over() {
        let question: Question = parse(b"{\"command\":\"add\",\"name\":\"a\",\"colour\":\"red\"}\n").unwrap();
        assert_eq!(question, Question::Add(Pod { name: "a".into(), ..Pod::default() }));
    }
}
