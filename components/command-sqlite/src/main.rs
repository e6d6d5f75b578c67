//! `sqlite3`: SQLite's own shell. Here is only what a program for the sandbox needs besides.

command_kit::program!(run);

#[cfg(target_os = "wasi")]
fn run() -> i32 {
    use std::ffi::{CString, c_char, c_int};

    unsafe extern "C" {
        /// `main` of SQLite's shell.c.
        fn wardian_sqlite_main(count: c_int, arguments: *mut *mut c_char) -> c_int;
    }

    // What has a zero byte in it cannot have come from a command line.
    let arguments: Vec<CString> =
        std::env::args_os().map(|argument| CString::new(argument.into_encoded_bytes()).unwrap_or_default()).collect();
    let mut pointers: Vec<*mut c_char> = arguments.into_iter().map(CString::into_raw).collect();
    let count = pointers.len() as c_int;
    pointers.push(std::ptr::null_mut());
    // SAFETY: as C promises `main`: so many strings, which are never freed, and a null pointer after them.
    unsafe { wardian_sqlite_main(count, pointers.as_mut_ptr()) }
}

#[cfg(not(target_os = "wasi"))]
fn run() -> i32 {
    eprintln!("sqlite3: this program is for the sandbox alone");
    1
}
