//! What providers share, so that each of them is its protocol and nothing else.
//!
//! A provider is a type that implements [`Protocol`], a [`Reader`] for its answers, and a line: `export!(Type)`. The kit
//! sends the request over `wasi:http`, takes the body apart (server-sent events or one JSON document) and turns statuses,
//! headers and broken connections into the contract's errors.
//!
//! A provider holds no key: the host adds it to the request on its way out. It does not retry: the agent decides that.
//! Everything it keeps is bounded, see [`exchange`]. Natively the same crates build without the component's glue, so that
//! protocols are tested by bytes.

pub mod answer;
pub mod base_url;
pub mod config;
pub mod content;
pub mod exchange;
mod http;
pub mod server_error;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod transport;

pub use answer::Answer;
pub use config::Config;
pub use exchange::{Protocol, Reader, Request};
pub use http::{Running, complete};
pub use server_error::ServerError;

pub use bindings::exports::wardian::agent::model::{Completion, Guest, GuestCompletion, Pollable};
pub use bindings::wardian::agent::types;
pub use bindings::wardian::tool::types as tool;

/// What wit-bindgen makes of the contracts. Public for [`export!`] only.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:provider-kit;

            world provider {
                /// Keys `base-url`, `model`, `options`, `silence-seconds-max`.
                import wasi:config/store@0.2.0-rc.1;
                /// For the longest silence of a server.
                import wasi:clocks/monotonic-clock@0.2.6;
                /// To the base URL, and nowhere else: the host sees to that.
                import wasi:http/outgoing-handler@0.2.6;
                export wardian:agent/model@0.1.0;
            }
        ",
        path: [
            "../../wit/wasi-io",
            "../../wit/wasi-clocks",
            "../../wit/wasi-random",
            "../../wit/wasi-filesystem",
            "../../wit/wasi-sockets",
            "../../wit/wasi-cli",
            "../../wit/wasi-config",
            "../../wit/wasi-http",
            "../../wit/wardian-tool",
            "../../wit/wardian-agent",
        ],
        world: "wardian:provider-kit/provider",
        export_macro_name: "export_component",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq],
        // Has a resource in it.
        additional_derives_ignore: ["stream-error"],
    });
}

/// One event's or document's JSON.
///
/// # Errors
/// `protocol`, with the beginning of what is no JSON.
pub fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, types::ModelError> {
    /// Characters of what is wrong that are worth seeing.
    const SHOWN_CHARS: usize = 120;
    serde_json::from_str(text).map_err(|error| {
        let start: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect();
        types::ModelError::Protocol(format!("the server sent what is not expected ({error}): {start}"))
    })
}

/// Makes the crate a component that speaks this protocol.
#[macro_export]
macro_rules! export {
    ($protocol:ty) => {
        // Only here: the names of exports are no valid symbols in a native library.
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::Guest for Component {
                type Completion = $crate::Running<<$protocol as $crate::Protocol>::Reader>;

                fn complete(
                    request: $crate::types::Request,
                ) -> ::std::result::Result<$crate::Completion, $crate::types::ModelError> {
                    $crate::complete::<$protocol>(&request).map($crate::Completion::new)
                }
            }

            $crate::bindings::export_component! { Component with_types_in $crate::bindings }
        };
    };
}
