//! The Chat Completions API, as OpenAI, llama.cpp, Ollama, vLLM and many others serve it.
//!
//! Every server has a dialect: ids left out or used twice, inputs as objects, no last word, tokens counted or not. What is
//! read is what all of them mean; what is sent is what all of them take.

mod reader;
mod request;

use provider_kit::types::{self, ModelError};
use provider_kit::{Config, Protocol, Request};

pub struct Chat;

impl Protocol for Chat {
    const NAME: &'static str = "chat";
    type Reader = reader::ChatReader;

    fn request(request: &types::Request, config: &Config) -> Result<Request, ModelError> {
        request::request(request, config)
    }

    fn reader() -> Self::Reader {
        reader::ChatReader::default()
    }
}

provider_kit::export!(Chat);
