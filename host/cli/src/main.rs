//! `wardian`: a sealed case for AI agents, on the command line.
//!
//! One file for each command in `command/`. This binary reads settings, environment and terminal; what an agent may do
//! and what happens to it is decided in components and in `wardian-host`.

/// Writes a line to stdout. A reader who went away has had enough: no reason to fail, let alone to panic.
macro_rules! say {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($argument)*);
    }};
}

mod case;
mod command;
mod embedded;
mod failure;
mod home;
mod model;
mod net;
mod pending;
mod processes;
mod provider_net;
mod review;
mod search;
mod serve;
mod settings;
mod show;
mod terminal;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

#[derive(Parser)]
#[command(
    name = "wardian",
    version,
    about = "A sealed case for AI agents: agent, tools and shell are WebAssembly components",
    after_help = "Without a command: a conversation about the project in this folder.\n\
                  Example: wardian run -m demo",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    repl: command::repl::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Give the agent one task
    Run(command::run::Arguments),
    /// List what a session changed
    Changes(command::changes::Arguments),
    /// Show how a session changed it
    Diff(command::diff::Arguments),
    /// Apply changes to the project: all of them, or none
    Commit(command::commit::Arguments),
    /// Drop changes
    Discard(command::discard::Arguments),
    /// Take the last commit back
    Undo(command::undo::Arguments),
    /// List the sessions
    Sessions(command::sessions::Arguments),
    /// Show a session's journal, or verify it
    Log(command::log::Arguments),
    /// Run a session again from its journal, offline, and compare
    Replay(command::replay::Arguments),
    /// List the tools and the powers that they need
    Tools(command::tools::Arguments),
    /// Call one tool and print its result
    Call(command::call::Arguments),
    /// Run a script in the sandboxed shell, or work in it line by line
    Sh(command::sh::Arguments),
    /// Run one command in the sandbox
    Exec(command::exec::Arguments),
    /// Run the sandboxed CPython
    Python(command::python::Arguments),
    /// Serve the page: the same agent in a browser, on this machine alone
    Serve(command::serve::Arguments),
    /// Compose components into one, as a .wac file says
    Compose(command::compose::Arguments),
    /// Show a component's imports (its powers), exports and digest
    Inspect(command::inspect::Arguments),
    /// Say what is installed, what is missing, what to type
    Doctor(command::doctor::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let result = match arguments.command {
        None => command::repl::run(arguments.repl),
        Some(Command::Run(arguments)) => command::run::run(arguments),
        Some(Command::Changes(arguments)) => command::changes::run(arguments),
        Some(Command::Diff(arguments)) => command::diff::run(arguments),
        Some(Command::Commit(arguments)) => command::commit::run(arguments),
        Some(Command::Discard(arguments)) => command::discard::run(arguments),
        Some(Command::Undo(arguments)) => command::undo::run(arguments),
        Some(Command::Sessions(arguments)) => command::sessions::run(arguments),
        Some(Command::Log(arguments)) => command::log::run(arguments),
        Some(Command::Replay(arguments)) => command::replay::run(arguments),
        Some(Command::Tools(arguments)) => command::tools::run(arguments),
        Some(Command::Call(arguments)) => command::call::run(arguments),
        Some(Command::Sh(arguments)) => command::sh::run(arguments),
        Some(Command::Exec(arguments)) => command::exec::run(arguments),
        Some(Command::Python(arguments)) => command::python::run(arguments),
        Some(Command::Serve(arguments)) => command::serve::run(arguments),
        Some(Command::Compose(arguments)) => command::compose::run(arguments),
        Some(Command::Inspect(arguments)) => command::inspect::run(arguments),
        Some(Command::Doctor(arguments)) => command::doctor::run(arguments),
    };
    let code = match result {
        Ok(code) => code,
        Err(failure) => {
            failure.print(std::io::stderr().is_terminal());
            failure.code
        }
    };
    // Not by returning: a thread that hangs in a system call of an ended tool must not hold up the exit.
    std::process::exit(i32::from(code))
}

/// What a command returns: its exit status.
type Outcome = Result<u8, Failure>;

/// Runs a command that needs the asynchronous host.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .max_blocking_threads(256)
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}
