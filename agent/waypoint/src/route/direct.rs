//! Answers that a route has ready.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use weir_proto::l7;

use super::{
    backend::status,
    rejection::{Reason, Rejection, Within as _},
};

/// An answer without a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectResponse {
    status: StatusCode,
    body: Bytes,
}

impl DirectResponse {
    pub(crate) fn compile(form: &l7::DirectResponse) -> Result<DirectResponse, Rejection> {
        let status = status(form.status).within("status")?;
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if bodiless && !form.body.is_empty() {
            return Err(Reason::Meaningless("responses of this status have no body")).within("body");
        }
        Ok(DirectResponse { status, body: form.body.clone().into() })
    }

    /// The answer.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        if !self.body.is_empty() {
            // A route's response headers may say otherwise.
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::text(503, "closed", Some("text/plain"))]
    #[case::empty(204, "", None)]
    fn answers(#[case] status: u32, #[case] body: &str, #[case] content: Option<&str>) {
        let form = l7::DirectResponse { status, body: body.into() };
        let response = DirectResponse::compile(&form).unwrap().response();
        assert_eq!(u32::from(response.status().as_u16()), status);
        assert_eq!(response.body(), body);
        let found = response.headers().get(header::CONTENT_TYPE).map(|content| content.to_str().unwrap());
        assert_eq!(found, content);
    }

    #[rstest]
    #[case::informational(100, "")]
    #[case::none(0, "")]
    #[case::beyond(600, "")]
    #[case::body(204, "x")]
    fn is_refused(#[case] status: u32, #[case] body: &str) {
        assert!(DirectResponse::compile(&l7::DirectResponse { status, body: body.into() }).is_err());
    }
}
