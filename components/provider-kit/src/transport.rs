//! One request and its answer, as bytes. `http.rs` is the one that goes over the network.

use crate::types::NetworkError;

/// The beginning of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Names in lowercase.
    pub headers: Vec<(String, String)>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The media type, in lowercase and without parameters; empty where there is none.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

/// What a body has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    Bytes(Vec<u8>),
    /// Nothing yet.
    Later,
    End,
}

/// A request under way. Nothing in it waits; dropping it closes the connection.
pub trait Transport {
    /// Gets on with sending, and returns the head as soon as it is there. Not called again after that.
    fn head(&mut self) -> Result<Option<Head>, NetworkError>;

    /// The next bytes of the body, as many as there are. Only called after the head has come.
    fn read(&mut self) -> Result<Read, NetworkError>;
}
