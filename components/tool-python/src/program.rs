//! What to start: the command line, the environment, and where a call's files are.

use std::path::PathBuf;

use tool_kit::ToolError;

use crate::Input;

/// The command, as the grant names it.
pub const COMMAND: &str = "python3";

/// Where programs start.
pub const DIRECTORY: &str = "/workspace";

/// The session's own folder.
const SCRATCH: &str = "/tmp";

/// A program to run.
#[derive(Debug)]
pub struct Program {
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub stdin: String,
    pub wall_ms_max: Option<u64>,
    /// Its variables are there for the next such program.
    pub is_kept: bool,
    /// Images that it shows are put there.
    pub pictures: PathBuf,
    /// All of its output, where that is too long to show.
    pub output_file: PathBuf,
}

impl Program {
    pub fn new(input: Input, call_id: &str) -> Result<Self, ToolError> {
        let no_zero = |pointer: String, text: &str| match text.contains('\0') {
            true => Err(ToolError::invalid(pointer, "must not contain the character U+0000")),
            false => Ok(()),
        };
        no_zero("/code".to_owned(), &input.code)?;
        for (index, argument) in input.args.iter().flatten().enumerate() {
            no_zero(format!("/args/{index}"), argument)?;
        }
        if input.timeout_ms == Some(0) {
            return Err(ToolError::invalid("/timeout_ms", "must be at least 1"));
        }
        let name = file_name(call_id);
        let pictures = PathBuf::from(format!("{SCRATCH}/.python-{name}"));
        let mut argv = vec![COMMAND.to_owned(), "-c".to_owned(), input.code];
        argv.extend(input.args.into_iter().flatten());
        let mut env: Vec<(String, String)> = [
            ("HOME", SCRATCH),
            ("LANG", "C.UTF-8"),
            ("PWD", DIRECTORY),
            ("TMPDIR", SCRATCH),
            ("WARDIAN_DISPLAY", &pictures.to_string_lossy()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let is_kept = input.session == Some(true);
        if is_kept {
            env.push(("WARDIAN_SESSION".to_owned(), format!("{SCRATCH}/.python-session")));
        }
        let output_file = PathBuf::from(format!("{SCRATCH}/python-{name}.txt"));
        let stdin = input.stdin.unwrap_or_default();
        Ok(Self { argv, env, stdin, wall_ms_max: input.timeout_ms, is_kept, pictures, output_file })
    }
}

/// The id of a call is the model's: letters, digits, `_` and `-` of it make a name.
fn file_name(call_id: &str) -> String {
    let fine = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = call_id.chars().filter(fine).take(64).collect();
    if name.is_empty() { "call".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(session: bool) -> Input {
        let args = Some(vec!["-x".to_owned()]);
        Input { code: "print(1)".to_owned(), args, stdin: None, timeout_ms: Some(5), session: Some(session) }
    }

    #[test]
    fn a_program_is_a_command_line() {
        let program = Program::new(input(false), "call/../1").unwrap();
        assert_eq!(program.argv, ["python3", "-c", "print(1)", "-x"]);
        assert_eq!(program.pictures, PathBuf::from("/tmp/.python-call1"));
        assert_eq!((program.stdin.as_str(), program.wall_ms_max), ("", Some(5)));
        let has = |name: &str, program: &Program| program.env.iter().any(|(known, _)| known == name);
        assert!(has("WARDIAN_DISPLAY", &program) && !has("WARDIAN_SESSION", &program));
        let kept = Program::new(input(true), "").unwrap();
        assert!(has("WARDIAN_SESSION", &kept) && kept.is_kept && !program.is_kept);
    }
}
