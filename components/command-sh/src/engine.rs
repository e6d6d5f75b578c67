//! The interpreter, set up for here: its files, its commands, its limits.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bashkit::{
    Bash, Error, ExecOptions, ExecutionExtensions, ExecutionLimits, MemoryLimits, PosixFs, SessionLimits,
    SnapshotOptions,
};
use futures_util::future::{Either, select};

use crate::bindings::wardian::process::process as host;
use crate::endless::Yes;
use crate::files::Files;
use crate::options::Options;
use crate::process::{Ends, Process};
use crate::refused::{LEFT_OUT, Refusals};
use crate::stdin;

/// A script's time is bounded by whoever starts the shell: the limits of its process.
const NO_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);

/// The machine's own is not the sandbox's business.
const HOST_NAME: &str = "wardian";

/// Functions and sourced files in each other. The stack that a process has is enough for it: see build.rs.
const DEPTH_MAX: usize = 300;

/// Bytes of variables, and of what is under way in pipes and substitutions.
const VARIABLE_BYTES_MAX: usize = 64 << 20;
const LIVE_BYTES_MAX: u64 = 256 << 20;

/// Commands that bash itself has a status for: a limit of the shell was reached.
const LIMIT: i32 = 137;
const SYNTAX: i32 = 2;
const FAILURE: i32 = 1;

/// Utilities that are better as processes, where there is one: those that get through much data, which the interpreter
/// would hold in memory, and those whose built-in form stops early or knows fewer options. See docs/shell.md.
pub const AS_PROCESSES: &[&str] = &[
    "awk",
    "b2sum",
    "base32",
    "base64",
    "basenc",
    "cat",
    "cksum",
    "cmp",
    "comm",
    "cp",
    "cut",
    "date",
    "dd",
    "diff",
    "dir",
    "egrep",
    "expand",
    "expr",
    "fgrep",
    "file",
    "find",
    "fmt",
    "fold",
    "grep",
    "gunzip",
    "gzip",
    "hexdump",
    "join",
    "jq",
    "ln",
    "ls",
    "md5sum",
    "mv",
    "nl",
    "numfmt",
    "od",
    "paste",
    "patch",
    "pr",
    "python",
    "python3",
    "realpath",
    "rg",
    "rm",
    "seq",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shuf",
    "sort",
    "split",
    "stat",
    "strings",
    "sum",
    "tar",
    "tee",
    "touch",
    "tr",
    "truncate",
    "tsort",
    "unexpand",
    "uniq",
    "unzip",
    "wc",
    "xxd",
    "yes",
    "zip",
];

/// Whether a command that a component has runs as a process, or inside although there is one.
pub fn runs_as_process(name: &str, is_built_in: bool) -> bool {
    !is_built_in || AS_PROCESSES.contains(&name) || LEFT_OUT.contains(&name)
}

fn limits() -> ExecutionLimits {
    let mut limits = ExecutionLimits::new()
        .max_work_units(u64::MAX)
        .max_aggregate_input_bytes(u64::MAX)
        .max_live_intermediate_bytes(LIVE_BYTES_MAX)
        .max_background_jobs(64)
        .max_commands(usize::MAX)
        .max_loop_iterations(usize::MAX)
        .max_total_loop_iterations(usize::MAX)
        .max_function_depth(DEPTH_MAX)
        .timeout(NO_TIMEOUT)
        .parser_timeout(Duration::from_secs(30))
        .max_input_bytes(64 << 20)
        .max_parser_operations(50_000_000)
        .max_stdout_bytes(1 << 30)
        .max_stderr_bytes(1 << 30)
        .max_word_split_fields(2_000_000)
        .max_word_split_bytes(VARIABLE_BYTES_MAX);
    limits.capture_final_env = false;
    limits
}

fn memory() -> MemoryLimits {
    MemoryLimits::new()
        .max_variable_count(100_000)
        .max_total_variable_bytes(VARIABLE_BYTES_MAX)
        .max_array_entries(2_000_000)
        .max_function_count(10_000)
        .max_function_body_bytes(16 << 20)
}

fn shell() -> Bash {
    let cwd = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let mut shell = Bash::builder()
        .fs(Arc::new(PosixFs::new(Files)))
        .cwd(cwd)
        .limits(limits())
        .session_limits(SessionLimits::unlimited())
        .memory_limits(memory())
        .builtin_filter(|name| !LEFT_OUT.contains(&name))
        .command("yes", Yes)
        .hostname(HOST_NAME)
        .command_resolver(Arc::new(Refusals));
    for (name, value) in std::env::vars() {
        shell = shell.env(name, value);
    }
    let commands = host::commands();
    if !commands.is_empty() {
        let built_in = Bash::new().builtin_names();
        for command in commands {
            let name = command.name.as_str();
            if runs_as_process(name, built_in.iter().any(|known| known == name)) {
                shell = shell.command(command.name, Process);
            }
        }
    }
    shell.build()
}

/// Runs a script and gives its status.
pub async fn run(script: &str, file: Option<String>, has_stdin: bool, options: &Options) -> i32 {
    let mut shell = shell();
    if let Some(state) = &options.state
        && let Ok(bytes) = std::fs::read(state)
        && let Err(error) = shell.restore_snapshot(&bytes)
    {
        eprintln!("sh: the state in {state} is not used: {error}");
    }
    for (name, value) in &options.env {
        shell.set_env(name, value);
    }
    if let Some(directory) = &options.directory {
        // As an argument: a name is never read as a script.
        let there = ExecOptions::new().positional([directory.clone()]);
        match shell.execute("cd -- \"$1\"").options(there).capture(4096).await {
            Ok(result) if result.exit_code == 0 => {}
            Ok(result) => {
                eprint!("{}", String::from_utf8_lossy(result.stderr.as_bytes()));
                return FAILURE;
            }
            Err(error) => {
                eprintln!("sh: cannot go to {directory}: {error}");
                return FAILURE;
            }
        }
    }
    if !options.set.is_empty() {
        let set = format!("set {}", options.set.join(" "));
        if let Err(error) = shell.execute(&set).await {
            eprintln!("sh: {error}");
            return SYNTAX;
        }
    }
    // On the script's first line: its lines keep their numbers.
    let begun = (options.status != 0).then(|| format!("(exit {}); {script}", options.status));
    let script = begun.as_deref().unwrap_or(script);
    let name = options.name.clone().or(file).unwrap_or_else(|| "sh".to_owned());
    let mut invocation = ExecOptions::new().arg0(name).positional(options.arguments.iter().cloned());
    let (requests, answer) = stdin::standard();
    // The interpreter as published knows no input that comes while a script runs: this is a change of ours.
    // Likewise that processes may be connected to each other.
    let extensions = ExecutionExtensions::new().with(Ends::default());
    invocation = match has_stdin {
        true => invocation.extensions(extensions.with(requests)),
        false => invocation.extensions(extensions).stdin(Vec::new()),
    };
    let result = {
        let execution = async {
            shell
                .execute(script)
                .options(invocation)
                .stdout_fn(|bytes| async move { Ok(std::io::stdout().write_all(&bytes)?) })
                .stderr_fn(|bytes| async move { Ok(std::io::stderr().write_all(&bytes)?) })
                .await
        };
        match select(pin!(execution), pin!(answer)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), execution)) => execution.await,
        }
    };
    let _ = std::io::stdout().flush();
    let status = match result {
        Ok(result) => result.exit_code,
        Err(error) => {
            eprintln!("sh: {error}");
            match error {
                Error::Parse { .. } => SYNTAX,
                Error::ResourceLimit(_) => LIMIT,
                _ => FAILURE,
            }
        }
    };
    if let Some(state) = &options.state {
        keep(&shell, state);
    }
    status
}

/// Writes the state beside the file first: whoever reads it finds the old or the new one. Each shell has a name of its own for
/// that: two calls may end at once.
fn keep(shell: &Bash, state: &str) {
    let snapshot = SnapshotOptions { exclude_filesystem: true, exclude_functions: false };
    let written = shell.snapshot_with_options(snapshot).map_err(|error| error.to_string()).and_then(|bytes| {
        // Drawn anew for each.
        let beside = format!("{state}.{:016x}", RandomState::new().hash_one(()));
        let moved = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, state));
        moved.map_err(|error| {
            let _ = std::fs::remove_file(&beside);
            error.to_string()
        })
    });
    if let Err(error) = written {
        eprintln!("sh: the state cannot be kept in {state}: {error}");
    }
}

/// 0: a script. 1: its rest is missing. 2: none.
pub fn check(script: &str) -> i32 {
    match Bash::new().analyze(script) {
        Ok(_) => 0,
        Err(error) => {
            let message = error.to_string().to_lowercase();
            let is_open = ["unterminated", "unclosed", "end of file", "unexpected end", "eof"];
            if is_open.iter().any(|word| message.contains(word)) {
                return 1;
            }
            eprintln!("sh: {error}");
            SYNTAX
        }
    }
}
