//! Commands that find starts.

use std::path::{Path, PathBuf};

/// Bytes of arguments that one command gets, within what the host takes.
const BATCH_BYTES_MAX: usize = 128 << 10;

/// Files for one command.
#[derive(Default)]
pub struct Batch<'a> {
    words: &'a [String],
    folder: Option<PathBuf>,
    files: Vec<String>,
    bytes: usize,
}

impl<'a> Batch<'a> {
    /// Whether what is there belongs to another folder.
    pub fn is_other(&self, folder: Option<&Path>) -> bool {
        !self.files.is_empty() && self.folder.as_deref() != folder
    }

    /// True: that was as much as one command gets.
    pub fn add(&mut self, words: &'a [String], folder: Option<PathBuf>, file: String) -> bool {
        self.words = words;
        self.folder = folder;
        self.bytes += file.len() + 1;
        self.files.push(file);
        self.bytes >= BATCH_BYTES_MAX
    }

    /// Starts the command for what there is. False if it failed.
    pub fn end(&mut self) -> bool {
        if self.files.is_empty() {
            return true;
        }
        let files = std::mem::take(&mut self.files);
        self.bytes = 0;
        run(self.words.iter().cloned().chain(files).collect(), self.folder.as_deref())
    }
}

/// True: it ended with 0.
#[cfg(target_os = "wasi")]
pub fn run(words: Vec<String>, folder: Option<&Path>) -> bool {
    use crate::bindings::wardian::process::process::{
        self, Command, Input, Killed, Limits, Output, SpawnError, Status,
    };

    let name = words[0].clone();
    let here = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let cwd = folder.map_or_else(|| here.clone(), |folder| here.join(folder)).to_string_lossy().into_owned();
    // What is no command of its own is one of the shell's; so is what does not look like a name.
    let argv = match process::lookup(&name) {
        Some(_) => words,
        None => ["sh", "-c", "\"$@\"", "find"].into_iter().map(str::to_owned).chain(words).collect(),
    };
    let started = process::spawn(Command {
        argv,
        env: std::env::vars().collect(),
        cwd,
        stdin: Input::Null,
        stdout: Output::Inherit,
        stderr: Output::Inherit,
        limits: Limits { wall_ms_max: None, cpu_ms_max: None, memory_bytes_max: None, output_bytes_max: None },
    });
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            let why = match error {
                SpawnError::NotFound => "No such file or directory".to_owned(),
                SpawnError::NotPermitted(name) => format!("not permitted: the grant lacks process:{name}"),
                SpawnError::TooMany(max) => format!("{max} processes run already or are nested so deep"),
                SpawnError::Invalid(why) | SpawnError::Broken(why) => why,
            };
            eprintln!("find: ‘{name}’: {why}");
            return false;
        }
    };
    child.subscribe().block();
    match child.exit().map(|exit| exit.status) {
        Some(Status::Exited(status)) => status == 0,
        Some(Status::Killed(Killed::Pipe)) | None => false,
        Some(Status::Killed(Killed::Killed)) => {
            eprintln!("find: ‘{name}’ was killed");
            false
        }
        Some(Status::Killed(Killed::Limit(limit))) => {
            eprintln!("find: ‘{name}’ was killed: {} reached ({})", limit.name.replace('-', "_"), limit.at);
            false
        }
        Some(Status::Killed(Killed::Trapped(why) | Killed::Host(why))) => {
            eprintln!("find: ‘{name}’ was killed: {why}");
            false
        }
    }
}

/// The same where there are processes of the system: for tests.
#[cfg(not(target_os = "wasi"))]
pub fn run(words: Vec<String>, folder: Option<&Path>) -> bool {
    let mut command = std::process::Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder.unwrap_or(Path::new(".")));
    command.status().is_ok_and(|status| status.success())
}
