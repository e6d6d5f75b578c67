//! What a component is, before it runs: whether its bytes are one, what they are called (a digest), which powers they
//! ask for (their imports), and how several of them become one (a composition).
//!
//! Nothing here runs a component, prints, or reads a file that its caller did not name.

mod compose;
mod inspect;
mod pack;
mod plug;

pub use compose::{compose, compose_file};
pub use inspect::{Inspection, digest, inspect, validate};
pub use pack::{pack, unpack};
pub use plug::{plug, plug_key};

use std::path::PathBuf;

/// Why bytes are no component, or components do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are WebAssembly, but a core module.
    #[error("a core module, not a component: build it for wasm32-wasip2")]
    CoreModule,
    /// The bytes are no WebAssembly, or break its rules.
    #[error("not a valid component: {message} (at byte {offset:#x})")]
    Invalid {
        /// The rule that is broken.
        message: String,
        /// Where in the bytes.
        offset: usize,
    },
    /// The composition's source is wrong, or asks for what its packages do not offer.
    #[error("{line}:{column}: {message}")]
    Compose {
        /// Counts from 1.
        line: usize,
        /// Counts from 1, in characters.
        column: usize,
        /// What is wrong, and its cause.
        message: String,
    },
    /// The tool and the workspace do not fit together.
    #[error("{import}: {message}")]
    Plug {
        /// Of the tool.
        import: String,
        /// Why the workspace is no answer to it.
        message: String,
    },
    /// A file that the caller named cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What is wrong with one of several files.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<Error>,
    },
}
