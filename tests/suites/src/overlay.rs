//! A workspace by itself, through the host's library: no session, no process for each step, thousands of operations a
//! second.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wardian_host::wit::{
    Answer as Permission, Approve, Budget, Change, Commit, CommitOptions, Event, FileAccess, Grant, Options, Powers,
    Question, ReviewError, ReviewOptions, Selected, ToolCall, Unlisted, Update,
};
use wardian_host::{
    Agent, AgentOptions, Code, Files, Host, HostOptions, Layer, Limits, ProjectAccess, SessionAccess, Spawned, Tool,
    ToolCallOptions, Turns, Ui, UiFuture,
};

use crate::files::{self, Answer, Step};
use crate::{dist, world};

/// A tree by path, as [`files::walk`] tells it.
pub type Tree = BTreeMap<String, String>;

/// What all of them share.
struct Kit {
    runtime: Runtime,
    host: Host,
    guests: Tool,
    agent: Code,
}

fn kit() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        let host = Host::new(HostOptions { cache: Some(world::warm()) }).unwrap();
        let read = |name: &str| fs::read(dist::built(name)).unwrap();
        let (guests, workspace) = (read("tests/guests.wasm"), read("components/workspace.wasm"));
        let digest = wardian_bundle::digest(&guests);
        let key = wardian_bundle::plug_key(&digest, &wardian_bundle::digest(&workspace));
        let compose = || wardian_bundle::plug(&guests, &workspace).map_err(|error| error.to_string());
        let code = host.load_in_workspace("guests", &digest, &key, compose).unwrap();
        let guests = runtime.block_on(Tool::new(&host, code)).unwrap();
        let agent = host.load("agent", &read("bundles/default/agent.wasm"), None).unwrap();
        Kit { runtime, host, guests, agent }
    })
}

/// Nobody is there.
struct Nobody;

impl Ui for Nobody {
    fn event(&self, _: Event) {}

    fn progress(&self, _: &str, _: Update) {}

    fn ask(&self, _: Question) -> UiFuture<Permission> {
        Box::pin(std::future::pending())
    }
}

/// A project and a session's layer over it.
pub struct Overlay {
    folder: TempDir,
    turns: Arc<Turns>,
}

impl Default for Overlay {
    fn default() -> Self {
        Self::new()
    }
}

impl Overlay {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wardian-overlay-").tempdir().unwrap();
        for name in ["project", "upper", "tmp", "session"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, turns: Arc::default() }
    }

    /// Beside the project, and out of reach.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn files(&self) -> Files {
        let layer = Layer {
            upper: self.folder.path().join("upper"),
            scratch: self.folder.path().join("tmp"),
            turns: self.turns.clone(),
        };
        Files { project: self.project(), layer: Some(layer), direct: false }
    }

    fn options(&self, files: FileAccess) -> ToolCallOptions {
        let powers = Powers { files, net: vec![], process: vec![], env: vec![] };
        // One call has an answer for each of many steps.
        let limits = Limits { output_bytes_max: 64 << 20, ..Limits::default() };
        ToolCallOptions {
            grant: Grant { powers, limits, unlisted: Unlisted::Deny },
            files: self.files(),
            net: None,
            activities: Arc::default(),
            commands: Arc::default(),
            jobs: None,
            progress: None,
        }
    }

    /// Calls a tool of the guests, in an instance of its own.
    #[track_caller]
    pub fn call(&self, access: FileAccess, tool: &str, input: &Value) -> Value {
        let finished = kit().runtime.block_on(kit().guests.call(&tool_call(tool, input), &self.options(access)));
        data(finished.result)
    }

    /// Runs steps below `/workspace`, in an instance of their own.
    #[track_caller]
    pub fn steps(&self, steps: &[Step]) -> Vec<Answer> {
        self.steps_at("/workspace", FileAccess::Write, steps)
    }

    #[track_caller]
    pub fn steps_at(&self, root: &str, access: FileAccess, steps: &[Step]) -> Vec<Answer> {
        answers(self.call(access, "Files", &json!({ "root": root, "steps": steps })))
    }

    /// One step, which must succeed.
    #[track_caller]
    pub fn step(&self, step: Step) -> Value {
        match self.steps(std::slice::from_ref(&step)).pop() {
            Some(Answer::Ok(value)) => value,
            other => panic!("{step:?}: {other:?}"),
        }
    }

    /// Calls of `wasi:filesystem` itself, as [`json!`].
    #[track_caller]
    pub fn raw(&self, access: FileAccess, calls: &Value) -> Vec<Value> {
        let answers = self.call(access, "RawFiles", &json!({ "calls": calls }));
        answers.as_array().expect("a list of answers").clone()
    }

    /// Starts steps that run while others do.
    pub fn start(&self, steps: &[Step]) -> Started {
        let input = json!({ "root": "/workspace", "steps": steps });
        let _inside = kit().runtime.enter();
        Started(kit().guests.spawn(tool_call("Files", &input), self.options(FileAccess::Write)))
    }

    /// What programs see below `/workspace`.
    #[track_caller]
    pub fn tree(&self) -> Tree {
        serde_json::from_value(self.step(Step::Tree { path: String::new() })).unwrap()
    }

    /// What the project itself has.
    pub fn project_tree(&self) -> Tree {
        tree(&self.project())
    }

    /// Whoever reviews and commits.
    pub fn review(&self) -> Review {
        let options = AgentOptions {
            agent: kit().agent.clone(),
            tools: Vec::new(),
            commands: Arc::default(),
            files: self.files(),
            project: ProjectAccess::Write,
            session: self.folder.path().join("session"),
            access: SessionAccess::Write,
            config: HashMap::new(),
            net: None,
            provider_net: None,
            ui: Arc::new(Nobody),
        };
        kit().runtime.block_on(async {
            let mut agent = Agent::start(&kit().host, options).await.unwrap();
            // What is changed is journaled.
            agent.open(&session_options(&self.project())).await.unwrap().unwrap();
            Review(agent)
        })
    }
}

fn session_options(project: &Path) -> Options {
    Options {
        session: "overlay".to_owned(),
        wardian: env!("CARGO_PKG_VERSION").to_owned(),
        project: project.display().to_string(),
        agent: kit().agent.digest.clone(),
        model: "none".to_owned(),
        approve: Approve::None,
        rules: Vec::new(),
        budget: Budget { steps_max: None, seconds_max: None, tokens_max: None, result_bytes_max: None },
        limits: Limits::default(),
        instructions: String::new(),
        context_bytes_max: 600_000,
        parallel_calls_max: 1,
        retries_max: 0,
        response_bytes_max: 1 << 20,
    }
}

/// A tree of this machine.
pub fn tree(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    files::walk(&folder.display().to_string(), "", &mut tree).unwrap();
    tree
}

fn tool_call(tool: &str, input: &Value) -> ToolCall {
    ToolCall { id: "call".to_owned(), tool: tool.to_owned(), input: input.to_string() }
}

#[track_caller]
fn data<F: std::fmt::Debug>(
    result: Result<Result<wardian_host::wit::Outcome, wardian_host::wit::ToolError>, F>,
) -> Value {
    let outcome = result.expect("no fault").expect("the tool answers");
    serde_json::from_str(&outcome.data.expect("answers are data")).unwrap()
}

#[track_caller]
fn answers(data: Value) -> Vec<Answer> {
    serde_json::from_value(data).unwrap()
}

/// Steps under way.
pub struct Started(Spawned);

impl Started {
    /// Waits for the answers.
    #[track_caller]
    pub fn answers(self) -> Vec<Answer> {
        answers(data(kit().runtime.block_on(self.0.finish()).result))
    }
}

/// A review of one overlay, as `wardian changes`, `commit` and the others do it.
pub struct Review(Agent);

impl Review {
    /// Every change, ignored ones too.
    pub fn changes(&mut self) -> Vec<Change> {
        let options = ReviewOptions { paths: vec![], ignored: true };
        kit().runtime.block_on(self.0.changes(&options)).unwrap().unwrap().changes
    }

    /// The changes that are shown without being asked for more, and how many are left out.
    pub fn shown(&mut self) -> (Vec<Change>, u64) {
        let options = ReviewOptions { paths: vec![], ignored: false };
        let list = kit().runtime.block_on(self.0.changes(&options)).unwrap().unwrap();
        (list.changes, list.ignored)
    }

    pub fn commit(&mut self, options: &CommitOptions) -> Result<Commit, ReviewError> {
        kit().runtime.block_on(async {
            let plan = self.0.plan(options).await.unwrap()?;
            self.0.apply(plan).await.unwrap()
        })
    }

    /// Commits everything, ignored changes too.
    pub fn commit_all(&mut self) -> Result<Commit, ReviewError> {
        self.commit(&CommitOptions { selection: None, ignored: true, overwrite: false })
    }

    pub fn commit_paths(&mut self, paths: &[String]) -> Result<Commit, ReviewError> {
        let selected = |path: &String| Selected { path: path.clone(), blocks: None };
        let selection = Some(paths.iter().map(selected).collect());
        self.commit(&CommitOptions { selection, ignored: true, overwrite: false })
    }

    pub fn discard(&mut self, paths: &[String]) -> Result<Vec<String>, ReviewError> {
        kit().runtime.block_on(self.0.discard(paths, true)).unwrap()
    }

    pub fn undo(&mut self) -> Result<Commit, ReviewError> {
        kit().runtime.block_on(self.0.undo()).unwrap()
    }

    /// What every review begins with.
    pub fn recover(&mut self) -> Result<Option<Commit>, ReviewError> {
        kit().runtime.block_on(self.0.recover()).unwrap()
    }
}
