//! Long output, a screen at a time.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};

/// Shows text: through `$WARDIAN_PAGER`, `$PAGER` or `less`, if stdout is a terminal; else as it is.
pub fn show(text: &str, paged: bool) {
    if !(paged && std::io::stdout().is_terminal() && through_pager(text)) {
        // A reader who went away has had enough.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}

/// Whether a pager took it.
fn through_pager(text: &str) -> bool {
    let set = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
    let command = set("WARDIAN_PAGER").or_else(|| set("PAGER")).unwrap_or_else(|| "less".to_owned());
    let mut words = command.split_whitespace();
    let Some(program) = words.next() else { return false };
    let mut pager = Command::new(program);
    pager.args(words).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        // Ends by itself if all fits, keeps colours, leaves the text on the screen: as git has it.
        pager.env("LESS", "FRX");
    }
    let Ok(mut child) = pager.spawn() else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(text.as_bytes());
    }
    let _ = child.wait();
    true
}
