//! The tools Bash and Command: what a model types, run as processes of the host.
//!
//! Bash starts the shell, whose state (directory, variables, functions) is in a file of the session's `/tmp` between calls.
//! Jobs looks at what Bash left running. Command starts one command without a shell in between. Nothing here knows a shell's language.

mod jobs;
mod output;
mod run;

use std::collections::BTreeMap;

use run::Call;
use tool_kit::{Context, Outcome, Tool, ToolError};

tool_kit::export!([
    Tool::new("Bash", BASH, bash).writes_files().starts(["*"]).sends_to(["*"]),
    Tool::new("Command", COMMAND, command).writes_files().starts(["*"]).sends_to(["*"]),
    Tool::new("Jobs", JOBS, jobs).reads_files(),
]);

const BASH: &str = "Runs a bash script in the sandbox and returns what it prints, stdout and stderr as they come, and its \
exit status. It starts in the project; the directory, variables and functions stay as they are left for the next call. The \
usual utilities are there (`compgen -c` lists them); packages cannot be installed, and nobody answers a prompt. Long output is cut \
in the middle; all of it is then in a file that is named. With \
background the call returns at once and the script runs on, for as long as the session does; Jobs looks at it and ends it. \
Data: {status, killed, wall_ms, output_bytes, output_path}.";

const COMMAND: &str = "Runs one command with these arguments, without a shell: nothing in them is expanded, so it is the \
safe way to pass names and texts from elsewhere. Returns as Bash does. Data: {status, killed, wall_ms, output_bytes, output_path}.";

const JOBS: &str = "Lists what Bash has started in the background, or, given a job, shows the end of what it has printed and \
whether it still runs. Data: {jobs: [{job, running, status, killed, wall_ms, output_path}]}, or that of the one job and output_bytes.";

/// Milliseconds that a call takes if it does not say. A little less than a call may take at all, so that what was printed
/// until then is not lost.
const TIMEOUT_MS: u64 = 110_000;

/// Where the shell's state is between calls.
const STATE: &str = "/tmp/.shell-state";

/// The directory that relative ones are relative to.
const PROJECT: &str = "/workspace";

tool_kit::input! {
    pub struct BashInput {
        /// The script.
        pub command: String,
        /// Where it runs, from now on: relative to the project, or absolute.
        pub cwd: Option<String>,
        /// Variables to set and export, from now on.
        pub env: Option<BTreeMap<String, String>>,
        /// What it reads from stdin; nothing by default.
        pub stdin: Option<String>,
        /// Ends it after so many milliseconds; 110,000 by default.
        #[schemars(range(min = 1))]
        pub timeout_ms: Option<u64>,
        /// Lets it run on after the call, for an hour by default. It has no network, and leaves no directory, variables or
        /// functions for later calls.
        pub background: Option<bool>,
    }
}

tool_kit::input! {
    pub struct JobsInput {
        /// Its number, as Bash returned it; without it all are listed.
        pub job: Option<u32>,
        /// Waits so many milliseconds for its end; 0 by default.
        #[schemars(range(max = 100_000))]
        pub wait_ms: Option<u64>,
        /// Ends it, and all that it has started.
        pub kill: Option<bool>,
    }
}

tool_kit::input! {
    pub struct CommandInput {
        /// The command's name and its arguments.
        #[schemars(length(min = 1))]
        pub argv: Vec<String>,
        /// Where it runs: relative to the project, or absolute.
        pub cwd: Option<String>,
        /// Variables of its environment.
        pub env: Option<BTreeMap<String, String>>,
        /// What it reads from stdin; nothing by default.
        pub stdin: Option<String>,
        /// Ends it after so many milliseconds; 110,000 by default.
        #[schemars(range(min = 1))]
        pub timeout_ms: Option<u64>,
    }
}

fn bash(mut input: BashInput, context: &Context) -> Result<Outcome, ToolError> {
    let (background, timeout_ms) = (input.background.take(), input.timeout_ms);
    let call = bash_call(input)?;
    if background != Some(true) {
        return run::run(call, context.call_id());
    }
    jobs::start(with_state_of_its_own(call, context.call_id()), timeout_ms, context.call_id())
}

/// Starts where the session's shell is, and leaves that as it is: other calls go on with it meanwhile.
fn with_state_of_its_own(mut call: Call, id: &str) -> Call {
    let own = format!("{STATE}-{}", run::plain(id));
    // There may be none yet.
    let _ = std::fs::copy(STATE, &own);
    if let Some(state) = call.argv.iter_mut().find(|argument| *argument == STATE) {
        *state = own;
    }
    call
}

fn jobs(input: JobsInput, _: &Context) -> Result<Outcome, ToolError> {
    match input.job {
        Some(job) => jobs::look(job, input.wait_ms.unwrap_or_default(), input.kill == Some(true)),
        None if input.kill == Some(true) => Err(ToolError::invalid("/job", "which one is to be ended?")),
        None => jobs::list(),
    }
}

fn command(input: CommandInput, context: &Context) -> Result<Outcome, ToolError> {
    run::run(command_call(input)?, context.call_id())
}

fn bash_call(input: BashInput) -> Result<Call, ToolError> {
    let mut argv: Vec<String> = vec!["sh".to_owned(), "--state".to_owned(), STATE.to_owned()];
    if let Some(cwd) = input.cwd {
        argv.extend(["--cd".to_owned(), absolute(&cwd)?]);
    }
    // Values stay values: they are handed over as arguments, never as part of the script.
    for (name, value) in environment(input.env)? {
        argv.extend(["--env".to_owned(), format!("{name}={value}")]);
    }
    argv.extend(["-c".to_owned(), input.command]);
    let (env, cwd) = (base(), PROJECT.to_owned());
    Ok(Call { argv, env, cwd, stdin: input.stdin, timeout_ms: timeout(input.timeout_ms)? })
}

fn command_call(input: CommandInput) -> Result<Call, ToolError> {
    if input.argv.first().is_none_or(String::is_empty) {
        return Err(ToolError::invalid("/argv", "there is no command's name"));
    }
    let cwd = absolute(input.cwd.as_deref().unwrap_or(PROJECT))?;
    let mut env = base();
    env.retain(|(name, _)| name != "PWD");
    env.push(("PWD".to_owned(), cwd.clone()));
    for (name, value) in environment(input.env)? {
        env.retain(|(known, _)| *known != name);
        env.push((name, value));
    }
    Ok(Call { argv: input.argv, env, cwd, stdin: input.stdin, timeout_ms: timeout(input.timeout_ms)? })
}

fn base() -> Vec<(String, String)> {
    let all = [
        ("HOME", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/bin:/bin"),
        ("PWD", PROJECT),
        ("TMPDIR", "/tmp"),
        ("USER", "user"),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn environment(given: Option<BTreeMap<String, String>>) -> Result<BTreeMap<String, String>, ToolError> {
    let given = given.unwrap_or_default();
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    for name in given.keys() {
        if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
            return Err(ToolError::invalid("/env", format!("{name:?} is no name of a variable")));
        }
    }
    Ok(given)
}

fn absolute(path: &str) -> Result<String, ToolError> {
    if path.is_empty() || path.contains('\0') {
        return Err(ToolError::invalid("/cwd", "it is no path"));
    }
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("{PROJECT}/{path}") })
}

fn timeout(given: Option<u64>) -> Result<u64, ToolError> {
    match given {
        Some(0) => Err(ToolError::invalid("/timeout_ms", "no time is no run: use 1 or more")),
        given => Ok(given.unwrap_or(TIMEOUT_MS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bash_argv(input: BashInput) -> Vec<String> {
        bash_call(input).unwrap().argv
    }

    #[test]
    fn what_a_model_gives_never_becomes_part_of_the_script() {
        let env = BTreeMap::from([("A".to_owned(), "$(rm -rf /)".to_owned())]);
        let cwd = Some("a; b".to_owned());
        let input = BashInput {
            command: "echo $A".to_owned(),
            cwd,
            env: Some(env),
            stdin: None,
            timeout_ms: None,
            background: None,
        };
        let expected = ["sh", "--state", STATE, "--cd", "/workspace/a; b", "--env", "A=$(rm -rf /)", "-c", "echo $A"];
        assert_eq!(bash_argv(input), expected);
    }

    #[test]
    fn what_makes_no_sense_is_pointed_at() {
        let pointer = |input: CommandInput| match command_call(input) {
            Err(ToolError::InvalidInput(error)) => error.pointer,
            other => panic!("{:?}", other.map(|call| call.argv)),
        };
        let input = || CommandInput { argv: vec!["ls".into()], cwd: None, env: None, stdin: None, timeout_ms: None };
        assert_eq!(pointer(CommandInput { argv: vec![], ..input() }), "/argv");
        assert_eq!(pointer(CommandInput { cwd: Some(String::new()), ..input() }), "/cwd");
        assert_eq!(pointer(CommandInput { timeout_ms: Some(0), ..input() }), "/timeout_ms");
        for name in ["", "1A", "A=B", "A B"] {
            let env = Some(BTreeMap::from([(name.to_owned(), String::new())]));
            assert_eq!(pointer(CommandInput { env, ..input() }), "/env", "{name:?}");
        }
    }

    #[test]
    fn a_command_starts_in_the_project_or_below() {
        let input = |cwd: Option<&str>| CommandInput {
            argv: vec!["ls".into()],
            cwd: cwd.map(str::to_owned),
            env: None,
            stdin: None,
            timeout_ms: None,
        };
        for (given, cwd) in [(None, "/workspace"), (Some("src"), "/workspace/src"), (Some("/tmp"), "/tmp")] {
            let call = command_call(input(given)).unwrap();
            assert_eq!(call.cwd, cwd);
            assert!(call.env.contains(&("PWD".to_owned(), cwd.to_owned())));
        }
    }
}
