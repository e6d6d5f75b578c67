//! What the user's settings say about these tools, through `wasi:config/store`: never a key.

use url::Url;

use crate::search::Service;

#[cfg(target_family = "wasm")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:tool-web;
            world config {
                /// Keys `search` (`tavily` or `brave`) and `search-base-url`.
                import wasi:config/store@0.2.0-rc.1;
            }
        ",
        path: ["../../wit/wasi-config"],
        world: "wardian:tool-web/config",
        generate_all,
    });
}

pub struct Config {
    /// Where WebSearch asks.
    pub search: Option<Service>,
}

impl Config {
    #[cfg(target_family = "wasm")]
    pub fn read() -> Self {
        // A store that cannot be read is one that says nothing.
        Self::from(|key| bindings::wasi::config::store::get(key).ok().flatten())
    }

    /// In a test there is no host to import it from.
    #[cfg(not(target_family = "wasm"))]
    pub fn read() -> Self {
        Self::from(|_| None)
    }

    /// What the host cannot have meant counts as not there: it has checked its settings.
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let base = get("search-base-url").and_then(|text| Url::parse(&text).ok());
        Self { search: get("search").and_then(|name| Service::named(&name, base)) }
    }
}
