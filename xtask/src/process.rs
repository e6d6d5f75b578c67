//! Running other programs: each with a time-out, each failure with the words of the program that failed.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub const MINUTE: Duration = Duration::from_secs(60);

/// Longest of all: a first build of everything on a small machine.
pub const BUILD_TIMEOUT: Duration = Duration::from_secs(2 * 60 * 60);

const LOG_TAIL_LINES: usize = 30;

/// A program that ran to its end and was not content. It has told the user why.
#[derive(Debug)]
pub struct Failed {
    program: String,
    pub status: u8,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed with status {}", self.program, self.status)
    }
}

impl std::error::Error for Failed {}

/// Runs a program that talks to the user by itself.
pub fn run(command: &mut Command, timeout: Duration) -> Result<()> {
    let shown = show(command);
    let child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let status = wait(child, timeout, &shown, false)?;
    if status.success() {
        return Ok(());
    }
    let status = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failed { program: shown, status }.into())
}

/// Runs a program for its standard output. What it says on standard error is part of the error if it fails.
pub fn capture(command: &mut Command, timeout: Duration) -> Result<String> {
    let shown = show(command);
    // Files cannot fill up like pipes, so that nobody has to read while waiting.
    let folder = scratch("capture")?;
    let (out, err) = (folder.join("out"), folder.join("err"));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
    own_group(command);
    let outcome = command
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))
        .and_then(|child| wait(child, timeout, &shown, true));
    let read = |path: &Path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (stdout, stderr) = (read(&out)?, read(&err)?);
    fs::remove_dir_all(&folder)?;
    if outcome?.success() { Ok(stdout) } else { bail!("`{shown}` failed:\n{}", tail(&stderr)) }
}

/// Runs a program that has much to say to nobody: its words go to `log`, and the last of them into the error.
pub fn run_logged(command: &mut Command, timeout: Duration, log: &Path) -> Result<()> {
    let shown = show(command);
    let context = || format!("cannot write {}", log.display());
    let out = File::create(log).with_context(context)?;
    let err = out.try_clone().with_context(context)?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    own_group(command);
    let child = command.spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let status = wait(child, timeout, &shown, true);
    let words = || tail(&String::from_utf8_lossy(&fs::read(log).unwrap_or_default()));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("`{shown}` failed ({status}); its last words:\n{}", words()),
        Err(error) => bail!("{error:#}; its last words:\n{}", words()),
    }
}

/// Whether a program of that name can be started.
pub fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// A new folder for temporary files. Whoever asks for it removes it.
pub fn scratch(name: &str) -> Result<std::path::PathBuf> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = format!("wardian-xtask-{name}-{}-{count}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// So that a time-out ends the program's children too.
fn own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

fn wait(mut child: Child, timeout: Duration, shown: &str, group: bool) -> Result<ExitStatus> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().with_context(|| format!("cannot wait for `{shown}`"))? {
            return Ok(status);
        }
        if start.elapsed() >= timeout {
            if group {
                let group = format!("-{}", child.id());
                let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            }
            let _ = child.kill();
            let _ = child.wait();
            bail!("`{shown}` was stopped after {} s", timeout.as_secs());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn captures_output_larger_than_a_pipe() {
        let output = capture(&mut shell("head -c 300000 /dev/zero"), MINUTE).unwrap();
        assert_eq!(output.len(), 300_000);
    }

    #[test]
    fn a_failure_has_the_programs_words_and_status() {
        let error = capture(&mut shell("echo why >&2; exit 3"), MINUTE).unwrap_err();
        assert!(error.to_string().contains("why"), "{error}");
        let error = run(&mut shell("exit 3"), MINUTE).unwrap_err();
        assert_eq!(error.downcast_ref::<Failed>().unwrap().status, 3);
    }

    #[test]
    fn a_log_ends_up_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let error = run_logged(&mut shell("seq 100; exit 1"), MINUTE, &log).unwrap_err().to_string();
        assert!(error.contains("\n100") && !error.contains("\n50\n"), "{error}");
    }

    #[test]
    fn a_time_out_ends_children_too() {
        let start = Instant::now();
        let mut command = shell("sleep 30 & sleep 30");
        let error = capture(&mut command, Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("was stopped"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
