//! What is known to fail: a line for each case, its name, two spaces, the reason.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

#[derive(Default)]
pub struct Record(BTreeMap<String, String>);

impl Record {
    /// A record that is not there is empty.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let entry = |line: &str| {
            let (id, why) = line.split_once("  ").unwrap_or((line, ""));
            (id.to_owned(), why.to_owned())
        };
        Ok(Self(lines.map(entry).collect()))
    }

    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// What fails now. Reasons that people wrote stay: they begin with a capital letter.
    pub fn with(&self, failures: &[(String, String)]) -> Self {
        let reason = |id: &String, why: &String| match self.0.get(id) {
            Some(written) if written.starts_with(char::is_uppercase) => written.clone(),
            _ => why.clone(),
        };
        Self(failures.iter().map(|(id, why)| (id.clone(), reason(id, why))).collect())
    }

    pub fn write(&self, path: &Path, name: &str, cases: usize) -> Result<()> {
        let passed = cases - self.0.len();
        let mut text = format!(
            "# {name}: {passed} of {cases} cases pass. These do not: a name, two spaces, the reason.\n\
             # Written by `cargo xtask conformance {name} --bless`. A failure that is not listed here is a regression.\n"
        );
        for (id, why) in &self.0 {
            let _ = writeln!(text, "{id}  {why}");
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}
