//! A tool: its name, what models are told about it, its powers, and its function.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{FileAccess, Outcome, Powers, ToolCall, ToolError, ToolInfo, input};

/// What a tool is told about its call besides the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    call_id: String,
}

impl Context {
    /// For tests; in a component the host's call makes it.
    pub fn new(call_id: impl Into<String>) -> Self {
        Self { call_id: call_id.into() }
    }

    /// The id of the call, unique in a session.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }
}

type Run = Box<dyn Fn(&str, &Context) -> Result<Outcome, ToolError>>;

/// A tool that [`export!`](crate::export) offers. Without further words it has no power.
pub struct Tool {
    name: &'static str,
    description: &'static str,
    // Made when asked for: a call needs no schema, and each call is a fresh instance.
    schema: fn() -> String,
    powers: Powers,
    run: Run,
}

impl Tool {
    /// A tool called `name` (letters, digits, `_` and `-`, at most 64 bytes) that runs `run`. The description tells
    /// a model when and how to use it, and fixes the shape of the result's data, if it has any.
    pub fn new<I: DeserializeOwned + JsonSchema>(
        name: &'static str,
        description: &'static str,
        run: impl Fn(I, &Context) -> Result<Outcome, ToolError> + 'static,
    ) -> Self {
        Self {
            name,
            description,
            schema: input::schema::<I>,
            powers: Powers { files: FileAccess::None, net: Vec::new(), process: Vec::new(), env: Vec::new() },
            run: Box::new(move |text, context| run(input::parse(text)?, context)),
        }
    }

    /// It reads and lists files of the workspace.
    pub fn reads_files(mut self) -> Self {
        self.powers.files = FileAccess::Read;
        self
    }

    /// It reads, creates, changes and removes files of the workspace.
    pub fn writes_files(mut self) -> Self {
        self.powers.files = FileAccess::Write;
        self
    }

    /// It sends requests to these hosts: `HOST`, `HOST:PORT`, `*.SUFFIX` or `*`.
    pub fn sends_to<const N: usize>(mut self, hosts: [&str; N]) -> Self {
        self.powers.net.extend(hosts.map(str::to_owned));
        self
    }

    /// It starts these commands, or `*`.
    pub fn starts<const N: usize>(mut self, commands: [&str; N]) -> Self {
        self.powers.process.extend(commands.map(str::to_owned));
        self
    }

    /// It reads these environment variables.
    pub fn reads_env<const N: usize>(mut self, names: [&str; N]) -> Self {
        self.powers.env.extend(names.map(str::to_owned));
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name
    }
}

/// What [`export!`](crate::export) answers to `list`.
pub fn list(tools: &[Tool]) -> Vec<ToolInfo> {
    let info = |tool: &Tool| ToolInfo {
        name: tool.name.to_owned(),
        description: tool.description.to_owned(),
        input_schema: (tool.schema)(),
        powers: tool.powers.clone(),
    };
    tools.iter().map(info).collect()
}

/// What [`export!`](crate::export) answers to `call`; a test can ask the same.
pub fn call(tools: &[Tool], call: &ToolCall) -> Result<Outcome, ToolError> {
    match tools.iter().find(|tool| tool.name == call.tool) {
        Some(tool) => (tool.run)(&call.input, &Context::new(&call.id)),
        None => Err(ToolError::UnknownTool(call.tool.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    struct Input {
        text: String,
    }

    fn tools() -> [Tool; 2] {
        let echo = |input: Input, context: &Context| Ok(Outcome::text(format!("{} {}", context.call_id(), input.text)));
        let fail = |_: Input, _: &Context| Err("no".into());
        [
            Tool::new("Echo", "Echoes.", echo),
            Tool::new("Fail", "Fails.", fail)
                .reads_files()
                .writes_files()
                .sends_to(["a.test"])
                .starts(["sh"])
                .reads_env(["HOME"]),
        ]
    }

    fn ask(tool: &str, input: &str) -> Result<Outcome, ToolError> {
        call(&tools(), &ToolCall { id: "c1".into(), tool: tool.into(), input: input.into() })
    }

    #[test]
    fn a_call_reaches_its_tool() {
        assert_eq!(ask("Echo", r#"{"text": "x"}"#).unwrap(), Outcome::text("c1 x"));
        assert_eq!(ask("Fail", r#"{"text": "x"}"#), Err(ToolError::failed("no")));
        assert_eq!(ask("None", "{}"), Err(ToolError::UnknownTool("None".into())));
        assert!(matches!(ask("Echo", "{}"), Err(ToolError::InvalidInput(_))));
    }

    #[test]
    fn a_list_says_what_was_declared() {
        let list = list(&tools());
        assert_eq!((list[0].name.as_str(), list[0].powers.files), ("Echo", FileAccess::None));
        assert!(list[0].input_schema.contains(r#""type":"object""#));
        let powers = &list[1].powers;
        assert_eq!(powers.files, FileAccess::Write);
        assert_eq!(
            (&powers.net[..], &powers.process[..], &powers.env[..]),
            (&["a.test".to_owned()][..], &["sh".to_owned()][..], &["HOME".to_owned()][..])
        );
    }
}
