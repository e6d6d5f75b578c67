//! `wardian undo`: takes the last commit out of the project again.

use std::path::PathBuf;

use crate::failure::{Failure, code};
use crate::review::{self, Target};
use crate::{Outcome, show};

#[derive(clap::Args)]
#[command(after_help = "Nothing is undone where you changed a file since: it is named, and the exit status is 4.\n\
                        Example: wardian undo")]
pub struct Arguments {
    /// The session's id, or the beginning of it. Left out: the newest of this project
    id: Option<String>,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let words: Vec<String> = arguments.id.into_iter().collect();
    let target = Target::find(arguments.directory.as_deref(), &words)?;
    if let Some(word) = words.first().filter(|_| !target.paths.is_empty()) {
        return Err(Failure::usage(format!("there is no session {word:?}")).hint("list them: wardian sessions"));
    }
    let commit = target.change(async |agent| Ok(agent.undo().await?))?;
    if arguments.json {
        show::print_json(&review::commit_json(&target.id, &commit));
    } else {
        let paths = review::some(commit.paths.len(), "path", "paths");
        eprintln!(
            "took commit {} back ({paths}) · its changes are to be reviewed again",
            commit.undoes.unwrap_or_default()
        );
    }
    Ok(code::DONE)
}
