//! WordCount: the lines, words and bytes of a file in the project.
//!
//! The last item declares the tool and its one power, to read files; the rest is plain Rust that is tested natively.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tool_kit::serde_json::json;
use tool_kit::{Context, Outcome, Tool, ToolError};

const DESCRIPTION: &str = "Counts the lines, words and bytes of a file. A word is what stands between white space. \
Data: {path, lines, words, bytes}.";

/// Where the host mounts the project.
const WORKSPACE: &str = "/workspace";

tool_kit::input! {
    struct WordCount {
        /// Relative to the project.
        file_path: String,
    }
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
}

/// Counts piece by piece: a file may be larger than the memory that a call gets.
fn count(mut source: impl Read) -> io::Result<Counts> {
    let mut counts = Counts::default();
    let mut piece = [0; 64 * 1024];
    let mut last = b'\n';
    loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for &byte in &piece[..read] {
            counts.words += u64::from(last.is_ascii_whitespace() && !byte.is_ascii_whitespace());
            counts.lines += u64::from(byte == b'\n');
            last = byte;
        }
        counts.bytes += read as u64;
    }
    // The last line may lack its end.
    counts.lines += u64::from(last != b'\n');
    Ok(counts)
}

fn word_count(input: WordCount, _: &Context) -> Result<Outcome, ToolError> {
    let path = &input.file_path;
    let Counts { lines, words, bytes } = File::open(Path::new(WORKSPACE).join(path))
        .and_then(count)
        .map_err(|error| ToolError::failed(format!("cannot read `{path}`: {error}; find files with Glob")))?;
    Outcome::text(format!("`{path}`: {lines} lines, {words} words, {bytes} bytes"))
        .with_data(&json!({"path": path, "lines": lines, "words": words, "bytes": bytes}))
}

tool_kit::export!([Tool::new("WordCount", DESCRIPTION, word_count).reads_files()]);

#[cfg(test)]
mod tests {
    use super::*;
    use tool_kit::FileAccess;

    #[test]
    fn counts_lines_words_and_bytes() {
        let counts = |text: &str| count(text.as_bytes()).unwrap();
        assert_eq!(counts(""), Counts { lines: 0, words: 0, bytes: 0 });
        assert_eq!(counts("one two\n\n three\n"), Counts { lines: 3, words: 3, bytes: 16 });
        assert_eq!(counts("no end"), Counts { lines: 1, words: 2, bytes: 6 });
    }

    #[test]
    fn asks_for_one_power() {
        let list = tool_kit::list(&tools());
        assert_eq!((list.len(), list[0].name.as_str()), (1, "WordCount"));
        assert_eq!(list[0].powers.files, FileAccess::Read);
        assert!(list[0].powers.net.is_empty() && list[0].powers.process.is_empty());
    }
}
