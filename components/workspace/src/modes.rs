//! `wardian:workspace/modes`: permission bits.

use crate::Component;
use crate::descriptor::Handle;
use crate::exports::wardian::workspace::modes::{DescriptorBorrow, ErrorCode, Guest, PathFlags};

impl Guest for Component {
    fn get(directory: DescriptorBorrow<'_>, flags: PathFlags, path: String) -> Result<Option<u32>, ErrorCode> {
        directory.get::<Handle>().mode_at(flags, &path)
    }

    fn set(directory: DescriptorBorrow<'_>, flags: PathFlags, path: String, mode: u32) -> Result<(), ErrorCode> {
        directory.get::<Handle>().set_mode_at(flags, &path, mode)
    }
}
