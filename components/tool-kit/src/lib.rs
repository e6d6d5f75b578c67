//! Everything a tool written in Rust needs besides serde.
//!
//! A tool is a type for its input, a function, and a line in [`export!`]:
//!
//! ```
//! use tool_kit::{Context, Outcome, Tool, ToolError};
//!
//! tool_kit::input! {
//!     struct Upper {
//!         /// What to shout.
//!         text: String,
//!     }
//! }
//!
//! fn upper(input: Upper, _: &Context) -> Result<Outcome, ToolError> {
//!     Ok(Outcome::text(input.text.to_uppercase()))
//! }
//!
//! tool_kit::export!([Tool::new("Upper", "Shouts a text.", upper)]);
//! # fn main() { assert_eq!(tools().len(), 1); }
//! ```
//!
//! in a crate of type `cdylib`, built with `cargo build --target wasm32-wasip2`. The input's JSON Schema comes from
//! the type and its comments; an input that does not fit is refused with a pointer to the value that is wrong. A
//! tool has no power unless it asks for it: [`Tool::reads_files`], [`Tool::writes_files`], [`Tool::sends_to`],
//! [`Tool::starts`], [`Tool::reads_env`].
//!
//! Natively the same crate builds without the component's glue, so tools are tested with `cargo test`.

mod input;
mod outcome;
mod tool;

pub use input::{parse, schema};
pub use tool::{Context, Tool, call, list};

pub use bindings::wardian::tool::types::{
    Attachment, FileAccess, Image, InvalidInput, NotPermitted, Outcome, Part, Powers, Tool as ToolInfo, ToolCall,
    ToolError,
};
pub use {schemars, serde, serde_json};

/// What wit-bindgen makes of `wit/wardian-tool`. Public for [`export!`] only.
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit/wardian-tool"],
        inline: "
            package wardian:tool-kit;
            world tool {
                import wardian:tool/progress@0.1.0;
                export wardian:tool/tools@0.1.0;
            }
        ",
        world: "wardian:tool-kit/tool",
        export_macro_name: "export_component",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, Eq],
    });
}

/// Shows the user how the call is getting on: one line, and how much of the work is done, in any unit.
///
/// Cheap and never waits. Does nothing when the tool runs natively, in a test.
pub fn progress(message: impl Into<String>, done: Option<(u64, u64)>) {
    let update = bindings::wardian::tool::progress::Update { message: message.into(), done };
    // Natively there is no host to import this from.
    #[cfg(target_family = "wasm")]
    bindings::wardian::tool::progress::report(&update);
    #[cfg(not(target_family = "wasm"))]
    drop(update);
}

/// Makes the crate a component with these tools: `export!([Tool::new(…), …])`.
///
/// Takes anything that turns into a `Vec<Tool>`, and also defines `pub fn tools() -> Vec<Tool>`, for tests.
#[macro_export]
macro_rules! export {
    ($tools:expr $(,)?) => {
        /// The tools of this component.
        pub fn tools() -> ::std::vec::Vec<$crate::Tool> {
            ::std::vec::Vec::from($tools)
        }

        // Only here: the names of exports are no valid symbols in a native library.
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::wardian::tool::tools::Guest for Component {
                fn list() -> ::std::vec::Vec<$crate::ToolInfo> {
                    $crate::list(&tools())
                }

                fn call(call: $crate::ToolCall) -> ::std::result::Result<$crate::Outcome, $crate::ToolError> {
                    $crate::call(&tools(), &call)
                }
            }

            $crate::bindings::export_component! { Component with_types_in $crate::bindings }
        };
    };
}

/// Declares types of inputs: derives what a tool needs and refuses fields that the type does not have.
///
/// The same by hand, in a crate that has serde and schemars:
/// `#[derive(Deserialize, JsonSchema)] #[serde(deny_unknown_fields)]`.
#[macro_export]
macro_rules! input {
    ($($item:item)*) => {
        $(
            #[derive(Debug, $crate::serde::Deserialize, $crate::schemars::JsonSchema)]
            #[serde(crate = "::tool_kit::serde", deny_unknown_fields)]
            #[schemars(crate = "::tool_kit::schemars")]
            $item
        )*
    };
}
