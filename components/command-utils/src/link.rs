//! Symbolic links, which std cannot make under WASI.

use std::io;
use std::path::Path;

/// # Errors
/// As systems have them.
#[cfg(unix)]
pub fn make(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// # Errors
/// As systems have them.
#[cfg(target_os = "wasi")]
pub fn make(target: &Path, link: &Path) -> io::Result<()> {
    use std::ffi::{CString, c_char, c_int};
    unsafe extern "C" {
        fn symlink(target: *const c_char, link: *const c_char) -> c_int;
    }
    let text = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).map_err(io::Error::other);
    let (target, link) = (text(target)?, text(link)?);
    // SAFETY: both are strings that end in a zero byte and outlive the call.
    match unsafe { symlink(target.as_ptr(), link.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
