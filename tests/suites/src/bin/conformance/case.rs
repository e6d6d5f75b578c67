//! One case: a script or a program, and which outcomes are right.

use std::collections::BTreeMap;
use std::io::Write;
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
            wanted.is_some() && values(&mut stdout.lines()) == wanted
        } else {
            false
        };
        (!right).then(told)
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
