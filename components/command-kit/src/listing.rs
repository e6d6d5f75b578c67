//! Directories listed without the inode number of each entry.
//!
//! libc's `readdir` asks the host for a hash of every entry's metadata, to give it as `d_ino`. That is a question about
//! each file, as costly as opening it, and most programs never look at the answer. A program that has this feature on,
//! and whose build script tells the linker to [wrap](https://sourceware.org/binutils/docs/ld/Options.html) the two
//! functions, gets 0 there. What `stat` says is not touched.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether libc is in `readdir`.
static LISTING: AtomicBool = AtomicBool::new(false);

#[allow(missing_docs, reason = "libc's own; the linker's names for what it wraps")]
unsafe extern "C" {
    fn __real_readdir(directory: *mut c_void) -> *mut c_void;
    fn __real_filesystem_method_descriptor_metadata_hash_at(
        descriptor: i32,
        flags: u8,
        path: *const c_void,
        hash: *mut [u64; 2],
        error: *mut u8,
    ) -> bool;
}

/// Stands in for `readdir`.
///
/// # Safety
/// As that of `readdir`: an open directory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_readdir(directory: *mut c_void) -> *mut c_void {
    LISTING.store(true, Ordering::Relaxed);
    // SAFETY: whoever calls this believes to call that.
    let entry = unsafe { __real_readdir(directory) };
    LISTING.store(false, Ordering::Relaxed);
    entry
}

/// Stands in for libc's binding of `descriptor.metadata-hash-at`.
///
/// # Safety
/// As that of the binding: pointers that it can read and write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __wrap_filesystem_method_descriptor_metadata_hash_at(
    descriptor: i32,
    flags: u8,
    path: *const c_void,
    hash: *mut [u64; 2],
    error: *mut u8,
) -> bool {
    if LISTING.load(Ordering::Relaxed) {
        // SAFETY: libc gives room for one.
        unsafe { hash.write([0; 2]) };
        return true;
    }
    // SAFETY: whoever calls this believes to call that.
    unsafe { __real_filesystem_method_descriptor_metadata_hash_at(descriptor, flags, path, hash, error) }
}
