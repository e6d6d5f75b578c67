//! The copy-on-write workspace: a file system for tools and commands, and the review of what they changed.
//!
//! Of the host it takes three folders and the streams of devices. To programs it is `wasi:filesystem`, all they ever see of
//! the host's files; to their user it lists, compares, commits and undoes changes.

mod change;
mod descriptor;
mod devices;
mod index;
mod layer;
mod listing;
mod log;
mod modes;
mod open;
mod preopens;
mod resolve;
mod review;
mod rules;
#[allow(dead_code)]
mod text;

wit_bindgen::generate!({
    inline: "
        package wardian:workspace-component;
        world workspace-component {
            // the host
            import wardian:host/devices@0.1.0;
            import wardian:host/turns@0.1.0;
            import wardian:host/modes@0.1.0;
            import wardian:host/small-files@0.1.0;
            import wardian:host/start@0.1.0;
            import wasi:clocks/wall-clock@0.2.6;
            import wasi:filesystem/types@0.2.6;
            import wasi:filesystem/preopens@0.2.6;
            import wasi:cli/stdin@0.2.6;
            import wasi:cli/stdout@0.2.6;
            import wasi:cli/stderr@0.2.6;
            // towards programs
            export wasi:filesystem/types@0.2.6;
            export wasi:filesystem/preopens@0.2.6;
            export wardian:workspace/modes@0.1.0;
            // towards the user
            export wardian:workspace/review@0.1.0;
        }
    ",
    path: [
        "../../wit/wasi-io",
        "../../wit/wasi-clocks",
        "../../wit/wasi-random",
        "../../wit/wasi-filesystem",
        "../../wit/wasi-sockets",
        "../../wit/wasi-cli",
        "../../wit/wardian-tool",
        "../../wit/wardian-agent",
        "../../wit/wardian-host",
        "../../wit/wardian-workspace",
    ],
    world: "wardian:workspace-component/workspace-component",
    generate_all,
    merge_structurally_equal_types: true,
});

/// Stands for the one workspace of this instance; its state is in `layer`.
struct Component;
export!(Component);
