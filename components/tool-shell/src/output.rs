//! What a process prints: shown as far as a model should read it, kept as far as a file should grow.

use std::fs::File;
use std::io::Write;

/// Bytes that are shown of the beginning, and of the end.
const SHOWN_BYTES: usize = 15_000;

/// Bytes that are kept in the file.
const KEPT_BYTES_MAX: u64 = 64 << 20;

/// Collects output.
pub struct Output {
    path: String,
    head: Vec<u8>,
    /// The last bytes after the head, at most twice of what is shown.
    tail: Vec<u8>,
    bytes: u64,
    file: Option<File>,
    /// Why there is no file, or not all in it.
    trouble: Option<String>,
}

impl Output {
    /// If it grows too long to be shown, all of it goes to a file at `path`.
    pub fn new(path: String) -> Self {
        Self { path, head: Vec::new(), tail: Vec::new(), bytes: 0, file: None, trouble: None }
    }

    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let (to_head, to_tail) = bytes.split_at(bytes.len().min(SHOWN_BYTES - self.head.len()));
        self.head.extend_from_slice(to_head);
        self.tail.extend_from_slice(to_tail);
        if self.file.is_some() {
            self.keep(bytes);
        } else if self.trouble.is_none() && self.tail.len() > SHOWN_BYTES {
            match File::create(&self.path) {
                Ok(file) => {
                    self.file = Some(file);
                    let all = [&self.head[..], &self.tail[..]].concat();
                    self.keep(&all);
                }
                Err(error) => self.trouble = Some(format!("it cannot be kept in {}: {error}", self.path)),
            }
        }
        if self.tail.len() > 2 * SHOWN_BYTES {
            self.tail.drain(..self.tail.len() - SHOWN_BYTES);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        // What was counted already, without these.
        let before = self.bytes.saturating_sub(bytes.len() as u64);
        let room = KEPT_BYTES_MAX.saturating_sub(before).min(bytes.len() as u64) as usize;
        if let Err(error) = file.write_all(&bytes[..room]) {
            self.trouble = Some(format!("not all of it is in the file: {error}"));
            self.file = None;
        } else if room < bytes.len() {
            self.trouble = Some(format!("the file has the first {KEPT_BYTES_MAX} bytes"));
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where all of it is, if not all of it is shown.
    pub fn path(&self) -> Option<&str> {
        (self.is_cut() && (self.file.is_some() || self.trouble.as_deref().is_some_and(|t| t.starts_with("the file"))))
            .then_some(&self.path)
    }

    pub fn is_cut(&self) -> bool {
        self.bytes > 2 * SHOWN_BYTES as u64
    }

    /// What is shown.
    pub fn text(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        if !self.is_cut() {
            return String::from_utf8_lossy(&[&self.head[..], &self.tail[..]].concat()).into_owned();
        }
        let tail = String::from_utf8_lossy(&self.tail[self.tail.len() - SHOWN_BYTES..]);
        let left_out = self.bytes - 2 * SHOWN_BYTES as u64;
        let place = self.path().map_or(String::new(), |path| format!("; all of it is in {path}"));
        let trouble = self.trouble.as_ref().map_or(String::new(), |trouble| format!("; {trouble}"));
        format!("{head}\n[… {left_out} bytes left out{place}{trouble} …]\n{tail}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> String {
        std::env::temp_dir().join(format!("tool-shell-{}-{name}", std::process::id())).display().to_string()
    }

    #[test]
    fn short_output_is_shown_as_it_is() {
        let mut output = Output::new(path("short"));
        for _ in 0..30 {
            output.put(&[b'x'; 1_000]);
        }
        assert_eq!(output.text(), "x".repeat(30_000));
        assert_eq!(output.path(), None);
        assert!(!std::path::Path::new(&path("short")).exists());
    }

    #[test]
    fn long_output_is_cut_in_the_middle_and_kept_whole() {
        let path = path("long");
        let mut output = Output::new(path.clone());
        let all: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
        for piece in all.as_bytes().chunks(777) {
            output.put(piece);
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(kept == all, "{} bytes of {}", kept.len(), all.len());
        let text = output.text();
        assert!(text.starts_with("line 0\n") && text.ends_with("line 19999\n"));
        let left_out = all.len() - 30_000;
        assert!(text.contains(&format!("[… {left_out} bytes left out; all of it is in {path} …]")), "{}", text.len());
    }
}
