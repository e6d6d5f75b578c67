//! The commands, one file each.

pub mod call;
pub mod changes;
pub mod commit;
pub mod compose;
pub mod diff;
pub mod discard;
pub mod doctor;
pub mod exec;
pub mod inspect;
pub mod log;
pub mod python;
pub mod repl;
pub mod replay;
pub mod run;
pub mod serve;
pub mod sessions;
pub mod sh;
pub mod tools;
pub mod undo;
