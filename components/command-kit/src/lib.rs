//! What a command in Rust needs besides std.
//!
//! A command is any program for wasm32-wasip2. Two things std does not do there by itself, and [`program!`] does: an exit
//! status other than 0 or 1 arrives as 1, and relative paths start at the root rather than in the current directory.

pub mod links;
#[cfg(all(feature = "listing", target_os = "wasi"))]
pub mod listing;
#[cfg(feature = "modes")]
pub mod modes;

#[doc(hidden)]
#[cfg(target_os = "wasi")]
pub use wasip2;

/// Makes a program of a function: `command_kit::program!(run);` with `fn run() -> i32`, whose answer is the exit status.
///
/// Stands in `main.rs` in place of `fn main`. Anything else may call `std::process::exit`, too.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        fn main() {
            $crate::start_in_the_current_directory();
            let status: i32 = $run();
            ::std::process::exit(status)
        }

        /// In place of libc's, through which every exit goes: it knows success and failure only.
        #[cfg(target_os = "wasi")]
        #[unsafe(no_mangle)]
        pub extern "C" fn _Exit(status: i32) -> ! {
            $crate::exit(status)
        }
    };
}

/// What a program goes on with after its arguments were read, or the status that it ends with: 0 after its help was asked
/// for (none), which is printed; `failure` after a line on stderr that says what is wrong.
pub fn options<T>(name: &str, help: &str, failure: i32, read: Result<Option<T>, String>) -> Result<T, i32> {
    match read {
        Ok(Some(options)) => Ok(options),
        Ok(None) => {
            print!("{help}");
            Err(0)
        }
        Err(message) => {
            eprintln!("{name}: {message}\nTry '{name} --help' for more information.");
            Err(failure)
        }
    }
}

/// An error as programs say it: std adds `(os error 44)`.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error ").map_or(text.clone(), |(text, _)| text.to_owned())
}

/// Ends the program with the lower eight bits of a status, as systems do.
#[cfg(target_os = "wasi")]
pub fn exit(status: i32) -> ! {
    wasip2::cli::exit::exit_with_code(status as u8);
    // The host does not return from it.
    std::process::abort()
}

/// Makes relative paths start where the program was started. Elsewhere than under WASI they do so already.
pub fn start_in_the_current_directory() {
    #[cfg(target_os = "wasi")]
    if let Some(directory) = wasip2::cli::environment::initial_cwd() {
        // One that is gone leaves the root; what is looked for there is not found, and that is said.
        let _ = std::env::set_current_dir(directory);
    }
}
