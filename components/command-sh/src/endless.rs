//! Utilities that go on until nobody reads any more: the interpreter's own end early, at a number of lines.

use bashkit::{Command, CommandContext, CommandStatus, Result, async_trait};

/// Bytes that are written at once.
const PIECE_BYTES: usize = 16 << 10;

pub struct Yes;

#[async_trait]
impl Command for Yes {
    async fn execute(&self, context: CommandContext<'_>) -> Result<CommandStatus> {
        let words = match context.args {
            [] => "y".to_owned(),
            [first, rest @ ..] if first == "--" => rest.join(" "),
            words => words.join(" "),
        };
        let line = words + "\n";
        let piece = line.repeat(PIECE_BYTES.div_ceil(line.len()));
        // It ends with the error that its reader is gone, or with the process.
        loop {
            context.stdout.write_all(piece.as_bytes()).await?;
        }
    }
}
