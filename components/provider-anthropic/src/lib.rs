//! The Anthropic Messages API.
//!
//! Thinking is signed and goes back where it came from. What repeats from request to request is marked for the service's
//! cache.

mod reader;
mod request;

use provider_kit::types::{self, ModelError};
use provider_kit::{Config, Protocol, Request};

pub struct Anthropic;

impl Protocol for Anthropic {
    const NAME: &'static str = "anthropic";
    type Reader = reader::AnthropicReader;

    fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError> {
        request::request(request, config)
    }

    fn reader() -> Self::Reader {
        reader::AnthropicReader::default()
    }
}

provider_kit::export!(Anthropic);
