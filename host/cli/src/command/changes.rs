//! `wardian changes`: what a session changed, a line each.

use std::path::PathBuf;

use serde_json::json;

use crate::failure::code;
use crate::review::diff::Color;
use crate::review::{self, Target};
use crate::{Outcome, block_on, show};

#[derive(clap::Args)]
#[command(after_help = "Letters: A added, M modified, D deleted, R renamed, m permission bits, T type, ! conflict\n\
                        Example: wardian changes\n         wardian changes 20261124 --json")]
pub struct Arguments {
    /// The session's id, or the beginning of it (left out: the newest of this project), and paths
    #[arg(value_name = "ID | PATH")]
    words: Vec<String>,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Also build output and what else is ignored
    #[arg(long)]
    ignored: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut target = Target::find(arguments.directory.as_deref(), &arguments.words)?;
    target.paths = review::selecting(&target.paths);
    let list = block_on(async { target.changes(&mut target.reader().await?, arguments.ignored).await })?;
    if arguments.json {
        let changes: Vec<_> = list.changes.iter().map(review::change_json).collect();
        show::print_json(&json!({"session": target.id, "changes": changes, "ignored": list.ignored}));
        return Ok(code::DONE);
    }
    let paint = Color::Auto.paint();
    for change in &list.changes {
        say!("{}", paint.headline(change));
    }
    let left_out = match list.ignored {
        0 => String::new(),
        number => format!(" · {number} ignored, not shown (--ignored)"),
    };
    if list.changes.is_empty() {
        eprintln!("no changes{left_out}");
    } else {
        let changes = review::some(list.changes.len(), "change", "changes");
        let conflicts = list.changes.iter().filter(|change| change.conflict.is_some()).count();
        let conflicts = if conflicts == 0 {
            String::new()
        } else {
            format!(", {}", review::some(conflicts, "conflict", "conflicts"))
        };
        eprintln!("{changes}{conflicts}{left_out} · wardian diff · wardian commit");
    }
    Ok(code::DONE)
}
