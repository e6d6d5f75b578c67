//! The tool Python: a program's text in, what it printed and the images that it showed out.
//!
//! The program is a process of its own, the command `python3`, started through `wardian:process`: this component only
//! says what to start and puts the result together. What it imports beside that is the workspace's files, from which it
//! takes images and in which it leaves output that is too long to show.

// What starts programs is there in a sandbox only.
#![cfg_attr(not(target_family = "wasm"), allow(dead_code))]

#[cfg(target_family = "wasm")]
mod child;
mod output;
mod pictures;
mod program;

use tool_kit::{Context, Tool};

const DESCRIPTION: &str = "Runs a Python 3.14 program in a sandbox and returns what it printed (stdout and stderr together), \
    its exit status, and the images that it showed. The program sees the project's files in the working directory, \
    /workspace, and may change them; /tmp is for scratch. The standard library, pytest, PyYAML, attrs, Jinja2, \
    python-dateutil, tabulate, Markdown and requests are there; http and https requests reach the hosts that are allowed; \
    there are no processes, threads, other sockets or native packages such as numpy. Only what is printed comes back: print the values that you want to see. display(x) shows an image: bytes or \
    the path of a PNG, JPEG, GIF, WebP or SVG. With session=true variables, functions and imports are kept for the next \
    call with session=true. Data: {status, ended, wall_ms, output_bytes, output_file, images}.";

tool_kit::export!([Tool::new("Python", DESCRIPTION, python).writes_files().starts([program::COMMAND]).sends_to(["*"])]);

tool_kit::input! {
    /// A program and what it is run with.
    struct Input {
        /// The program.
        code: String,
        /// What it finds in sys.argv[1:].
        args: Option<Vec<String>>,
        /// What it reads from standard input, which is empty otherwise.
        stdin: Option<String>,
        /// How long it may take; less where the session allows less.
        #[schemars(range(min = 1))]
        timeout_ms: Option<u64>,
        /// Keep variables for the next call with session=true, and start with those of the last one.
        session: Option<bool>,
    }
}

fn python(input: Input, context: &Context) -> Result<tool_kit::Outcome, tool_kit::ToolError> {
    let program = program::Program::new(input, context.call_id())?;
    let ended = start(&program)?;
    output::outcome(&program, ended)
}

#[cfg(target_family = "wasm")]
use child::start;

/// For tests of everything else.
#[cfg(not(target_family = "wasm"))]
fn start(_: &program::Program) -> Result<output::Ended, tool_kit::ToolError> {
    Err(tool_kit::ToolError::failed("only a host can start a program"))
}

#[cfg(test)]
mod tests {
    use tool_kit::{FileAccess, ToolCall, ToolError};

    #[test]
    fn the_input_is_that_of_the_contract() {
        let tools = tool_kit::list(&crate::tools());
        let [tool] = tools.as_slice() else { panic!("one tool") };
        assert_eq!((tool.name.as_str(), tool.powers.files), ("Python", FileAccess::Write));
        assert_eq!(tool.powers.process, ["python3"]);
        let schema: serde_json::Value = serde_json::from_str(&tool.input_schema).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["code"]));
        let mut fields: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["args", "code", "session", "stdin", "timeout_ms"]);
    }

    #[test]
    fn what_is_wrong_with_an_input_is_pointed_at() {
        let call = |input: &str| {
            let call = ToolCall { id: "c".into(), tool: "Python".into(), input: input.into() };
            match tool_kit::call(&crate::tools(), &call) {
                Err(ToolError::InvalidInput(error)) => error.pointer,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(call(r#"{"code": 1}"#), "/code");
        assert_eq!(call(r#"{"code": "1", "args": [2]}"#), "/args/0");
        assert_eq!(call(r#"{"code": "1", "timeout_ms": 0}"#), "/timeout_ms");
        assert_eq!(call(r#"{"code": "a\u0000b"}"#), "/code");
        assert_eq!(call(r#"{"code": "1", "args": ["a\u0000"]}"#), "/args/0");
        assert_eq!(call(r#"{"code": "1", "timeout": 1}"#), "/timeout");
    }
}
