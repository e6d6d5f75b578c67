//! The commands, one file each.

pub mod call;
pub mod compose;
pub mod doctor;
pub mod inspect;
pub mod log;
pub mod repl;
pub mod replay;
pub mod run;
pub mod sessions;
pub mod tools;
