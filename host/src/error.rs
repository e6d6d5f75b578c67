//! What can go wrong in the host itself.

use std::path::PathBuf;

/// A failure of the host or of what it was given; failures of a tool's code are [`crate::wit::Fault`]s.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine cannot be set up on this machine.
    #[error("cannot set up the WebAssembly engine")]
    Engine(#[source] wasmtime::Error),
    /// The system lets no thread start that limits on time need.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The bytes are no component that this host can run.
    #[error("cannot compile component {name}")]
    Compile {
        /// Its name.
        name: String,
        /// What the compiler says.
        #[source]
        source: wasmtime::Error,
    },
    /// The tool cannot be composed with the workspace.
    #[error("cannot put component {name} into the workspace: {reason}")]
    Compose {
        /// Its name.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// It needs something that this host does not lend.
    #[error("cannot link component {name}")]
    Link {
        /// Its name.
        name: String,
        /// The import that is missing.
        #[source]
        source: wasmtime::Error,
    },
    /// The network policy is malformed, or cannot be enforced.
    #[error("{0}")]
    Policy(String),
    /// It needs a power that it does not ask for.
    #[error("component {name} imports {import}, but none of its tools asks for the power `{power}`")]
    Power {
        /// Its name.
        name: String,
        /// What it imports.
        import: String,
        /// The power.
        power: &'static str,
    },
    /// A file or folder of the host's own.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The agent's code broke. The journal is whole; the session can be resumed.
    #[error("the agent's code broke: {0}")]
    AgentTrapped(String),
    /// The agent did not stop when it was told to, and was ended.
    #[error("the agent was ended")]
    AgentEnded,
    /// A tool component answers wrongly when it is asked for its tools.
    #[error("component {name} cannot list its tools: {reason}")]
    Describe {
        /// Its name.
        name: String,
        /// What went wrong.
        reason: String,
    },
}
