//! `wasi:filesystem/preopens`: one root, or its directories with the current one.

use crate::Component;
use crate::descriptor::Handle;
use crate::exports::wasi::filesystem::preopens::{Descriptor, Guest};
use crate::exports::wasi::filesystem::types::GuestDescriptor;
use crate::layer;
use crate::wardian::host::start;
use crate::wasi::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

/// Those that programs need by absolute paths.
const ABSOLUTE: [&str; 3] = ["/workspace", "/tmp", "/dev"];

impl Guest for Component {
    /// Nothing where the host lent no files.
    fn get_directories() -> Vec<(Descriptor, String)> {
        if layer::with(|_| Ok(())).is_err() {
            return Vec::new();
        }
        let root = || vec![(Descriptor::new(Handle::Root), "/".to_owned())];
        let Some(current) = start::directory().and_then(|path| directory(&path)) else { return root() };
        // To libc, names that begin with a slash and those that do not are the same thing, and the longest preopened one
        // wins: with a root it could never tell the current directory from it.
        let absolute = ABSOLUTE.iter().filter_map(|path| Some((directory(path)?, (*path).to_owned())));
        absolute.chain([(current, ".".to_owned())]).collect()
    }
}

fn directory(path: &str) -> Option<Descriptor> {
    let path = path.trim_start_matches('/');
    if path.is_empty() {
        return None;
    }
    let write = Handle::Root.get_flags().ok()? & DescriptorFlags::MUTATE_DIRECTORY;
    let flags = DescriptorFlags::READ | write;
    Handle::Root.open_at(PathFlags::SYMLINK_FOLLOW, path.to_owned(), OpenFlags::DIRECTORY, flags).ok()
}
