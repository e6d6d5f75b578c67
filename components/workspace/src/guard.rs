//! What programs in the workspace must not see or change.

use crate::layer::Workspace;
use crate::wasi::filesystem::types::ErrorCode;

/// What of the project is build output.
pub struct Ignores {}

impl Ignores {
    pub fn is_ignored(&mut self, _workspace: &mut Workspace, path: &str, _is_directory: bool) -> Result<bool, ErrorCode> {
        Ok(path.split('/').any(|name| name == "target"))
    }
}

impl Workspace {
    pub fn ignores(&self) -> Ignores {
        Ignores {}
    }
}

/// The rules of one workspace.
pub struct Rules {}

impl Rules {
    pub const BYTES_MAX: usize = 64 << 10;

    pub fn parse(_ignore: &[u8]) -> Self {
        Self {}
    }

    pub fn is_hidden(&self, path: &str) -> bool {
        path.split('/').any(|name| name == ".git")
    }

    pub fn is_hidden_name(&self, _path: &str, name: &str) -> bool {
        name == ".git"
    }

    pub fn is_read_only(&self, path: &str) -> bool {
        path == ".wardianignore"
    }
}
