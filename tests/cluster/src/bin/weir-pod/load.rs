//! Questions without end. How it goes can be asked at any time: nobody has to end the program to know.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use weir_cluster::said::Tally;

use crate::client::Question;
use crate::serve;

/// Tells its [`Tally`] to whoever asks at `--report`.
#[derive(Args)]
pub(crate) struct Load {
    #[command(flatten)]
    question: Question,
    /// So many at a time
    #[arg(long, default_value_t = 2, value_name = "N")]
    connections: usize,
    /// A pause after each answer, milliseconds
    #[arg(long, default_value_t = 5, value_name = "MS")]
    pause: u64,
    /// Where to tell how it goes
    #[arg(long, value_name = "ADDRESS")]
    report: SocketAddr,
}

impl Load {
    pub(crate) async fn run(self) -> Result<()> {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let told = tally.clone();
        let report = serve::listen(self.report).await?;
        let (question, pause) = (Arc::new(self.question), Duration::from_millis(self.pause));
        for _ in 0..self.connections {
            tokio::spawn(ask(question.clone(), pause, tally.clone()));
        }
        serve::pages(report, move |_, _| serve::json(&*told.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
    }
}

async fn ask(question: Arc<Question>, pause: Duration, tally: Arc<Mutex<Tally>>) {
    loop {
        let begun = Instant::now();
        let answer = question.ask().await;
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reason = match answer {
            Ok(answer) if answer.status == 200 => None,
            Ok(answer) => Some(format!("status {}", answer.status)),
            Err(error) => Some(format!("{error:#}")),
        };
        tally.lock().unwrap_or_else(PoisonError::into_inner).add(took, reason);
        tokio::time::sleep(pause).await;
    }
}
