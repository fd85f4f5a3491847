//! Requests.

mod attempt;
mod body;
mod check;
mod drive;
mod echo;
mod ended;
mod exchange;
mod failure;
mod forward;
mod hops;
mod ids;
mod interim;
mod messages;
mod mirror;
mod relay;
mod respond;
mod serve;
mod upgrade;
mod upload;
mod websocket;

pub(crate) use body::RequestBody;
pub(crate) use drive::FAREWELL;
use exchange::exchange;
pub(crate) use hops::address;
use relay::ResponseBody;
pub(crate) use serve::{serve_http1, serve_http2};

/// Spawns on this thread: nothing here is sent to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalSpawn;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalSpawn {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// Of a message's head, in bytes; Envoy's limit.
pub(crate) const MAX_HEAD: usize = 60 * 1024;
