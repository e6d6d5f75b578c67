//! `wardian diff`: how a session changed what it changed.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;

use serde_json::{Value, json};
use wardian_host::wit::{Content, FileDiff, Side};

use crate::failure::{Failure, code};
use crate::review::diff::{CONTEXT, Color, FILE_LINES_MAX, LINES_MAX};
use crate::review::{self, Target, diff, pager};
use crate::{Outcome, block_on, show};

#[derive(clap::Args)]
#[command(after_help = "Piped, it is a patch in git's format, whole.\n\
                        Example: wardian diff src\n         wardian diff | git apply --check")]
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
    /// Also what is very long
    #[arg(long)]
    full: bool,
    /// Print a patch in git's format, also on a terminal
    #[arg(short, long, conflicts_with = "json")]
    patch: bool,
    /// When to colour
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto")]
    color: Color,
    /// Do not stop after each screen
    #[arg(long)]
    no_pager: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut target = Target::find(arguments.directory.as_deref(), &arguments.words)?;
    target.paths = review::selecting(&target.paths);
    let as_patch =
        arguments.patch || (!arguments.json && !std::io::stdout().is_terminal() && arguments.color != Color::Always);
    let lines_max = if arguments.full || arguments.json { u32::MAX } else { FILE_LINES_MAX };
    block_on(async {
        let mut agent = target.reader().await?;
        let list = target.changes(&mut agent, arguments.ignored).await?;
        let failed = |error| review::failure(&target.id, &error);
        let (mut text, mut documents, mut left) = (String::new(), Vec::new(), 0_usize);
        let mut lines = 0;
        for change in &list.changes {
            if as_patch {
                let patch = agent.unified(&change.path, CONTEXT).await?.map_err(failed)?;
                pager::show(&patch, false);
                continue;
            }
            if !arguments.full && !arguments.json && lines > LINES_MAX {
                left += 1;
                continue;
            }
            let file = agent.diff(&change.path, CONTEXT, lines_max).await?.map_err(failed)?;
            if arguments.json {
                documents.push(as_json(&file));
                continue;
            }
            let shown = diff::file(&file, arguments.color.paint());
            lines += shown.lines().count();
            let _ = writeln!(text, "{shown}");
        }
        if left > 0 {
            let files = review::some(left, "more file", "more files");
            let _ = writeln!(text, "… {files} (wardian diff PATH, or --full)");
        }
        if arguments.json {
            let documents: Value = documents.into();
            show::print_json(&json!({"session": target.id, "files": documents, "ignored": list.ignored}));
        } else if list.changes.is_empty() {
            eprintln!("no changes");
        } else if !as_patch {
            pager::show(&text, !arguments.no_pager);
        }
        Ok::<_, Failure>(code::DONE)
    })
}

fn as_json(file: &FileDiff) -> Value {
    let mut document = review::change_json(&file.change);
    document["lines_added"] = file.lines_added.into();
    document["lines_removed"] = file.lines_removed.into();
    match &file.content {
        Content::Binary(description) => {
            document["content"] = json!({"before": description.before, "after": description.after});
        }
        Content::Text(hunks) => {
            let line = |line: &wardian_host::wit::Line| {
                let side = match line.side {
                    Side::Context => "context",
                    Side::Removed => "removed",
                    Side::Added => "added",
                };
                let emphasis: Vec<_> = line.emphasis.iter().map(|span| [span.start, span.end]).collect();
                let block = (line.side != Side::Context).then_some(line.block);
                json!({
                    "side": side, "text": line.text, "emphasis": emphasis,
                    "unterminated": line.unterminated, "block": block,
                })
            };
            let hunks: Vec<_> = hunks
                .iter()
                .map(|hunk| {
                    json!({
                        "before": [hunk.before_start, hunk.before_lines],
                        "after": [hunk.after_start, hunk.after_lines],
                        "heading": hunk.heading,
                        "lines": hunk.lines.iter().map(line).collect::<Vec<_>>(),
                    })
                })
                .collect();
            document["hunks"] = hunks.into();
        }
    }
    document
}
