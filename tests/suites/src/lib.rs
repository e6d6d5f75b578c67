//! Helpers for tests and benchmarks that drive what was built.
//!
//! Nothing here knows how Wardian works inside: it starts the binary, looks at exit status and output, and reads the
//! journal with code of its own. Only `overlay` uses the host as a library, because a process for each step would take hours.

pub mod compact;
pub mod dist;
pub mod dns;
pub mod download;
/// The guests' own: what runs in a sandbox there is the plain model here.
#[path = "../../guests/src/files.rs"]
pub mod files;
pub mod journal;
pub mod models;
pub mod net;
pub mod overlay;
pub mod process;
pub mod random;
pub mod synthetic;
#[cfg(unix)]
pub mod terminal;
pub mod tree;
pub mod world;
