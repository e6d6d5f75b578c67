//! The workspace: what programs see, what is reviewed, and what reaches the project.

mod escape;
mod git;
mod interface;
mod model;
mod parallel;
mod programs;
mod property;
mod rules;

use serde_json::Value;
use suites::files::{Answer, Step};

fn write(path: &str, text: &str) -> Step {
    Step::Write { path: path.to_owned(), text: text.to_owned() }
}

fn read(path: &str) -> Step {
    Step::Read { path: path.to_owned() }
}

fn stat(path: &str) -> Step {
    Step::Stat { path: path.to_owned() }
}

fn list(path: &str) -> Step {
    Step::List { path: path.to_owned() }
}

fn ok(value: impl Into<Value>) -> Answer {
    Answer::Ok(value.into())
}

fn done() -> Answer {
    Answer::Ok(Value::Null)
}

fn error(name: &str) -> Answer {
    Answer::Error(name.to_owned())
}
