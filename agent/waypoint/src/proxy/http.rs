//! Requests.

mod messages;
mod upload;

pub(crate) use upload::{RequestBody, Upload, UploadError};

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
