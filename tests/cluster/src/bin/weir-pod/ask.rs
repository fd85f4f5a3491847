//! A few questions, and all that came back.

use anyhow::{Result, bail};
use clap::Args;
use weir_cluster::said::Answers;

use crate::client::Question;

/// Prints [`Answers`].
#[derive(Args)]
pub(crate) struct Ask {
    #[command(flatten)]
    question: Question,
    /// How often, one after the other
    #[arg(long, default_value_t = 1, value_name = "N")]
    times: u32,
    /// Succeed whatever comes: it is the answer that is of interest
    #[arg(long)]
    any: bool,
}

impl Ask {
    pub(crate) async fn run(self) -> Result<()> {
        let mut answers = Answers::default();
        for _ in 0..self.times {
            match self.question.ask().await {
                Ok(answer) => answers.answers.push(answer),
                Err(error) => *answers.errors.entry(format!("{error:#}")).or_default() += 1,
            }
        }
        println!("{}", serde_json::to_string(&answers)?);
        if !self.any && !answers.are_good() {
            bail!("{} was not answered with success", self.question.url);
        }
        Ok(())
    }
}
