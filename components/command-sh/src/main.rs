//! The shell.

fn main() {
    let _ = bashkit::Bash::new();
}
