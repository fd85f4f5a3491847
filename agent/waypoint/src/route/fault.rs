//! Failures made on purpose.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use weir_proto::l7;

use super::{
    backend::status,
    chance::Chance,
    grpc,
    rejection::{Reason, Rejection, Within as _, duration},
};

/// What is done to some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    delay: Option<(Chance, Duration)>,
    abort: Option<(Chance, Abort)>,
}

/// What is done to one request: first the delay, then the abort. It is neither retried nor timed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Injected {
    /// Before anything else.
    pub delay: Option<Duration>,
    /// The answer, in the place of the backend's.
    pub abort: Option<Abort>,
}

/// A made answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// With this status.
    Http(StatusCode),
    /// With this `grpc-status`.
    Grpc(u32),
}

impl Fault {
    pub(crate) fn compile(form: &l7::Fault) -> Result<Fault, Rejection> {
        let delay = |form: &l7::Delay| {
            let wait = form.duration.as_ref().ok_or(Reason::Missing).within("duration")?;
            let chance = Chance::per_million(form.per_million).within("per_million")?;
            Ok::<_, Rejection>((chance, duration(wait).within("duration")?))
        };
        let abort = |form: &l7::Abort| {
            let chance = Chance::per_million(form.per_million).within("per_million")?;
            Ok::<_, Rejection>((chance, Abort::compile(form)?))
        };
        Ok(Fault {
            delay: form.delay.as_ref().map(delay).transpose().within("delay")?,
            abort: form.abort.as_ref().map(abort).transpose().within("abort")?,
        })
    }

    /// What happens to this request, by a random number for each kind.
    pub fn draw(&self, random: [u64; 2]) -> Injected {
        let [for_delay, for_abort] = random;
        Injected {
            delay: self.delay.filter(|(chance, _)| chance.happens(for_delay)).map(|(_, delay)| delay),
            abort: self.abort.filter(|(chance, _)| chance.happens(for_abort)).map(|(_, abort)| abort),
        }
    }
}

impl Injected {
    /// Whether anything happens.
    pub fn any(&self) -> bool {
        *self != Injected::default()
    }
}

impl Abort {
    fn compile(form: &l7::Abort) -> Result<Abort, Rejection> {
        Ok(match form.status.as_ref().ok_or(Reason::Missing)? {
            l7::abort::Status::Http(code) => Abort::Http(status(*code).within("http")?),
            l7::abort::Status::Grpc(code) if *code <= grpc::UNAUTHENTICATED => Abort::Grpc(*code),
            l7::abort::Status::Grpc(code) => {
                let expected = "a status of gRPC, 0 to 16";
                return Err(Reason::OutOfRange { value: (*code).into(), expected }).within("grpc");
            }
        })
    }

    /// The answer to a request with these headers.
    pub fn response(self, request: &HeaderMap) -> Response<Bytes> {
        match self {
            Abort::Http(status) => grpc::local_reply(request, status, MESSAGE),
            Abort::Grpc(code) => grpc::local_status(request, code, MESSAGE),
        }
    }
}

/// What Istio's users look for in the answer.
const MESSAGE: &str = "fault filter abort";

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SURE: u32 = 1_000_000;

    fn fault(delay: u32, abort: u32) -> Fault {
        let duration = Some(prost_types::Duration { seconds: 7, nanos: 0 });
        Fault::compile(&l7::Fault {
            delay: Some(l7::Delay { per_million: delay, duration }),
            abort: Some(l7::Abort { per_million: abort, status: Some(l7::abort::Status::Http(555)) }),
        })
        .unwrap()
    }

    #[rstest]
    #[case::both(fault(SURE, SURE), [0, 0], true, true)]
    #[case::neither(fault(0, 0), [0, 0], false, false)]
    #[case::each_by_its_number(fault(500_000, 500_000), [0, u64::MAX], true, false)]
    #[case::each_by_its_number_reversed(fault(500_000, 500_000), [u64::MAX, 0], false, true)]
    fn draws(#[case] fault: Fault, #[case] random: [u64; 2], #[case] delay: bool, #[case] abort: bool) {
        let drawn = fault.draw(random);
        assert_eq!(drawn.delay, delay.then_some(Duration::from_secs(7)));
        assert_eq!(drawn.abort.is_some(), abort);
        assert_eq!(drawn.any(), delay || abort);
    }

    #[rstest]
    #[case::http(Abort::Http(StatusCode::IM_A_TEAPOT), false, 418, None)]
    #[case::http_for_grpc(Abort::Http(StatusCode::SERVICE_UNAVAILABLE), true, 200, Some("14"))]
    #[case::grpc(Abort::Grpc(14), true, 200, Some("14"))]
    #[case::grpc_for_http(Abort::Grpc(14), false, 503, None)]
    fn answers(#[case] abort: Abort, #[case] grpc: bool, #[case] status: u16, #[case] code: Option<&str>) {
        let mut request = HeaderMap::new();
        if grpc {
            request.insert("content-type", "application/grpc+proto".parse().unwrap());
        }
        let response = abort.response(&request);
        assert_eq!(response.status(), status);
        let found = response.headers().get("grpc-status").map(|code| code.to_str().unwrap());
        assert_eq!(found, code);
    }

    #[rstest]
    #[case::no_duration(l7::Fault { delay: Some(l7::Delay::default()), abort: None }, "delay.duration")]
    #[case::no_status(l7::Fault { abort: Some(l7::Abort::default()), delay: None }, "abort")]
    fn is_refused(#[case] form: l7::Fault, #[case] path: &str) {
        assert_eq!(Fault::compile(&form).unwrap_err().path, path);
    }
}
