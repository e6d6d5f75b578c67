//! Helpers for tests and benchmarks that drive what was built.
//!
//! Nothing here knows how Wardian works inside: it starts the binary, looks at exit status and output, and reads the
//! journal with code of its own.

pub mod compact;
pub mod dist;
pub mod download;
pub mod journal;
pub mod models;
pub mod net;
pub mod process;
pub mod synthetic;
#[cfg(unix)]
pub mod terminal;
pub mod tree;
pub mod world;
