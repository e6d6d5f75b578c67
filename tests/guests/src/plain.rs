//! Tools that return.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use tool_kit::{Context, Outcome, ToolError};

use crate::{Calls, Milliseconds, Nothing, Size, Source, Steps, Target, Text};

type Result = std::result::Result<Outcome, ToolError>;

/// One transparent pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0b, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0x00, 0x02, 0x00, 0x00, 0x05, 0x00, 0x01, 0xe9, 0xfa, 0xdc, 0xd8, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

pub fn echo(input: Text, _: &Context) -> Result {
    Ok(Outcome::text(input.text))
}

pub fn big(input: Size, _: &Context) -> Result {
    Ok(Outcome::text("x".repeat(input.bytes)))
}

pub fn sleep(input: Milliseconds, _: &Context) -> Result {
    thread::sleep(Duration::from_millis(input.ms));
    Ok(Outcome::text(format!("slept {} ms", input.ms)))
}

pub fn bad_data(_: Nothing, _: &Context) -> Result {
    Ok(Outcome { data: Some("{not json".to_owned()), ..Outcome::text("see the data") })
}

pub fn read_file(input: Source, _: &Context) -> Result {
    match fs::read_to_string(&input.path) {
        Ok(text) => Ok(Outcome::text(text)),
        Err(error) => Err(ToolError::failed(format!("{}: {error}", input.path))),
    }
}

pub fn write_file(input: Target, _: &Context) -> Result {
    match fs::write(&input.path, &input.text) {
        Ok(()) => Ok(Outcome::text(format!("wrote {} bytes", input.text.len()))),
        Err(error) => Err(ToolError::failed(format!("{}: {error}", input.path))),
    }
}

pub fn files(input: Steps, _: &Context) -> Result {
    let steps: Vec<crate::files::Step> = tool_kit::serde_json::from_value(input.steps).map_err(ToolError::failed)?;
    let mut runner = crate::files::Runner::new(&input.root);
    let answers: Vec<_> = steps.iter().map(|step| runner.answer(step)).collect();
    Outcome::text("see the data").with_data(&answers)
}

#[cfg(target_family = "wasm")]
pub fn raw_files(input: Calls, _: &Context) -> Result {
    let calls: Vec<crate::raw::Call> = tool_kit::serde_json::from_value(input.calls).map_err(ToolError::failed)?;
    Outcome::text("see the data").with_data(&crate::raw::run(&calls))
}

#[cfg(not(target_family = "wasm"))]
pub fn raw_files(input: Calls, _: &Context) -> Result {
    Err(ToolError::failed(format!("there is no wasi:filesystem here for {}", input.calls)))
}

pub fn env(_: Nothing, _: &Context) -> Result {
    // Not `vars`, which panics on what is no Unicode.
    let variables =
        env::vars_os().map(|(name, value)| format!("{}={}\n", name.to_string_lossy(), value.to_string_lossy()));
    let arguments = env::args_os().map(|argument| format!("argument {}\n", argument.to_string_lossy()));
    Ok(Outcome::text(variables.chain(arguments).collect::<String>()))
}

pub fn time(_: Nothing, _: &Context) -> Result {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(ToolError::failed)?;
    Ok(Outcome::text(since.as_millis().to_string()))
}

pub fn progress(_: Nothing, _: &Context) -> Result {
    for done in 1..=3 {
        tool_kit::progress(format!("step {done}"), Some((done, 3)));
    }
    Ok(Outcome::text("reported 3 times"))
}

pub fn attach(_: Nothing, _: &Context) -> Result {
    let image = Outcome::image("image/png", PNG.to_vec());
    Ok(image.with_file("report.txt", "text/plain", 12))
}

pub fn stderr(_: Nothing, _: &Context) -> Result {
    eprintln!("a line on stderr");
    Err("complained on stderr".into())
}
