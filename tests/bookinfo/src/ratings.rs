//! Stars.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

use crate::answer;

/// Says how many stars each reader gives.
#[derive(Debug, Clone, Args)]
pub(crate) struct Ratings {
    /// Answer every request but each N-th with 503, to be found out by outlier detection
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_but_every: Option<u64>,
    /// Let every request wait so long, milliseconds: a service with too much to do
    #[arg(long, default_value_t = 0, value_name = "MS")]
    takes: u64,
    #[arg(skip)]
    asked: Arc<AtomicU64>,
}

impl Ratings {
    pub(crate) async fn handle<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if self.takes > 0 {
            tokio::time::sleep(Duration::from_millis(self.takes)).await;
        }
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fail_but_every.is_some_and(|n| !asked.is_multiple_of(n)) {
            return answer::error(StatusCode::SERVICE_UNAVAILABLE, "told to fail");
        }
        match request.uri().path().strip_prefix("/ratings/").map(str::parse::<u32>) {
            Some(Ok(id)) => answer::json(&json!({"id": id, "ratings": {"Reviewer1": 5, "Reviewer2": 4}})),
            _ => answer::not_found(),
        }
    }
}
