//! ripgrep, as its author wrote it, and grep over the same crates.
//!
//! Of ripgrep, here is only what a program for the sandbox needs besides; build.rs says where the rest is from.

// ripgrep has rules of its own; what is ours is in `gnu`, which has these.
#![allow(clippy::collapsible_if, clippy::needless_borrow, clippy::unnecessary_mut_passed, clippy::write_with_newline)]
#![allow(unused_mut)]

mod gnu;

include!(concat!(env!("OUT_DIR"), "/ripgrep.rs"));

command_kit::program!(status);

fn status() -> i32 {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let name = std::path::Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    if matches!(name.as_str(), "grep" | "egrep" | "fgrep") {
        return gnu::run(&name, arguments.collect());
    }
    // 0 found, 1 not found, 2 something failed.
    let code = ripgrep();
    (0..2).find(|status| code == ExitCode::from(*status)).map_or(2, i32::from)
}
