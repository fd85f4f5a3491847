//! Calls of gRPC, as a client makes them.

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderValue, Method, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_local};

use crate::ask::{Ask, Sender, text};
use crate::frames::{Messages, Writer, frames};

/// A call under way.
pub(crate) struct Call {
    writer: Writer,
    answer: JoinHandle<Result<Response<Incoming>>>,
}

impl Call {
    /// Sends the head of a call; the answer may come at any time.
    pub(crate) async fn start(ask: &Ask, sender: &mut Sender) -> Result<Self> {
        let (writer, frames) = frames();
        let mut request = ask.request(frames)?;
        *request.method_mut() = Method::POST;
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        for (name, value) in headers {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let Sender::Http2(sender) = sender else { anyhow::bail!("calls are made over HTTP/2") };
        sender.ready().await?;
        let answer = sender.send_request(request);
        Ok(Self { writer, answer: spawn_local(async { answer.await.context("calling") }) })
    }

    /// Says all of it, and reads all that comes.
    pub(crate) async fn all(self, messages: &[String]) -> Result<Value> {
        for message in messages {
            self.writer.message(message);
        }
        drop(self.writer);
        let (head, body) = self.answer.await??.into_parts();
        let mut answers = Messages::of(body);
        let mut all = Vec::new();
        while let Some(message) = answers.next().await? {
            all.push(json(&message));
        }
        let mut end = end(&head.headers, &answers.trailers);
        end["status"] = head.status.as_u16().into();
        end["messages"] = all.into();
        Ok(end)
    }
}

/// A call in which both sides speak in turns.
pub(crate) struct Open {
    writer: Option<Writer>,
    answer: Option<JoinHandle<Result<Response<Incoming>>>>,
    head: HeaderMap,
    answers: Option<Messages>,
    // The connection lives with it.
    _sender: Sender,
}

impl Open {
    pub(crate) async fn start(ask: &Ask) -> Result<Self> {
        let mut sender = ask.connect().await?;
        let Call { writer, answer } = Call::start(ask, &mut sender).await?;
        let (head, answers) = (HeaderMap::new(), None);
        Ok(Self { writer: Some(writer), answer: Some(answer), head, answers, _sender: sender })
    }

    /// One message, and what is said to it: `message`, or the call's end.
    pub(crate) async fn say(&mut self, text: &str) -> Result<Value> {
        self.writer.as_ref().context("it is closed")?.message(text);
        self.next().await
    }

    /// No more messages; the end.
    pub(crate) async fn close(mut self) -> Result<Value> {
        self.writer = None;
        self.next().await
    }

    async fn next(&mut self) -> Result<Value> {
        if let Some(answer) = self.answer.take() {
            let (head, body) = answer.await??.into_parts();
            self.head = head.headers;
            self.answers = Some(Messages::of(body));
        }
        let answers = self.answers.as_mut().context("there is no answer")?;
        match answers.next().await? {
            Some(message) => Ok(json!({"message": json(&message)})),
            None => Ok(end(&self.head, &answers.trailers)),
        }
    }
}

/// How a call ended. Who refuses one says it at once.
fn end(head: &HeaderMap, trailers: &HeaderMap) -> Value {
    let said = |name: &str| {
        let value = trailers.get(name).or_else(|| head.get(name))?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    json!({"grpcStatus": said("grpc-status"), "grpcMessage": said("grpc-message"), "headers": text(head)})
}

fn json(message: &str) -> Value {
    serde_json::from_str(message).unwrap_or_else(|_| message.into())
}
