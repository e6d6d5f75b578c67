//! Choosing piece by piece, as `git add --patch` does.

use wardian_host::wit::{ChangeKind, Content, FileDiff, Hunk, Selected, Side};

use crate::review::diff::{self, Paint};

const HELP: &str = "\
y - commit this
n - do not commit this
q - quit: commit what was chosen until now, nothing of the rest
a - commit this and all that follows in this file
d - commit neither this nor anything that follows in this file
s - split this into smaller pieces
j - leave this undecided, go on
k - leave this undecided, go back
? - help";

/// Something that is decided at once: a file's whole change, or some blocks of it.
struct Piece<'a> {
    file: usize,
    /// None: the whole change.
    hunk: Option<Hunk>,
    diff: &'a FileDiff,
    chosen: Option<bool>,
}

impl Piece<'_> {
    fn blocks(&self) -> Vec<u32> {
        let mut blocks: Vec<u32> = self
            .hunk
            .iter()
            .flat_map(|hunk| &hunk.lines)
            .filter(|line| line.side != Side::Context)
            .map(|line| line.block)
            .collect();
        blocks.dedup();
        blocks
    }
}

/// Only what has lines on both sides can be committed in part.
fn is_divisible(diff: &FileDiff) -> bool {
    diff.change.kind == ChangeKind::Modified && diff.change.conflict.is_none() && diff.lines_cut == 0
}

fn pieces<'a>(file: usize, diff: &'a FileDiff) -> Vec<Piece<'a>> {
    let piece = |hunk| Piece { file, hunk, diff, chosen: None };
    match &diff.content {
        Content::Text(hunks) if is_divisible(diff) && !hunks.is_empty() => {
            hunks.iter().map(|hunk| piece(Some(hunk.clone()))).collect()
        }
        _ => vec![piece(None)],
    }
}

/// One hunk for each block, with the context that is next to it.
fn split(hunk: &Hunk) -> Vec<Hunk> {
    let mut parts: Vec<Hunk> = Vec::new();
    let (mut old, mut new) = (hunk.before_start, hunk.after_start);
    let mut context: Vec<(u32, u32, _)> = Vec::new();
    for line in &hunk.lines {
        let at = (old, new);
        old += u32::from(line.side != Side::Added);
        new += u32::from(line.side != Side::Removed);
        if line.side == Side::Context {
            context.push((at.0, at.1, line.clone()));
            if let Some(part) = parts.last_mut() {
                part.lines.push(line.clone());
            }
            continue;
        }
        let begins = parts
            .last()
            .is_none_or(|part| part.lines.iter().any(|other| other.side != Side::Context && other.block != line.block));
        if begins {
            let (start_old, start_new) = context.first().map_or(at, |(old, new, _)| (*old, *new));
            parts.push(Hunk {
                before_start: start_old,
                before_lines: 0,
                after_start: start_new,
                after_lines: 0,
                heading: hunk.heading.clone(),
                lines: context.drain(..).map(|(_, _, line)| line).collect(),
            });
        }
        context.clear();
        if let Some(part) = parts.last_mut() {
            part.lines.push(line.clone());
        }
    }
    for part in &mut parts {
        let count = |side: Side| part.lines.iter().filter(|line| line.side != side).count() as u32;
        (part.before_lines, part.after_lines) = (count(Side::Added), count(Side::Removed));
    }
    parts
}

/// Asks for every piece. `ask` shows a text and a question and gives the answer, none at the end of input.
pub fn choose(diffs: &[FileDiff], paint: Paint, mut ask: impl FnMut(&str, &str) -> Option<String>) -> Vec<Selected> {
    let mut pieces: Vec<Piece<'_>> =
        diffs.iter().enumerate().flat_map(|(file, diff)| self::pieces(file, diff)).collect();
    let mut at = 0;
    let mut shown_file = None;
    while let Some(piece) = pieces.get(at) {
        let file = piece.file;
        let mut text = String::new();
        let question = match &piece.hunk {
            Some(hunk) => {
                if shown_file != Some(file) {
                    text = format!("{}\n", paint.heading(&piece.diff.change));
                }
                diff::hunk(&mut text, hunk, paint);
                let splits = if piece.blocks().len() > 1 { ",s" } else { "" };
                format!("({}/{}) Commit this hunk [y,n,q,a,d{splits},j,k,?]? ", at + 1, pieces.len())
            }
            None => {
                text = diff::file(piece.diff, paint);
                format!("({}/{}) Commit this change [y,n,q,a,d,j,k,?]? ", at + 1, pieces.len())
            }
        };
        shown_file = Some(file);
        let Some(answer) = ask(&text, &question) else { break };
        let mut decide = |from: usize, rest: bool, yes: bool| {
            for piece in pieces.iter_mut().skip(from).take_while(|piece| piece.file == file) {
                piece.chosen = Some(yes);
                if !rest {
                    break;
                }
            }
        };
        match answer.as_str() {
            "y" => decide(at, false, true),
            "n" => decide(at, false, false),
            "a" => decide(at, true, true),
            "d" => decide(at, true, false),
            "q" => break,
            "j" => {
                at += 1;
                continue;
            }
            "k" => {
                at = at.saturating_sub(1);
                continue;
            }
            "s" => {
                let piece = pieces.remove(at);
                let parts = piece.hunk.as_ref().map(split).filter(|parts| parts.len() > 1);
                match parts {
                    Some(parts) => {
                        for (offset, hunk) in parts.into_iter().enumerate() {
                            pieces.insert(at + offset, Piece { hunk: Some(hunk), ..Piece { hunk: None, ..piece } });
                        }
                    }
                    None => {
                        pieces.insert(at, piece);
                        let _ = ask("this cannot be split\n", "");
                    }
                }
                continue;
            }
            _ => {
                let _ = ask(&format!("{HELP}\n"), "");
                continue;
            }
        }
        // On to what is not decided yet.
        while pieces.get(at).is_some_and(|piece| piece.chosen.is_some()) {
            at += 1;
        }
    }
    selected(diffs, &pieces)
}

fn selected(diffs: &[FileDiff], pieces: &[Piece<'_>]) -> Vec<Selected> {
    let mut selected = Vec::new();
    for (file, diff) in diffs.iter().enumerate() {
        let own = || pieces.iter().filter(|piece| piece.file == file);
        let path = diff.change.path.clone();
        if own().all(|piece| piece.chosen == Some(true)) {
            selected.push(Selected { path, blocks: None });
        } else if own().any(|piece| piece.chosen == Some(true)) {
            let blocks = own().filter(|piece| piece.chosen == Some(true)).flat_map(Piece::blocks).collect();
            selected.push(Selected { path, blocks: Some(blocks) });
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::diff::tests::{line_of, modified};

    fn hunk(start: u32, blocks: &[u32]) -> Hunk {
        let mut lines = vec![line_of(Side::Context, "before", 0)];
        for block in blocks {
            lines.push(line_of(Side::Removed, "old", *block));
            lines.push(line_of(Side::Added, "new", *block));
            lines.push(line_of(Side::Context, "after", 0));
        }
        let count = 1 + 2 * blocks.len() as u32;
        let heading = String::new();
        Hunk { before_start: start, before_lines: count, after_start: start, after_lines: count, heading, lines }
    }

    fn files() -> Vec<FileDiff> {
        vec![
            modified("one", Content::Text(vec![hunk(1, &[0, 1]), hunk(50, &[2])]), (3, 3)),
            modified("two", Content::Text(vec![hunk(1, &[0])]), (1, 1)),
        ]
    }

    /// Answers in order; then there is no more input.
    fn chosen(answers: &str) -> Vec<(String, Option<Vec<u32>>)> {
        let mut answers = answers.chars();
        let ask = |_: &str, question: &str| {
            if question.is_empty() { Some(String::new()) } else { answers.next().map(String::from) }
        };
        let selected = choose(&files(), Paint(false), ask);
        selected.into_iter().map(|selected| (selected.path, selected.blocks)).collect()
    }

    #[test]
    fn each_answer_does_what_git_s_does() {
        let whole = |path: &str| (path.to_owned(), None);
        let part = |path: &str, blocks: &[u32]| (path.to_owned(), Some(blocks.to_vec()));
        assert_eq!(chosen("yyy"), [whole("one"), whole("two")]);
        assert_eq!(chosen("nnn"), []);
        assert_eq!(chosen("yny"), [part("one", &[0, 1]), whole("two")]);
        assert_eq!(chosen("nyq"), [part("one", &[2])]);
        assert_eq!(chosen("ay"), [whole("one"), whole("two")]);
        assert_eq!(chosen("dy"), [whole("two")]);
        assert_eq!(chosen("q"), []);
        assert_eq!(chosen(""), []);
        assert_eq!(chosen("snyny"), [part("one", &[1]), whole("two")]);
        assert_eq!(chosen("syyny"), [part("one", &[0, 1]), whole("two")]);
        assert_eq!(chosen("jyn"), [part("one", &[2])], "what was left undecided is not committed");
        assert_eq!(chosen("jkyyn"), [whole("one")]);
        assert_eq!(chosen("?xyyy"), [whole("one"), whole("two")]);
    }

    #[test]
    fn a_hunk_splits_into_its_blocks() {
        let parts = split(&hunk(10, &[4, 5]));
        let starts: Vec<_> =
            parts.iter().map(|part| (part.before_start, part.before_lines, part.after_lines)).collect();
        assert_eq!(starts, [(10, 3, 3), (12, 3, 3)]);
        assert_eq!(split(&hunk(1, &[0])).len(), 1);
    }
}
