//! `wardian exec`: one command, without a shell.

use std::path::Path;

use crate::Outcome;
use crate::failure::{Failure, code};
use crate::processes::{Ground, ProcessFlags};

#[derive(clap::Args)]
#[command(
    after_help = "The exit status is the command's; 137 where a limit ended it, 141 where nobody read its output.\n\
                  Example: wardian exec --max-seconds 10 ./hello.wasm --name World"
)]
pub struct Arguments {
    #[command(flatten)]
    flags: ProcessFlags,
    /// List the commands that are at hand
    #[arg(long)]
    list: bool,
    /// A command's name, or a component's file; then its arguments
    #[arg(
        value_name = "COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "list"
    )]
    argv: Vec<String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let mut argv = arguments.argv;
    if arguments.list {
        let ground = Ground::new(arguments.flags, None)?;
        for found in ground.commands.all() {
            say!("{:<16} {}", found.name, found.component);
        }
        ground.close();
        return Ok(code::DONE);
    }
    let Some(given) = argv.first().cloned() else { return Err(Failure::usage("there is no command")) };
    let file = Path::new(&given);
    let is_file = file.extension().is_some_and(|extension| extension == "wasm") || given.contains('/');
    if is_file {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        argv[0] = stem.strip_prefix("command-").unwrap_or(&stem).to_owned();
    }
    let name = argv[0].clone();
    Ground::new(arguments.flags, is_file.then_some(file))?.run(&name, argv)
}
