//! The book.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use serde_json::json;

use crate::answer;

pub(crate) fn handle<B>(request: &Request<B>) -> Response<Full<Bytes>> {
    match request.uri().path().strip_prefix("/details/").map(str::parse::<u32>) {
        Some(Ok(id)) => answer::json(&json!({
            "id": id,
            "author": "William Shakespeare",
            "year": 1595,
            "type": "paperback",
            "pages": 200,
            "publisher": "PublisherA",
            "language": "English",
        })),
        _ => answer::not_found(),
    }
}
