//! Patches in unified form.

/// What becomes of one file.
#[derive(Debug, PartialEq, Eq)]
pub struct FilePatch {
    /// None: it is created, or removed.
    pub old: Option<String>,
    pub new: Option<String>,
    pub hunks: Vec<Hunk>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The first line of the old file, from 1; of no lines, the one before.
    pub old_start: usize,
    pub new_start: usize,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub kind: Kind,
    /// With its end, if it has one.
    pub text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Same,
    Old,
    New,
}

impl Hunk {
    pub fn side(&self, without: Kind) -> Vec<&[u8]> {
        self.lines.iter().filter(|line| line.kind != without).map(|line| &*line.text).collect()
    }

    fn reversed(self) -> Self {
        let turn = |kind| match kind {
            Kind::Same => Kind::Same,
            Kind::Old => Kind::New,
            Kind::New => Kind::Old,
        };
        let lines = self.lines.into_iter().map(|line| Line { kind: turn(line.kind), text: line.text });
        // What goes stands before what comes, as in every patch.
        let mut sorted: Vec<Line> = Vec::new();
        let mut come: Vec<Line> = Vec::new();
        for line in lines {
            match line.kind {
                Kind::New => come.push(line),
                Kind::Old => sorted.push(line),
                Kind::Same => {
                    sorted.append(&mut come);
                    sorted.push(line);
                }
            }
        }
        sorted.append(&mut come);
        Self { old_start: self.new_start, new_start: self.old_start, lines: sorted }
    }
}

impl FilePatch {
    pub fn reversed(self) -> Self {
        Self { old: self.new, new: self.old, hunks: self.hunks.into_iter().map(Hunk::reversed).collect() }
    }
}

/// # Errors
/// Which line makes no sense.
pub fn parse(patch: &[u8]) -> Result<Vec<FilePatch>, String> {
    let lines: Vec<&[u8]> = patch.split_inclusive(|byte| *byte == b'\n').collect();
    let mut files: Vec<FilePatch> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let (line, next) = (lines[at], lines.get(at + 1).copied().unwrap_or_default());
        if let (Some(old), Some(new)) = (line.strip_prefix(b"--- "), next.strip_prefix(b"+++ ")) {
            files.push(FilePatch { old: name(old), new: name(new), hunks: Vec::new() });
            at += 2;
        } else if line.starts_with(b"@@ -") && !files.is_empty() {
            let (hunk, after) = hunk(&lines, at)?;
            if let Some(file) = files.last_mut() {
                file.hunks.push(hunk);
            }
            at = after;
        } else if line.starts_with(b"rename from ") || line.starts_with(b"GIT binary patch") {
            return Err(format!("line {}: renames and binary patches are not supported", at + 1));
        } else {
            at += 1;
        }
    }
    Ok(files)
}

/// The name in a header, without the time after it. None is /dev/null.
fn name(header: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(header);
    let text = text.trim_end_matches(['\n', '\r']);
    let name = text.split('\t').next().unwrap_or_default().trim_end();
    (name != "/dev/null").then(|| name.trim_matches('"').to_owned())
}

fn hunk(lines: &[&[u8]], at: usize) -> Result<(Hunk, usize), String> {
    let wrong = |at: usize| format!("malformed patch at line {}", at + 1);
    let head = String::from_utf8_lossy(lines[at]).into_owned();
    let mut words = head.split(' ').skip(1);
    let mut range = |sign: char| -> Option<(usize, usize)> {
        let word = words.next()?.strip_prefix(sign)?;
        match word.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((word.parse().ok()?, 1)),
        }
    };
    let (old_start, mut old) = range('-').ok_or_else(|| wrong(at))?;
    let (new_start, mut new) = range('+').ok_or_else(|| wrong(at))?;
    let mut hunk = Hunk { old_start, new_start, lines: Vec::new() };
    let mut at = at + 1;
    while old > 0 || new > 0 || lines.get(at).is_some_and(|line| line.starts_with(b"\\")) {
        let line = *lines.get(at).ok_or_else(|| wrong(at))?;
        let kind = match line.first() {
            // A line of nothing lost its space on the way here.
            Some(b' ' | b'\n' | b'\t') => Kind::Same,
            Some(b'-') => Kind::Old,
            Some(b'+') => Kind::New,
            Some(b'\\') => {
                let last = hunk.lines.last_mut().ok_or_else(|| wrong(at))?;
                if last.text.last() == Some(&b'\n') {
                    last.text.pop();
                }
                at += 1;
                continue;
            }
            _ => return Err(wrong(at)),
        };
        let text = if matches!(line.first(), Some(b'\n' | b'\t')) { line } else { &line[1..] };
        let counts = |left: &mut usize| left.checked_sub(1).map(|less| *left = less).ok_or_else(|| wrong(at));
        if kind != Kind::New {
            counts(&mut old)?;
        }
        if kind != Kind::Old {
            counts(&mut new)?;
        }
        hunk.lines.push(Line { kind, text: text.to_vec() });
        at += 1;
    }
    Ok((hunk, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_has_files_and_hunks() {
        let patch = b"diff --git a/f b/f\n--- a/f\t2026\n+++ b/f\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n\\ No newline at end of file\n";
        let files = parse(patch).unwrap();
        assert_eq!((files[0].old.as_deref(), files[0].new.as_deref()), (Some("a/f"), Some("b/f")));
        assert_eq!(files[0].hunks[0].side(Kind::New), [&b"same\n"[..], b"old\n"]);
        assert_eq!(files[0].hunks[0].side(Kind::Old), [&b"same\n"[..], b"new"]);
    }

    #[test]
    fn what_is_cut_is_malformed() {
        assert!(parse(b"--- a\n+++ b\n@@ -1,2 +1 @@\n x\n").unwrap_err().contains("malformed patch at line 5"));
        assert!(parse(b"--- a\n+++ b\n@@ -x +1 @@\n").is_err());
        assert!(parse(b"no patch\n").unwrap().is_empty());
    }

    #[test]
    fn reversed_twice_is_the_same() {
        let patch = b"--- a\n+++ b\n@@ -1 +1,2 @@\n-x\n+y\n+z\n";
        let once = parse(patch).unwrap().remove(0).reversed();
        assert_eq!(once.hunks[0].side(Kind::New), [&b"y\n"[..], b"z\n"]);
        assert_eq!(once.reversed(), parse(patch).unwrap().remove(0));
    }
}
