//! The built binary, driven as users, scripts and mishaps drive it. See `tests/cases/README.md` for the cases.

mod abuse;
#[cfg(unix)]
mod agent;
mod cases;
mod cli;
#[cfg(target_os = "linux")]
mod commit_crash;
#[cfg(unix)]
mod crash;
mod curl;
mod damage;
mod exec;
#[cfg(unix)]
mod interrupt;
mod limits;
#[cfg(unix)]
mod models;
mod net;
mod net_session;
mod net_tls;
mod powers;
mod python;
mod python_net;
mod python_tools;
#[cfg(unix)]
mod review;
#[cfg(unix)]
mod serve;
mod session;
mod shell;
#[cfg(unix)]
mod shell_files;
mod shell_input;
mod start;
#[cfg(unix)]
mod terminal;
mod toolbox;
mod web;
#[cfg(unix)]
mod workspace;
