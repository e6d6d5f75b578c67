//! `wardian discard`: drops changes; the project's files are what the session sees again.

use std::path::PathBuf;

use serde_json::json;

use crate::failure::{Failure, code};
use crate::review::{self, Target};
use crate::{Outcome, block_on, show, terminal};

#[derive(clap::Args)]
#[command(
    after_help = "What is dropped is gone.\nExample: wardian discard src/main.rs\n         wardian discard --all"
)]
pub struct Arguments {
    /// The session's id, or the beginning of it (left out: the newest of this project), and the paths to drop
    #[arg(value_name = "ID | PATH")]
    words: Vec<String>,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Everything that is not ignored
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Also build output and what else is ignored
    #[arg(long)]
    ignored: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut target = Target::find(arguments.directory.as_deref(), &arguments.words)?;
    let named = !target.paths.is_empty();
    target.paths = review::selecting(&target.paths);
    if !(named || arguments.all || arguments.yes) {
        if !terminal::can_ask() {
            return Err(Failure::usage("there is no terminal to ask on what to drop").hint("say it: --all, or paths"));
        }
        let list = block_on(async { target.changes(&mut target.reader().await?, arguments.ignored).await })?;
        if list.changes.is_empty() {
            return Ok(review::nothing("no changes"));
        }
        let prompt = format!(
            "Drop {}? They cannot be brought back.  y yes · n no  > ",
            review::some(list.changes.len(), "change", "changes")
        );
        if !matches!(review::ask(&prompt).as_deref(), Some("y" | "yes")) {
            eprintln!("nothing was dropped");
            return Ok(code::REFUSED);
        }
    }
    let dropped = target.change(async |agent| Ok(agent.discard(&target.paths, arguments.ignored).await?))?;
    if arguments.json {
        show::print_json(&json!({"session": target.id, "paths": dropped}));
    } else {
        eprintln!("dropped {}", review::some(dropped.len(), "change", "changes"));
    }
    Ok(code::DONE)
}
