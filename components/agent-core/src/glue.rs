//! What `std` would have brought: an allocator and an end for panics.

#[cfg(target_arch = "wasm32")]
mod wasm {
    #[global_allocator]
    static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }

    /// How the host puts strings and lists into this memory (canonical ABI).
    ///
    /// # Safety
    /// `old` with `old_bytes` is null or came from here, with the same `align`.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn cabi_realloc(old: *mut u8, old_bytes: usize, align: usize, new_bytes: usize) -> *mut u8 {
        use alloc::alloc::{Layout, alloc, realloc};
        if new_bytes == 0 {
            return core::ptr::without_provenance_mut(align);
        }
        let pointer = unsafe {
            if old_bytes == 0 {
                alloc(Layout::from_size_align_unchecked(new_bytes, align))
            } else {
                realloc(old, Layout::from_size_align_unchecked(old_bytes, align), new_bytes)
            }
        };
        if pointer.is_null() {
            core::arch::wasm32::unreachable()
        }
        pointer
    }

    // memcmp and its kin come from the C library that belongs to the target.
    #[link(name = "c")]
    unsafe extern "C" {}
}
