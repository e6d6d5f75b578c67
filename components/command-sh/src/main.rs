//! The shell: bash's language in one instance. Small utilities are built in; every other command is a process of the host.
//!
//! The interpreter is a crate that is used in `engine.rs`, `files.rs`, `process.rs`, `stdin.rs`, `endless.rs` and `refused.rs`
//! and nowhere else, so that it can be exchanged: towards it these are a file system, a way to start commands, and limits.

mod endless;
mod engine;
mod files;
mod options;
mod process;
mod refused;
mod stdin;
#[cfg(test)]
mod table;
mod wait;

use std::io::{IsTerminal, Read};

use options::{Options, Source};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:command-sh;
            world command-sh {
                import wasi:cli/stdin@0.2.6;
                import wasi:clocks/monotonic-clock@0.2.6;
                import wardian:process/process@0.1.0;
            }
        ",
        path: [
            "../../wit/wasi-io",
            "../../wit/wasi-clocks",
            "../../wit/wasi-filesystem",
            "../../wit/wasi-random",
            "../../wit/wasi-sockets",
            "../../wit/wasi-cli",
            "../../wit/wardian-process",
        ],
        world: "wardian:command-sh/command-sh",
        generate_all,
    });
}

command_kit::program!(run);

/// Bytes of a script, which the interpreter takes in one piece.
const INPUT_BYTES_MAX: u64 = 64 << 20;

/// What POSIX has a shell say that cannot find its script.
const NOT_FOUND: i32 = 127;
const USAGE: i32 = 2;

fn run() -> i32 {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => return fail(USAGE, &message),
    };
    let (script, name) = match &options.source {
        Source::Text(script) => (script.clone(), None),
        Source::Stdin => match read_stdin() {
            // What is left for the script's commands is nothing: it was all script.
            Ok(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), None),
            Err(message) => return fail(USAGE, &message),
        },
        Source::File(path) => match std::fs::read(path) {
            Ok(bytes) => (String::from_utf8_lossy(&bytes).into_owned(), Some(path.clone())),
            Err(error) => return fail(NOT_FOUND, &format!("{path}: {error}")),
        },
    };
    if options.only_check {
        return engine::check(&script);
    }
    // A terminal is its user's, who does not know which of the built-in utilities would read from it.
    let has_stdin = !matches!(options.source, Source::Stdin) && !std::io::stdin().is_terminal();
    wait::block_on(engine::run(&script, name, has_stdin, &options))
}

fn read_stdin() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read stdin: {error}"))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(format!("a script of more than {INPUT_BYTES_MAX} bytes"));
    }
    Ok(bytes)
}

fn fail(status: i32, message: &str) -> i32 {
    eprintln!("sh: {message}");
    status
}
