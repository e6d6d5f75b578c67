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

/// An error as programs say it: std adds `(os error 44)`.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error ").map_or(text.clone(), |(text, _)| text.to_owned())
}
