//! `weir completion`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Error, print};
use crate::cli::{Cli, Outcome};

/// Options of `weir completion`.
#[derive(Args)]
#[command(
    after_help = "  weir completion bash > /etc/bash_completion.d/weir\n  weir completion zsh > \"${fpath[1]}/_weir\""
)]
pub(crate) struct Completion {
    /// Which shell.
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self) -> Result<Outcome, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "weir", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(Outcome::Done)
    }
}
