//! The loop: prompt → model → tool calls → results → model, until done, cancelled or out of budget.
//!
//! Names no vendor, no tool and no file. `no_std`, because the standard library would import files, clocks and an
//! environment that this component has no use for: the world below is all that it can do.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod context;
mod glue;
mod retry;
mod run;

wit_bindgen::generate!({
    inline: "
        package wardian:agent-core;
        world agent-core {
            import wardian:agent/model@0.1.0;
            import wardian:agent/toolbox@0.1.0;
            import wardian:agent/control@0.1.0;
            import wardian:agent/transcript@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.6;
            export wardian:agent/agent@0.1.0;
        }
    ",
    path: [
        "../../wit/wasi-io",
        "../../wit/wasi-clocks",
        "../../wit/wardian-tool",
        "../../wit/wardian-agent",
    ],
    world: "wardian:agent-core/agent-core",
    generate_all,
    additional_derives: [Clone, PartialEq],
});

struct Core;
export!(Core);

impl exports::wardian::agent::agent::Guest for Core {
    fn run() -> Result<alloc::string::String, wardian::agent::types::Stop> {
        run::run()
    }
}
