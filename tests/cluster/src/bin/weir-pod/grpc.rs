//! `grpc.health.v1.Health/Check`, which a kubelet's gRPC probe asks. Its answer never differs, so no compiler of protobuf is needed.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// Serves one connection; `asked` is called for each question.
pub(crate) async fn serve(socket: TcpStream, asked: impl Fn() + Clone + Send + 'static) {
    let handler = service_fn(move |request| {
        asked();
        let answer = answer(&request);
        async move { Ok::<_, Infallible>(answer) }
    });
    // A client that goes away in the middle is its own business.
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), handler)
        .await;
}

type Trailers = std::future::Ready<Option<Result<HeaderMap, Infallible>>>;

fn answer(request: &Request<Incoming>) -> Response<WithTrailers<Full<Bytes>, Trailers>> {
    let is_known = request.uri().path() == "/grpc.health.v1.Health/Check";
    let (body, status) = if is_known { (SERVING, "0") } else { (&[][..], "12") };
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(status),
    )]);
    let body = Full::new(Bytes::from_static(body)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A message of two bytes, not compressed: field 1 (`status`) is 1 (`SERVING`).
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 0x08, 0x01];
