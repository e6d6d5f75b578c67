//! `wasi:filesystem/preopens`: one root.

use crate::Component;
use crate::descriptor::Handle;
use crate::exports::wasi::filesystem::preopens::{Descriptor, Guest};
use crate::layer;

impl Guest for Component {
    /// Nothing where the host lent no files.
    fn get_directories() -> Vec<(Descriptor, String)> {
        match layer::with(|_| Ok(())) {
            Ok(()) => vec![(Descriptor::new(Handle::Root), "/".to_owned())],
            Err(_) => Vec::new(),
        }
    }
}
