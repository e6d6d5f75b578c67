//! Utilities that are no coreutils, in one component, which goes by the name that it is called.

mod cmp;
mod cpio;
mod diff;
mod dump;
mod file;
mod find;
mod pack;
mod patch;
mod zip;

use std::ffi::OsString;
use std::path::Path;

/// For find, which starts other commands.
#[cfg(target_os = "wasi")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:command-utils;
            world command-utils {
                import wardian:process/process@0.1.0;
            }
        ",
        path: ["../../wit/wasi-io", "../../wit/wasi-clocks", "../../wit/wardian-process"],
        world: "wardian:command-utils/command-utils",
        generate_all,
    });
}

use command_kit::reason;

command_kit::program!(run);

const NOT_FOUND: i32 = 127;

fn run() -> i32 {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<OsString> = arguments.collect();
    match name.as_str() {
        "cmp" => cmp::run(arguments),
        "cpio" => cpio::run(arguments),
        "diff" => diff::run(arguments),
        "file" => file::run(arguments),
        "find" => find::run(arguments),
        "hexdump" => dump::hexdump::run(arguments),
        "patch" => patch::run(arguments),
        "zip" => zip::pack::run(arguments),
        "unzip" => zip::unpack::run(arguments),
        "strings" => dump::strings::run(arguments),
        "uudecode" | "uuencode" => dump::uu::run(&name, arguments),
        "xxd" => dump::xxd::run(arguments),
        "gzip" | "gunzip" | "zcat" | "xz" | "unxz" | "xzcat" | "zstd" | "unzstd" | "zstdcat" => {
            pack::run(&name, arguments)
        }
        _ => {
            eprintln!("{name}: there is no such utility here");
            NOT_FOUND
        }
    }
}

/// An argument as text.
fn text(word: OsString) -> Result<String, String> {
    word.into_string().map_err(|_| "an argument is no text".to_owned())
}

/// The value of the option that was read last.
fn value(parser: &mut lexopt::Parser) -> Result<String, String> {
    text(parser.value().map_err(|error| error.to_string())?)
}

/// Of an option, without its dashes.
fn unsupported(name: &str) -> String {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    format!("option '{dashes}{name}' is not supported in this sandbox")
}
