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
use std::path::{Path, PathBuf};

use command_kit::reason;

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

/// Opens what is to be written. The devices are meant by their names, whatever there is below `/dev`.
fn create(path: &Path, appends: bool) -> std::io::Result<Box<dyn std::io::Write>> {
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

/// The first of `a`, `a.1`, `a.2`, … that is free.
fn free(path: &Path) -> std::io::Result<PathBuf> {
    let mut tried = path.to_owned();
    for number in 1..=1000 {
        if !tried.try_exists()? {
            return Ok(tried);
        }
        tried = PathBuf::from(format!("{}.{number}", path.display()));
    }
    Err(std::io::Error::other("there are too many files of that name"))
}
