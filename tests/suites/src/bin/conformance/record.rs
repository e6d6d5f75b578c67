//! What is known to fail: a line for each case, its name, two spaces, the reason.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// How a reason begins that is no fault: the case is of another language, or needs what no sandbox has.
const NOT_APPLICABLE: &str = "Not applicable";

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

    /// How many of all cases pass, if these do not.
    pub fn tally(&self, cases: usize) -> String {
        let passed = cases.saturating_sub(self.0.len());
        let elsewhere = self.0.values().filter(|why| why.starts_with(NOT_APPLICABLE)).count();
        let percent = |of: usize| 100.0 * passed as f64 / of.max(1) as f64;
        let all = format!("{passed} of {cases} cases pass ({:.1} %)", percent(cases));
        match elsewhere {
            0 => all,
            _ => format!("{all}, {elsewhere} are not applicable ({:.1} % of the others)", percent(cases - elsewhere)),
        }
    }

    pub fn write(&self, path: &Path, name: &str, cases: usize) -> Result<()> {
        let mut text = format!(
            "# {name}: {}. These do not: a name, two spaces, the reason.\n\
             # Written by `cargo xtask conformance {name} --bless`. A failure that is not listed here is a regression.\n",
            self.tally(cases)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_people_stay_and_what_is_not_applicable_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.txt");
        let failed = |id: &str| (id.to_owned(), "status 1".to_owned());
        std::fs::write(&path, "# x\nx/1  Not applicable: of another shell\nx/2  status 9\nx/3  status 9\n").unwrap();
        let record = Record::read(&path).unwrap().with(&[failed("x/1"), failed("x/2")]);
        assert_eq!(record.tally(11), "9 of 11 cases pass (81.8 %), 1 are not applicable (90.0 % of the others)");
        record.write(&path, "x", 11).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("x/1  Not applicable: of another shell\nx/2  status 1\n"), "{text}");
    }
}
