//! `wardian commit`: applies reviewed changes to the project, all of them or none.

use std::path::PathBuf;

use wardian_host::wit::{CommitOptions, FileDiff, Selected};

use crate::failure::{Failure, code};
use crate::review::diff::{CONTEXT, Color, FILE_LINES_MAX};
use crate::review::{self, Target, diff, pager, patch};
use crate::{Outcome, block_on, show, terminal};

#[derive(clap::Args)]
#[command(after_help = "With nothing to commit the exit status is 1, with a conflict 4; nothing is changed then.\n\
                        Example: wardian commit --all\n         wardian commit src README.md\n         wardian commit --patch")]
pub struct Arguments {
    /// The session's id, or the beginning of it (left out: the newest of this project), and the paths to commit
    #[arg(value_name = "ID | PATH")]
    words: Vec<String>,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Everything that is not ignored
    #[arg(long, conflicts_with = "patch")]
    all: bool,
    /// Choose hunk by hunk
    #[arg(short, long, conflicts_with = "json")]
    patch: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Where both sides changed a file, take the session's
    #[arg(long)]
    overwrite: bool,
    /// Also build output and what else is ignored
    #[arg(long)]
    ignored: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What the user said to the question.
enum Answer {
    Yes,
    Pieces,
    No,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut target = Target::find(arguments.directory.as_deref(), &arguments.words)?;
    let named = !target.paths.is_empty();
    target.paths = review::selecting(&target.paths);
    let decided = arguments.all || arguments.yes || (named && !arguments.patch);
    if !decided && !terminal::can_ask() {
        return Err(Failure::usage("there is no terminal to ask on what to commit")
            .hint("say it: --all, or paths; --patch needs a terminal"));
    }
    let is_all = target.paths.is_empty();
    let mut selection: Option<Vec<Selected>> =
        (!is_all).then(|| target.paths.iter().map(|path| Selected { path: path.clone(), blocks: None }).collect());
    let mut counts = None;
    if !decided {
        let diffs = diffs(&target, arguments.ignored)?;
        if diffs.is_empty() {
            return Err(Failure::failed("there is nothing to commit"));
        }
        let answer = if arguments.patch { Answer::Pieces } else { question(&diffs) };
        match answer {
            Answer::Yes => counts = Some(count(&diffs)),
            Answer::No => {
                eprintln!("nothing was committed");
                return Ok(code::REFUSED);
            }
            Answer::Pieces => {
                let chosen = patch::choose(&diffs, Color::Auto.paint(), |text, question| {
                    pager::show(text, false);
                    if question.is_empty() { Some(String::new()) } else { review::ask(question) }
                });
                if chosen.is_empty() {
                    eprintln!("nothing was chosen, nothing was committed");
                    return Ok(code::REFUSED);
                }
                selection = Some(chosen);
            }
        }
    }
    let options = CommitOptions { selection, ignored: arguments.ignored, overwrite: arguments.overwrite };
    let (changes, commit) = target.change(async |agent| {
        let plan = match agent.plan(&options).await? {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(error)),
        };
        let changes = agent.plan_changes(&plan).await?;
        Ok(agent.apply(plan).await?.map(|commit| (changes, commit)))
    })?;
    if arguments.json {
        show::print_json(&review::commit_json(&target.id, &commit));
        return Ok(code::DONE);
    }
    let files = review::some(changes.len(), "change", "changes");
    let counts = counts.map_or(String::new(), |(added, removed)| format!(" (+{added} −{removed})"));
    eprintln!("committed {files}{counts} to {} · wardian undo takes it back", target.project.display());
    Ok(code::DONE)
}

fn diffs(target: &Target, ignored: bool) -> Result<Vec<FileDiff>, Failure> {
    block_on(async {
        let mut agent = target.reader().await?;
        let list = target.changes(&mut agent, ignored).await?;
        let mut diffs = Vec::new();
        for change in &list.changes {
            let diff = agent.diff(&change.path, CONTEXT, u32::MAX).await?;
            diffs.push(diff.map_err(|error| review::failure(&target.id, &error))?);
        }
        Ok(diffs)
    })
}

fn count(diffs: &[FileDiff]) -> (u64, u64) {
    let sum = |of: fn(&FileDiff) -> u64| diffs.iter().map(of).sum();
    (sum(|diff| diff.lines_added), sum(|diff| diff.lines_removed))
}

fn question(diffs: &[FileDiff]) -> Answer {
    let paint = Color::Auto.paint();
    for diff in diffs {
        let counts = format!("+{} −{}", diff.lines_added, diff.lines_removed);
        eprintln!("{}  {}", paint.headline(&diff.change), paint.code("2", &counts));
    }
    let prompt = format!(
        "Commit {}?  y yes · n no · d show how · p choose pieces  > ",
        if diffs.len() == 1 { "this change".to_owned() } else { format!("these {} changes", diffs.len()) }
    );
    loop {
        match review::ask(&prompt).as_deref() {
            Some("y" | "yes") => return Answer::Yes,
            Some("n" | "no" | "q") | None => return Answer::No,
            Some("p") => return Answer::Pieces,
            Some("d") => {
                let mut text = String::new();
                for file in diffs {
                    let mut file = file.clone();
                    cut(&mut file);
                    text.push_str(&diff::file(&file, paint));
                    text.push('\n');
                }
                pager::show(&text, true);
            }
            Some(_) => eprintln!("please answer y, n, d or p"),
        }
    }
}

/// Leaves out what is very long.
fn cut(file: &mut FileDiff) {
    if let wardian_host::wit::Content::Text(hunks) = &mut file.content {
        let mut left = FILE_LINES_MAX as usize;
        for hunk in hunks.iter_mut() {
            let kept = hunk.lines.len().min(left);
            file.lines_cut += (hunk.lines.len() - kept) as u64;
            hunk.lines.truncate(kept);
            left -= kept;
        }
        hunks.retain(|hunk| !hunk.lines.is_empty());
    }
}
