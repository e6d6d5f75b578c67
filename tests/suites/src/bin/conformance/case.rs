//! One case: a script or a program, and which outcomes are right.

use std::collections::BTreeMap;
use std::io::Write;
use std::iter::zip;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use suites::dist;

/// Seconds that a case may take.
const SECONDS_MAX: &str = "20";

/// Characters of a reason.
const REASON_CHARS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub id: String,
    #[serde(rename = "name")]
    _name: Option<String>,
    script: Option<String>,
    /// Any of these is right.
    accept: Option<Vec<Accepted>>,
    #[serde(default)]
    files_base64: BTreeMap<String, String>,
    stdin_base64: Option<String>,
    stdout_base64: Option<String>,
    // Of jq:
    program: Option<String>,
    input: Option<String>,
    outputs: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    #[serde(deserialize_with = "status")]
    status: i32,
    stdout: Option<String>,
}

/// A number, also one written as text.
fn status<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .ok_or_else(|| serde::de::Error::custom("a status must be a number"))
}

struct Done {
    status: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Case {
    /// None: it passes. Otherwise what differs.
    pub fn run(&self, home: &Path) -> Result<Option<String>> {
        let scratch = tempfile::tempdir()?;
        for (name, content) in &self.files_base64 {
            let path = scratch.path().join(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, STANDARD.decode(content)?)?;
        }
        // Cases of Oils that write there expect it, as their own runner does.
        if self.script.as_ref().is_some_and(|script| script.contains("_tmp/")) {
            std::fs::create_dir_all(scratch.path().join("_tmp"))?;
        }
        let stdin = match (&self.stdin_base64, &self.input) {
            (Some(stdin), _) => STANDARD.decode(stdin)?,
            (None, Some(input)) => input.clone().into_bytes(),
            (None, None) => Vec::new(),
        };
        let arguments = match (&self.script, &self.program) {
            (Some(script), _) => vec!["-c", script],
            (None, Some(program)) => vec!["-c", "jq -c -- \"$1\"", "jq", program],
            (None, None) => anyhow::bail!("it has no script"),
        };
        let done = sh(home, scratch.path(), &arguments, &stdin)?;
        Ok(self.differs(&done))
    }

    fn differs(&self, done: &Done) -> Option<String> {
        let told = || {
            let stderr = done.stderr.lines().next().unwrap_or_default();
            let all = format!("status {}: {}", done.status, if stderr.is_empty() { "stdout differs" } else { stderr });
            let shown = all.chars().map(|c| if c.is_control() { ' ' } else { c });
            shown.take(REASON_CHARS_MAX).collect::<String>()
        };
        let right = if let Some(accepted) = &self.accept {
            accepted.iter().any(|accepted| {
                accepted.status == done.status
                    && accepted.stdout.as_ref().is_none_or(|stdout| stdout.as_bytes() == done.stdout)
            })
        } else if let Some(stdout) = &self.stdout_base64 {
            STANDARD.decode(stdout).is_ok_and(|stdout| stdout == done.stdout)
        } else if let Some(outputs) = &self.outputs {
            let values = |texts: &mut dyn Iterator<Item = &str>| -> Option<Vec<Value>> {
                texts.map(|text| serde_json::from_str(text).ok()).collect()
            };
            let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
            let wanted = values(&mut outputs.iter().map(String::as_str));
            values(&mut stdout.lines())
                .zip(wanted)
                .is_some_and(|(seen, wanted)| seen.len() == wanted.len() && zip(&seen, &wanted).all(same))
        } else {
            false
        };
        (!right).then(told)
    }
}

/// Whether two JSON values are the same, where a number is its value and not how it is written: `2` is `2.0`.
fn same((a, b): (&Value, &Value)) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && zip(a, b).all(same),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same((value, other))))
        }
        _ => a == b,
    }
}

fn sh(home: &Path, scratch: &Path, arguments: &[&str], stdin: &[u8]) -> Result<Done> {
    let mut wardian = Command::new(dist::wardian());
    wardian.env_clear().env("WARDIAN_HOME", home).args(["sh", "--direct", "--max-seconds", SECONDS_MAX, "-C"]);
    wardian.arg(scratch);
    // SH and TEST_SHELL are the shell itself, as Oils and smoosh call it.
    for variable in ["HOME=/workspace", "TMP=/workspace", "LC_ALL=C.UTF-8", "LOGNAME=agent", "SH=sh", "TEST_SHELL=sh"] {
        wardian.args(["--env", variable]);
    }
    wardian.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = wardian.spawn().context("cannot start wardian")?;
    let mut to = child.stdin.take().context("it has a stdin")?;
    let bytes = stdin.to_vec();
    // It may end without reading all of it.
    let writing = std::thread::spawn(move || drop(to.write_all(&bytes)));
    let output = child.wait_with_output()?;
    let _ = writing.join();
    Ok(Done {
        status: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let is_same = |a: &str, b: &str| same((&serde_json::from_str(a).unwrap(), &serde_json::from_str(b).unwrap()));
        for (a, b) in [("2", "2.0"), ("[1, {\"a\": 20e-1}]", "[1.0, {\"a\": 2}]"), ("-0", "0"), ("\"2\"", "\"2\"")] {
            assert!(is_same(a, b), "{a} {b}");
        }
        for (a, b) in [("2", "3"), ("2", "\"2\""), ("[1]", "[1, 1]"), ("{\"a\": 1}", "{\"b\": 1}"), ("null", "0")] {
            assert!(!is_same(a, b), "{a} {b}");
        }
        // Larger than what a double tells apart.
        assert!(!is_same("9007199254740992", "9007199254740993"));
    }
}
