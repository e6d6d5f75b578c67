//! Where the built things are.

use std::env;
use std::path::{Path, PathBuf};

/// The workspace.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("tests/suites is two folders deep").to_owned()
}

/// `dist/`, or what `WARDIAN_DIST` names.
pub fn folder() -> PathBuf {
    env::var_os("WARDIAN_DIST").map_or_else(|| root().join("dist"), PathBuf::from)
}

/// Something in `dist/`.
pub fn built(name: &str) -> PathBuf {
    let path = folder().join(name);
    assert!(path.is_file(), "there is no {}: run cargo xtask build", path.display());
    path
}

/// The binary under test.
pub fn wardian() -> PathBuf {
    built("wardian")
}

/// The component with the tools that misbehave.
pub fn guests() -> String {
    built("tests/guests.wasm").display().to_string()
}
