//! Tells the services who is at the other end, and notices that a request was let through, whichever it was for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower::{Layer, Service};

use super::connection::Link;

/// Puts a [`Watcher`] around the services.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProofLayer;

/// Looks at answers: one without an error proves that the caller was let in.
#[derive(Debug, Clone)]
pub(super) struct Watcher<S>(S);

impl<S> Layer<S> for ProofLayer {
    type Service = Watcher<S>;

    fn layer(&self, inner: S) -> Watcher<S> {
        Watcher(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Watcher<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let link = request.extensions().get::<Link>().cloned();
        if let Some(link) = &link {
            request.extensions_mut().insert(link.peer.clone());
        }
        let answer = self.0.call(request);
        Box::pin(async move {
            let response = answer.await?;
            // An error without a body is in the headers; whoever gets as far as a body was let through.
            let is_error = response.headers().get("grpc-status").is_some_and(|status| status != "0");
            match link {
                Some(link) if is_error || !response.status().is_success() => link.refuse(),
                Some(link) => link.prove(),
                None => {}
            }
            Ok(response)
        })
    }
}
