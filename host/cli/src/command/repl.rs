//! `wardian` without a command: a conversation.

use std::path::{Path, PathBuf};

use rustyline::error::ReadlineError;

use crate::case::{Case, SessionFlags};
use crate::command::run::one;
use crate::failure::{Failure, code};
use crate::settings::Flags;
use crate::show::{Show, Style};
use crate::{Outcome, block_on, terminal};

/// Lines of history that are kept.
const HISTORY_LINES_MAX: usize = 1_000;

const HELP: &str = "\
/help                this list
/sessions            the sessions
/log [ID] [--verify] this session's journal, or another's
/replay ID           run a session again, offline
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
        let mut open = case.open(session, false, show.clone()).await?;
        let interrupter = open.agent.interrupter();
        terminal::watch_interrupts(interrupter.clone());
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
                slash(command, &open.session.id, &case.project, &arguments.flags.components);
                continue;
            }
            interrupter.reset();
            let ended = one(&mut open, line).await?;
            show.fresh_line();
            ended.say();
        }
        // Losing history is no reason to fail.
        let _ = editor.save_history(&history);
        Ok(code::DONE)
    })
}

type Editor = rustyline::Editor<(), rustyline::history::FileHistory>;

fn editor(history: &std::path::Path) -> Result<Editor, Failure> {
    let failed = |error: ReadlineError| Failure::failed(format!("cannot set up the terminal: {error}"));
    let config = rustyline::Config::builder().max_history_size(HISTORY_LINES_MAX).map_err(failed)?.build();
    let mut editor = Editor::with_config(config).map_err(failed)?;
    let _ = editor.load_history(history);
    Ok(editor)
}

/// The command line's own commands, with a slash. What fails is said and forgotten.
fn slash(command: &str, session: &str, project: &Path, components: &[PathBuf]) {
    let mut words: Vec<String> = match command.split_once(' ') {
        // The JSON of a call is one argument, whatever is in it.
        Some(("call", rest)) => match rest.trim().split_once(' ') {
            Some((tool, input)) => ["call", tool, input].map(str::to_owned).to_vec(),
            None => ["call", rest.trim(), "{}"].map(str::to_owned).to_vec(),
        },
        _ => command.split_whitespace().map(str::to_owned).collect(),
    };
    if words.first().is_some_and(|word| word == "log") && !words[1..].iter().any(|word| !word.starts_with('-')) {
        words.push(session.to_owned());
    }
    if matches!(words.first().map(String::as_str), Some("tools" | "call")) {
        words.extend(["-C".to_owned(), project.display().to_string()]);
        for component in components {
            words.extend(["--component".to_owned(), component.display().to_string()]);
        }
    }
    match words.first().map(String::as_str) {
        Some("help") | None => eprintln!("{HELP}"),
        Some("sessions" | "log" | "replay" | "tools" | "call" | "inspect" | "doctor") => {
            // In a process of its own: it brings its own threads, and its exit status matters to nobody.
            let status =
                std::env::current_exe().and_then(|wardian| std::process::Command::new(wardian).args(&words).status());
            if let Err(error) = status {
                eprintln!("cannot run /{}: {error}", words[0]);
            }
        }
        Some(other) => eprintln!("there is no /{other}; /help lists what there is"),
    }
}
