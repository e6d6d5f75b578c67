//! The OpenAI Responses API.
//!
//! Nothing is kept at the service (`store: false`): the conversation is sent whole, and reasoning, which is encrypted, goes
//! back where it came from.

mod reader;
mod request;

use provider_kit::types::{self, ModelError};
use provider_kit::{Config, Protocol, Request};

pub struct OpenAi;

impl Protocol for OpenAi {
    const NAME: &'static str = "openai";
    type Reader = reader::OpenAiReader;

    fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError> {
        request::request(request, config)
    }

    fn reader() -> Self::Reader {
        reader::OpenAiReader::default()
    }
}

provider_kit::export!(OpenAi);
