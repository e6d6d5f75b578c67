//! The trusted middle: everything the agent sees passes through here.
//!
//! Owns the journal, the permission gate, the budgets, resume and replay. Towards the agent it exports what a model, a
//! toolbox, a clock and a source of randomness are; towards the host it imports the means. The host's way to the workspace's
//! review leads through here as well, so that no commit stays without a line in the journal.

mod activity;
mod append;
mod clock;
mod control;
mod convert;
mod event;
mod gate;
mod journal;
mod messages;
mod model;
mod reading;
mod recorder;
mod resume;
mod review;
mod schema;
mod state;
#[cfg(test)]
mod testing;
mod toolbox;

wit_bindgen::generate!({
    inline: "
        package wardian:session-component;
        world session-component {
            // the provider
            import wardian:agent/model@0.1.0;
            // the workspace
            import wardian:workspace/review@0.1.0;
            // the host
            import wardian:host/sandbox@0.1.0;
            import wardian:host/approver@0.1.0;
            import wardian:host/observer@0.1.0;
            import wardian:host/control@0.1.0;
            import wasi:clocks/monotonic-clock@0.2.6;
            import wasi:filesystem/types@0.2.6;
            import wasi:filesystem/preopens@0.2.6;
            // towards the agent
            export wardian:agent/model@0.1.0;
            export wardian:agent/toolbox@0.1.0;
            export wardian:agent/control@0.1.0;
            export wardian:agent/transcript@0.1.0;
            export wasi:clocks/monotonic-clock@0.2.6;
            export wasi:clocks/wall-clock@0.2.6;
            export wasi:random/random@0.2.6;
            // towards the host
            export wardian:session/session@0.1.0;
            export wardian:session/journal@0.1.0;
            export wardian:workspace/review@0.1.0;
        }
    ",
    path: [
        "../../wit/wasi-io",
        "../../wit/wasi-clocks",
        "../../wit/wasi-random",
        "../../wit/wasi-filesystem",
        "../../wit/wardian-tool",
        "../../wit/wardian-agent",
        "../../wit/wardian-host",
        "../../wit/wardian-session",
        "../../wit/wardian-workspace",
    ],
    world: "wardian:session-component/session-component",
    generate_all,
    additional_derives: [Clone, PartialEq],
    additional_derives_ignore: ["stream-error"],
});

/// Stands for the one session of this instance; its state is in `state`.
struct Session;
export!(Session);
