//! `wardian python`: the sandboxed CPython, by itself.

use crate::Outcome;
use crate::processes::{Ground, ProcessFlags};

/// As the bundle calls it, and as programs find it in messages of theirs.
const COMMAND: &str = "python3";

#[derive(clap::Args)]
#[command(
    after_help = "The exit status is the program's; 137 where a limit ended it, 141 where nobody read its output.\n\
                  Wardian's flags come first; what follows is Python's own.\n\
                  Example: wardian python --max-seconds 10 -c 'print(6 * 7)'"
)]
pub struct Arguments {
    #[command(flatten)]
    flags: ProcessFlags,
    /// What python3 takes: -c PROGRAM, -m MODULE, FILE or -, and the program's arguments
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut argv = vec![COMMAND.to_owned()];
    argv.extend(arguments.arguments);
    Ground::new(arguments.flags, None)?.run(COMMAND, argv)
}
