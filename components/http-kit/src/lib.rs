//! HTTP for guests: one request and its answer, over `wasi:http`.
//!
//! [`Http`] is a request under way, in which nothing waits; [`receive`] is for code that has nothing else to do meanwhile.
//! What is allowed, where redirects lead and how long a request may take is decided by the host. The crate builds natively as
//! well: what is made of an answer is tested with [`testing::Played`].

mod error;
mod http;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod transport;

pub use error::{Error, Kind};
pub use http::Http;
pub use transport::{Body, Head, Method, Outgoing, Read, Request, Response, Timeouts, Transport, receive};

/// What wit-bindgen makes of `wasi:http`. Public for crates that have further contracts, to be named in their `with`.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:http-kit;
            world client {
                /// To wait no longer than one wants to.
                import wasi:clocks/monotonic-clock@0.2.6;
                /// To where the host allows it.
                import wasi:http/outgoing-handler@0.2.6;
            }
        ",
        path: [
            "../../wit/wasi-io",
            "../../wit/wasi-clocks",
            "../../wit/wasi-random",
            "../../wit/wasi-filesystem",
            "../../wit/wasi-sockets",
            "../../wit/wasi-cli",
            "../../wit/wasi-http",
        ],
        world: "wardian:http-kit/client",
        generate_all,
    });
}
