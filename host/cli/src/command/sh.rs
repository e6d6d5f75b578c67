//! `wardian sh`: the sandboxed shell by itself.

use std::io::IsTerminal;
use std::path::Path;

use rustyline::error::ReadlineError;

use crate::command::repl::editor;
use crate::failure::{Failure, code};
use crate::processes::{Ground, PROJECT, ProcessFlags, Streams, Waited, report, standard, wait};
use crate::terminal::Signals;
use crate::{Outcome, block_on};

const SHELL: &str = "sh";

/// Where the shell's state is between two lines.
const STATE: &str = "/tmp/.shell-state";

/// Bytes of a script that is not in the project: it is handed over as an argument.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

#[derive(clap::Args)]
#[command(after_help = "Without a script, on a terminal: line by line. The exit status is the script's.\n\
                  Example: wardian sh -c 'grep -rn TODO . | head'\n         wardian sh build.sh --fast")]
pub struct Arguments {
    #[command(flatten)]
    flags: ProcessFlags,
    /// -c SCRIPT, a script's file, or - for stdin; then its arguments. bash's own options come before
    #[arg(value_name = "SCRIPT", trailing_var_arg = true, allow_hyphen_values = true)]
    script: Vec<String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let ground = Ground::new(arguments.flags, None)?;
    if arguments.script.is_empty() && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        let result = converse(&ground);
        ground.close();
        return result;
    }
    let mut argv = vec![SHELL.to_owned()];
    match script(arguments.script, ground.project()) {
        Ok(words) => argv.extend(words),
        Err(failure) => {
            ground.close();
            return Err(failure);
        }
    }
    ground.run(SHELL, argv)
}

/// The same, with a script's file as the sandbox knows it: below the project, or else as its text.
fn script(mut words: Vec<String>, project: &Path) -> Result<Vec<String>, Failure> {
    let is_option = |word: &String| word.len() > 1 && word.starts_with(['-', '+']);
    let Some(at) = words.iter().position(|word| !is_option(word)) else { return Ok(words) };
    // After -c there is no file; -o takes a word of its own, which is left to the shell to find out.
    let has_text = words[..at].iter().any(|word| !word.starts_with("--") && word.contains('c'));
    let takes_word = at > 0 && matches!(words[at - 1].as_str(), "-o" | "+o");
    if has_text || takes_word || words[at] == "-" {
        return Ok(words);
    }
    let Ok(file) = std::fs::canonicalize(&words[at]) else { return Ok(words) };
    if let Ok(below) = file.strip_prefix(project) {
        words[at] = format!("{PROJECT}/{}", below.to_string_lossy());
        return Ok(words);
    }
    let text = crate::case::read_bounded(&file, SCRIPT_BYTES_MAX)?;
    let text = String::from_utf8(text).map_err(|_| Failure::usage(format!("{} is not UTF-8", file.display())))?;
    words.splice(at..at, ["-c".to_owned(), text]);
    Ok(words)
}

/// Reads lines and runs them, each in a shell that goes on where the last one ended.
fn converse(ground: &Ground) -> Outcome {
    let shell = ground.find(SHELL)?;
    let mut editor = editor(&ground.history("shell-history.txt"))?;
    block_on(async {
        let mut signals = Signals::new().ok();
        let (mut lines, mut status) = (String::new(), code::DONE);
        loop {
            let prompt = if lines.is_empty() { "$ " } else { "> " };
            match editor.readline(prompt) {
                Ok(line) => {
                    lines.push_str(&line);
                    lines.push('\n');
                }
                // Lines that were begun are dropped; the habit of shells.
                Err(ReadlineError::Interrupted) => {
                    lines.clear();
                    continue;
                }
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(Failure::failed(format!("cannot read from the terminal: {error}"))),
            }
            let argv = |words: &[&str]| [SHELL].iter().chain(words).map(|word| (*word).to_owned()).collect();
            let quiet = Streams::none();
            let check = ground.start(argv(&["-n", "-c", &lines]), quiet);
            if let Waited::Ended(ended) = wait(shell.spawn(check), signals.as_mut()).await
                && ended.code() == 1
            {
                continue;
            }
            let line = std::mem::take(&mut lines);
            if line.trim().is_empty() {
                continue;
            }
            let _ = editor.add_history_entry(line.trim_end());
            if let Some(given) = exits(&line) {
                status = given.unwrap_or(status);
                break;
            }
            let last = status.to_string();
            let start = ground.start(argv(&["--state", STATE, "--status", &last, "-c", &line]), standard()?);
            status = report(SHELL, &wait(shell.spawn(start), signals.as_mut()).await);
        }
        let _ = editor.save_history(&ground.history("shell-history.txt"));
        Ok(status)
    })
}

/// Whether the line leaves the shell, and with which status if it says.
fn exits(line: &str) -> Option<Option<u8>> {
    let mut words = line.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("exit" | "logout"), None, _) => Some(None),
        (Some("exit" | "logout"), Some(status), None) => status.parse().ok().map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(given: &[&str], project: &Path) -> Vec<String> {
        script(given.iter().map(|word| (*word).to_owned()).collect(), project).unwrap()
    }

    #[test]
    fn a_script_is_found_where_the_sandbox_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = std::fs::canonicalize(folder.path()).unwrap();
        let project = folder.join("project");
        std::fs::create_dir(&project).unwrap();
        let (inside, outside) = (project.join("in.sh"), folder.join("out.sh"));
        std::fs::write(&inside, "echo in").unwrap();
        std::fs::write(&outside, "echo out").unwrap();
        let (inside, outside) = (inside.to_str().unwrap(), outside.to_str().unwrap());
        assert_eq!(words(&["-e", inside, "a"], &project), ["-e", "/workspace/in.sh", "a"]);
        assert_eq!(words(&[outside, "a"], &project), ["-c", "echo out", outside, "a"]);
        assert_eq!(words(&["-c", inside, "a"], &project), ["-c", inside, "a"]);
        assert_eq!(words(&["-o", "pipefail", "-c", "x"], &project), ["-o", "pipefail", "-c", "x"]);
        assert_eq!(words(&["-"], &project), ["-"]);
    }

    #[test]
    fn exit_leaves() {
        assert_eq!(exits("exit\n"), Some(None));
        assert_eq!(exits("exit 3\n"), Some(Some(3)));
        assert_eq!(exits("exits\n"), None);
        assert_eq!(exits("echo exit\n"), None);
    }
}
