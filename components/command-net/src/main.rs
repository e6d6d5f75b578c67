//! curl and wget, in one component, which goes by the name that it is called.
//!
//! What may be asked of whom is decided by the host, at each hop: see docs/netfetch.md. Both walk along redirects by
//! themselves, so that what they show of each hop, and when they stop, is as their users know it.

mod content;
mod curl;
mod exchange;
mod place;
mod wget;

use std::ffi::OsString;
use std::path::Path;

command_kit::program!(run);

const NOT_FOUND: i32 = 127;

fn run() -> i32 {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<OsString> = arguments.collect();
    match name.as_str() {
        "curl" => curl::run(arguments),
        "wget" => wget::run(arguments),
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

/// Opens what is to be written. The devices are meant by their names, whatever there is below `/dev`.
fn create(path: &std::path::Path, appends: bool) -> std::io::Result<Box<dyn std::io::Write>> {
    Ok(match path.to_str() {
        Some("/dev/null") => Box::new(std::io::sink()),
        Some("/dev/stdout") => Box::new(std::io::stdout()),
        Some("/dev/stderr") => Box::new(std::io::stderr()),
        _ => {
            let mut how = std::fs::OpenOptions::new();
            how.write(true).create(true).append(appends).truncate(!appends);
            Box::new(how.open(path)?)
        }
    })
}
