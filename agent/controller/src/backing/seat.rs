//! This replica's part in the election, and how it leaves it.

use std::time::Duration;

use tokio::sync::oneshot;
use weir_sources::LeaderElection;

use super::Tasks;

/// A seat in an election.
pub(crate) struct Seat {
    leave: oneshot::Sender<()>,
    left: oneshot::Receiver<()>,
}

impl Seat {
    /// Takes part from now on.
    pub(super) fn take(election: LeaderElection, tasks: &mut Tasks) -> Self {
        let (leave, told) = oneshot::channel::<()>();
        let (done, left) = oneshot::channel();
        tasks.spawn(async move {
            election.run(async { drop(told.await) }).await;
            let _ = done.send(());
            anyhow::anyhow!("the election ended")
        });
        Self { leave, left }
    }

    /// Gives back what was won, so that the next one need not wait until it is over. An API that does not answer is not
    /// waited for.
    pub(crate) async fn leave(self) {
        let _ = self.leave.send(());
        if tokio::time::timeout(PATIENCE, self.left).await.is_err() {
            tracing::info!("the lease is not given back in time, the next one waits for its end");
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(2);
