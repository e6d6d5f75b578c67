//! What the user is told when a command fails, and the exit status that goes with it.

use wardian_host::Error;
use wardian_host::wit::OpenError;

/// The exit statuses, as `wardian --help` and the documentation promise them.
pub mod code {
    pub const DONE: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const REFUSED: u8 = 3;
    pub const CONFLICT: u8 = 4;
    pub const INTEGRITY: u8 = 5;
    pub const CANCELLED: u8 = 130;
    /// Of a process that was run for the user and told to end.
    pub const TERMINATED: u8 = 143;
}

#[derive(Debug)]
pub struct Failure {
    pub code: u8,
    message: String,
    /// What to do about it, on a line of its own.
    hint: Option<String>,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(code::FAILED, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(code::USAGE, message)
    }

    pub fn integrity(message: impl Into<String>) -> Self {
        Self::new(code::INTEGRITY, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(code::CONFLICT, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(code::REFUSED, message)
    }

    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(code::CANCELLED, message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the status that programs of this kind have for it.
    pub fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The message alone.
    pub fn text(&self) -> String {
        self.message.clone()
    }

    pub fn print(&self, color: bool) {
        let (red, reset) =
            if color && std::env::var_os("NO_COLOR").is_none() { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
        eprintln!("{red}error:{reset} {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !message.contains(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        match error {
            Error::AgentTrapped(_) | Error::AgentEnded => {
                Self::failed(message).hint("the session is whole: go on with `wardian run --continue`")
            }
            _ => Self::failed(message),
        }
    }
}

/// A session that cannot be opened.
pub fn open_failure(session: &str, error: OpenError) -> Failure {
    match error {
        OpenError::Damaged(damage) => Failure::integrity(format!(
            "the journal of {session} is damaged at line {}: {}",
            damage.line, damage.reason
        ))
        .hint(format!("it can still be read: wardian log {session}")),
        OpenError::Newer(format) => Failure::integrity(format!(
            "the journal of {session} has format {format}, which this version does not know"
        ))
        .hint("install a later wardian"),
        OpenError::InvalidOptions(message) => {
            Failure::usage(message).hint("rules are in wardian.toml of the project and in config.toml of $WARDIAN_HOME")
        }
        OpenError::Io(message) => Failure::failed(format!("session {session}: {message}")),
    }
}
