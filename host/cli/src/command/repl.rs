//! `wardian` without a command: a conversation.

use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;

use crate::case::{Case, How, SessionFlags, Which};
use crate::command::run::{changes, one};
use crate::failure::{Failure, code};
use crate::settings::Flags;
use crate::show::{Show, Style};
use crate::{Outcome, block_on, review, terminal};

/// Lines of history that are kept.
const HISTORY_LINES_MAX: usize = 1_000;

const HELP: &str = "\
/help                this list
/sessions            the sessions
/log [ID] [--verify] this session's journal, or another's
/replay ID           run a session again, offline
/changes [PATH..]    what this session changed
/diff [PATH..]       how
/commit [PATH..]     apply it to the project; --patch: piece by piece
/discard [PATH..]    drop changes
/undo                take the last commit back
/tools               the tools and their powers
/call TOOL JSON      call a tool
/inspect FILE        a component's powers
/doctor              what is installed
/quit                leave (Ctrl-D)
Anything else is a task for the agent. Ctrl-C ends the task that is running.";

#[derive(clap::Args)]
pub struct Arguments {
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    session: SessionFlags,
    #[command(flatten)]
    flags: Flags,
}

pub fn run(arguments: Arguments) -> Outcome {
    if !terminal::can_ask() {
        return Err(Failure::usage("a conversation needs a terminal").hint("for one task: wardian run \"…\""));
    }
    let case = Case::new(arguments.directory.as_deref(), &arguments.flags)?;
    let session = case.session(&arguments.session.which())?;
    let show = Show::new(Style::People);
    block_on(async {
        let mut open = case.open(session, How::Overlay, show.clone()).await?;
        let mut watching = terminal::watch_interrupts(open.agent.interrupter());
        eprintln!("wardian · {} · model {} · session {}", case.project.display(), case.model(), open.session.id);
        eprintln!("type a task, or /help");
        let history = case.home.folder.join("history.txt");
        let mut editor = editor(&history)?;
        loop {
            let line = match editor.readline("› ") {
                Ok(line) => line,
                // A line that was begun is dropped; the habit of shells.
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(Failure::failed(format!("cannot read from the terminal: {error}"))),
            };
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let _ = editor.add_history_entry(line);
            if let Some(command) = line.strip_prefix('/') {
                if matches!(command.trim(), "quit" | "exit" | "q") {
                    break;
                }
                let words = words(command, &open.session.id, &case.project, &arguments.flags.components);
                if !changes_session(&words) {
                    slash(&words);
                    continue;
                }
                // The session is for one process at a time: it is lent to the command and taken up again.
                let id = open.session.id.clone();
                drop((watching.take(), open));
                slash(&words);
                let session = case.session(&Which::Existing(id))?;
                open = case.open(session, How::Overlay, show.clone()).await?;
                watching = terminal::watch_interrupts(open.agent.interrupter());
                continue;
            }
            open.agent.interrupter().reset();
            let ended = one(&case, &mut open, &show, line).await?;
            show.fresh_line();
            ended.say();
            ended.say_usage();
            match changes(&mut open).await {
                0 => {}
                number => eprintln!("{} to review · /diff · /commit", review::some(number, "change", "changes")),
            }
        }
        // Losing history is no reason to fail.
        let _ = editor.save_history(&history);
        Ok(code::DONE)
    })
}

pub type Editor = rustyline::Editor<(), rustyline::history::FileHistory>;

pub fn editor(history: &std::path::Path) -> Result<Editor, Failure> {
    let failed = |error: ReadlineError| Failure::failed(format!("cannot set up the terminal: {error}"));
    let config = rustyline::Config::builder().max_history_size(HISTORY_LINES_MAX).map_err(failed)?.build();
    let mut editor = Editor::with_config(config).map_err(failed)?;
    let _ = editor.load_history(history);
    Ok(editor)
}

/// A line behind its slash as the command line takes it.
fn words(command: &str, session: &str, project: &Path, components: &[PathBuf]) -> Vec<String> {
    let mut words: Vec<String> = match command.split_once(' ') {
        // The JSON of a call is one argument, whatever is in it.
        Some(("call", rest)) => match rest.trim().split_once(' ') {
            Some((tool, input)) => ["call", tool, input].map(str::to_owned).to_vec(),
            None => ["call", rest.trim(), "{}"].map(str::to_owned).to_vec(),
        },
        _ => command.split_whitespace().map(str::to_owned).collect(),
    };
    match words.first().map(String::as_str) {
        Some("log") if !words[1..].iter().any(|word| !word.starts_with('-')) => words.push(session.to_owned()),
        Some("changes" | "diff" | "commit" | "discard" | "undo") => {
            words.insert(1, session.to_owned());
            words.extend(["-C".to_owned(), project.display().to_string()]);
        }
        Some("tools" | "call") => {
            words.extend(["-C".to_owned(), project.display().to_string()]);
            for component in components {
                words.extend(["--component".to_owned(), component.display().to_string()]);
            }
        }
        _ => {}
    }
    words
}

/// Whether a command needs the session for itself.
fn changes_session(words: &[String]) -> bool {
    matches!(words.first().map(String::as_str), Some("commit" | "discard" | "undo"))
}

/// The command line's own commands, with a slash. What fails is said and forgotten.
fn slash(words: &[String]) {
    match words.first().map(String::as_str) {
        Some("help") | None => eprintln!("{HELP}"),
        Some(
            "sessions" | "log" | "replay" | "tools" | "call" | "inspect" | "doctor" | "changes" | "diff" | "commit"
            | "discard" | "undo",
        ) => {
            // In a process of its own: it brings its own threads, and its exit status matters to nobody.
            let status =
                std::env::current_exe().and_then(|wardian| std::process::Command::new(wardian).args(words).status());
            if let Err(error) = status {
                eprintln!("cannot run /{}: {error}", words[0]);
            }
        }
        Some(other) => eprintln!("there is no /{other}; /help lists what there is"),
    }
}
