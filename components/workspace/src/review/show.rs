//! Changes as they are looked at: lines, words, descriptions, patches.

use crate::index::is_within;
use crate::layer::{Workspace, read_from};
use crate::review::io;
use crate::review::side::Side;
use crate::review::survey::{Item, Outcome, survey};
use crate::text::{self, COMPARED_BYTES_MAX, HEAD_BYTES};
use crate::wardian::workspace::types::{
    Content as Shown, Description, Error, FileDiff, Hunk, Line, Side as LineSide, Span,
};
use crate::wasi::filesystem::types::ErrorCode;

/// One side's content, as far as it can be compared.
enum Bytes {
    Whole(Vec<u8>),
    /// The beginning of something larger.
    Head(Vec<u8>),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) | Self::Head(bytes) => bytes,
        }
    }

    fn is_compared(&self) -> bool {
        matches!(self, Self::Whole(bytes) if text::is_compared(bytes))
    }
}

/// What a change is shown as: from the project as it is now to what a commit would leave. In a conflict: from what the
/// project had to what was made of it.
struct Shot {
    item: Item,
    before: (String, Side, Bytes),
    after: (Side, Bytes),
}

/// The whole content that a commit would leave.
pub fn outcome_bytes(workspace: &mut Workspace, item: &Item) -> Result<Vec<u8>, Error> {
    match &item.outcome {
        Outcome::Own(content) => workspace.content_bytes(content).map_err(|error| io(&item.path, error)),
        Outcome::Merged(bytes) => Ok(bytes.clone()),
        Outcome::None => Ok(Vec::new()),
    }
}

/// The item at a path. Renames are only found among all.
fn find(workspace: &mut Workspace, path: &str) -> Result<Item, Error> {
    let own = |item: &Item| item.path == path || item.from.as_ref().is_some_and(|from| from.path == path);
    let mut items = survey(workspace, &[path.to_owned()])?.items;
    let may_be_moved = |item: &Item| {
        matches!((&item.now, &item.after), (Side::Absent, Side::File { .. }) | (Side::File { .. }, Side::Absent))
    };
    items.retain(|item| is_within(&item.path, path));
    if items.iter().find(|item| own(item)).is_none_or(may_be_moved) {
        items = survey(workspace, &[])?.items;
    }
    items.into_iter().find(own).ok_or_else(|| Error::NoChange(path.to_owned()))
}

fn project_bytes(workspace: &mut Workspace, path: &str, side: &Side) -> Result<Bytes, ErrorCode> {
    Ok(match side {
        Side::File { size, .. } if *size > COMPARED_BYTES_MAX as u64 => {
            let file = workspace.open_content(&crate::index::Content::Project(path.to_owned()))?;
            Bytes::Head(file.read(HEAD_BYTES as u64, 0)?.0)
        }
        Side::File { .. } => Bytes::Whole(workspace.project_bytes(path)?),
        Side::Link { target } => Bytes::Whole(target.as_bytes().to_vec()),
        _ => Bytes::Whole(Vec::new()),
    })
}

fn own_bytes(workspace: &mut Workspace, item: &Item) -> Result<Bytes, ErrorCode> {
    Ok(match (&item.after, &item.outcome) {
        (Side::Link { target }, _) => Bytes::Whole(target.as_bytes().to_vec()),
        (_, Outcome::Merged(bytes)) => Bytes::Whole(bytes.clone()),
        (Side::File { size, .. }, Outcome::Own(content)) => {
            let file = workspace.open_content(content)?;
            if *size > COMPARED_BYTES_MAX as u64 {
                Bytes::Head(file.read(HEAD_BYTES as u64, 0)?.0)
            } else {
                Bytes::Whole(read_from(&file, 0)?)
            }
        }
        _ => Bytes::Whole(Vec::new()),
    })
}

fn shoot(workspace: &mut Workspace, path: &str) -> Result<Shot, Error> {
    let item = find(workspace, path)?;
    let failed = |error| io(path, error);
    let after = (item.after.clone(), own_bytes(workspace, &item).map_err(failed)?);
    let old = item.from.as_deref().unwrap_or(&item);
    let mut before = None;
    if item.conflict.is_some()
        && let Side::File { digest, .. } = &item.base
        && let Some(bytes) = workspace.kept(digest)
    {
        before = Some((item.path.clone(), item.base.clone(), Bytes::Whole(bytes)));
    }
    let before = match before {
        Some(before) => before,
        None => (old.path.clone(), old.now.clone(), project_bytes(workspace, &old.path, &old.now).map_err(failed)?),
    };
    Ok(Shot { item, before, after })
}

fn description(side: &Side, bytes: &Bytes, path: &str) -> Option<String> {
    Some(match side {
        Side::Absent => return None,
        Side::File { size, .. } => text::describe(bytes.as_slice(), *size, path),
        Side::Link { target } => format!("link to {target}"),
        Side::Directory => "directory".to_owned(),
        Side::Other => "pipe, socket, device or link out of the project".to_owned(),
    })
}

pub fn diff(workspace: &mut Workspace, path: &str, context: u32, lines_max: u32) -> Result<FileDiff, Error> {
    let Shot { item, before: (old_path, before, old), after: (after, new) } = shoot(workspace, path)?;
    let change = item.to_change();
    let is_text = |side: &Side| matches!(side, Side::File { .. } | Side::Absent);
    if !is_text(&before) || !is_text(&after) || !old.is_compared() || !new.is_compared() {
        let content = Shown::Binary(Description {
            before: description(&before, &old, &old_path),
            after: description(&after, &new, path),
        });
        return Ok(FileDiff { change, content, lines_added: 0, lines_removed: 0, lines_cut: 0 });
    }
    let diff = text::diff(old.as_slice(), new.as_slice(), context, lines_max);
    Ok(FileDiff {
        change,
        content: Shown::Text(diff.hunks.into_iter().map(hunk).collect()),
        lines_added: diff.lines_added,
        lines_removed: diff.lines_removed,
        lines_cut: diff.lines_cut,
    })
}

fn hunk(hunk: text::Hunk) -> Hunk {
    Hunk {
        before_start: hunk.before_start,
        before_lines: hunk.before_lines,
        after_start: hunk.after_start,
        after_lines: hunk.after_lines,
        heading: hunk.heading,
        lines: hunk.lines.into_iter().map(line).collect(),
    }
}

fn line(line: text::Line) -> Line {
    Line {
        side: match line.side {
            text::Side::Context => LineSide::Context,
            text::Side::Removed => LineSide::Removed,
            text::Side::Added => LineSide::Added,
        },
        text: line.text,
        emphasis: line.emphasis.into_iter().map(|range| Span { start: range.start, end: range.end }).collect(),
        unterminated: line.unterminated,
        block: line.block,
    }
}

/// The same as a patch in git's format. Directories, which git does not know, are left out.
pub fn unified(workspace: &mut Workspace, path: &str, context: u32) -> Result<String, Error> {
    let Shot { before: (old_path, before, old), after: (after, new), .. } = shoot(workspace, path)?;
    Ok(text::unified(content(&before, &old_path, &old, None), content(&after, path, &new, before.mode()), context))
}

/// `mode` stands in where a side has none of its own.
fn content<'a>(side: &Side, path: &'a str, bytes: &'a Bytes, mode: Option<u16>) -> Option<text::Content<'a>> {
    let mode = match side {
        Side::Link { .. } => text::Mode::Symlink,
        Side::File { mode: own, .. } if own.or(mode).is_some_and(|mode| mode & 0o111 != 0) => text::Mode::Executable,
        Side::File { .. } => text::Mode::File,
        _ => return None,
    };
    Some(text::Content { path, mode, bytes: bytes.as_slice() })
}
