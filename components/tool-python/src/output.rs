//! What comes back from a program: its output, shortened in the middle where it is long, and how it ended.

use std::fs;

use serde_json::json;
use tool_kit::{Outcome, ToolError};

use crate::pictures;
use crate::program::Program;

/// Output that a model is shown: so much of its beginning and of its end.
const SHOWN_HEAD_BYTES: usize = 20_000;
const SHOWN_TAIL_BYTES: usize = 10_000;

/// Output that is kept of a program; its end is kept beyond that.
pub const KEPT_BYTES_MAX: usize = 16 << 20;

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    pub output: Vec<u8>,
    /// What was dropped of it.
    pub dropped_bytes: u64,
    /// Exit status, or the number that a shell shows where there is none.
    pub status: u8,
    /// Why it did not end by itself.
    pub killed: Option<String>,
    pub wall_ms: u64,
}

pub fn outcome(program: &Program, ended: Ended) -> Result<Outcome, ToolError> {
    let text = String::from_utf8_lossy(&ended.output);
    let bytes = ended.output.len() as u64 + ended.dropped_bytes;
    let (mut shown, is_cut) = shortened(&text);
    let mut output_file = None;
    if is_cut {
        let path = program.output_file.to_string_lossy();
        let note = match fs::write(&program.output_file, &ended.output) {
            Ok(()) => {
                output_file = Some(path.clone().into_owned());
                format!("[{bytes} bytes of output in all; the whole is in {path}]")
            }
            Err(error) => format!("[{bytes} bytes of output in all; cannot keep the whole in {path}: {error}]"),
        };
        push_line(&mut shown, &note);
    }
    if ended.dropped_bytes > 0 {
        push_line(&mut shown, &format!("[{} bytes of output were dropped]", ended.dropped_bytes));
    }
    match &ended.killed {
        Some(why) => push_line(&mut shown, &format!("[{why}]")),
        None if ended.status != 0 => push_line(&mut shown, &format!("[exit status {}]", ended.status)),
        None if shown.is_empty() => shown.push_str("[no output]"),
        None => {}
    }
    let pictures = pictures::take(&program.pictures);
    if pictures.left_out > 0 {
        push_line(&mut shown, &format!("[{} images are too large or too many to come along]", pictures.left_out));
    }
    let data = json!({
        "status": ended.status,
        "ended": ended.killed,
        "wall_ms": ended.wall_ms,
        "output_bytes": bytes,
        "output_file": output_file,
        "images": pictures.images.len(),
    });
    let truncated = is_cut || ended.dropped_bytes > 0 || pictures.left_out > 0;
    let mut outcome = Outcome::text(shown).truncated(truncated);
    for (media_type, image) in pictures.images {
        outcome = outcome.with_image(media_type, image);
    }
    outcome.with_data(&data)
}

fn push_line(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
}

/// The beginning and the end of a text, and whether something is missing between them.
fn shortened(text: &str) -> (String, bool) {
    if text.len() <= SHOWN_HEAD_BYTES + SHOWN_TAIL_BYTES {
        return (text.to_owned(), false);
    }
    let head = &text[..text.floor_char_boundary(SHOWN_HEAD_BYTES)];
    let tail = &text[text.ceil_char_boundary(text.len() - SHOWN_TAIL_BYTES)..];
    // Whole lines, where there are any.
    let head = head.rfind('\n').map_or(head, |end| &head[..=end]);
    let tail = tail.find('\n').filter(|start| start + 1 < tail.len()).map_or(tail, |start| &tail[start + 1..]);
    let missing = text.len() - head.len() - tail.len();
    let mut shown = head.to_owned();
    push_line(&mut shown, &format!("[… {missing} bytes …]\n"));
    shown.push_str(tail);
    (shown, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tool_kit::Part;

    fn program(folder: &std::path::Path) -> Program {
        Program {
            argv: Vec::new(),
            env: Vec::new(),
            stdin: String::new(),
            wall_ms_max: None,
            is_kept: false,
            pictures: folder.join("pictures"),
            output_file: folder.join("output.txt"),
        }
    }

    fn run(output: &str, status: u8, killed: Option<&str>) -> (String, Outcome, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let ended = Ended {
            output: output.as_bytes().to_vec(),
            dropped_bytes: 0,
            status,
            killed: killed.map(str::to_owned),
            wall_ms: 1,
        };
        let outcome = outcome(&program(folder.path()), ended).unwrap();
        let Some(Part::Text(text)) = outcome.parts.first().cloned() else { panic!("text comes first") };
        (text, outcome, folder)
    }

    #[test]
    fn the_end_of_a_program_is_told() {
        assert_eq!(run("out\n", 0, None).0, "out\n");
        assert_eq!(run("", 0, None).0, "[no output]");
        assert_eq!(run("out", 3, None).0, "out\n[exit status 3]");
        let (text, outcome, _folder) = run("out\n", 137, Some("wall_ms_max reached (5): it was ended"));
        assert_eq!(text, "out\n[wall_ms_max reached (5): it was ended]");
        let data: serde_json::Value = serde_json::from_str(&outcome.data.unwrap()).unwrap();
        assert_eq!((data["status"].as_u64(), data["output_bytes"].as_u64()), (Some(137), Some(4)));
    }

    #[test]
    fn long_output_is_cut_in_the_middle_and_kept_in_a_file() {
        let lines: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        let (text, outcome, folder) = run(&lines, 0, None);
        assert!(outcome.truncated && text.len() < 31_000, "{}", text.len());
        assert!(text.starts_with("line 0\n") && text.contains("line 19999\n["), "{text}");
        assert!(text.contains("bytes …]\n"), "{text}");
        assert_eq!(fs::read_to_string(folder.path().join("output.txt")).unwrap(), lines);
    }

    #[test]
    fn cutting_respects_characters() {
        let (text, cut) = shortened(&"é".repeat(40_000));
        assert!(cut && text.chars().all(|c| "é[… bytes]\n0123456789".contains(c)), "{text}");
    }
}
