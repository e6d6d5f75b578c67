//! Puts a session together: settings, model, components, project, user.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wardian_host::wit::{NetVerdict, Opened, Options};
use wardian_host::{
    Agent, AgentOptions, Code, Error, Files, Host, HostOptions, Layer, Net, ProjectAccess, SessionAccess, Tool, Turns,
    Ui,
};

use crate::embedded::{self, Carried};
use crate::failure::{Failure, open_failure};
use crate::home::{Home, Locked};
use crate::model::{self, Model};
use crate::provider_net::provider_net;
use crate::settings::{Flags, Settings};

/// Bytes of a component file; the largest known, a whole Python, has a tenth of this.
const COMPONENT_BYTES_MAX: u64 = 512 << 20;

/// Bytes of a scenario file.
const SCENARIO_BYTES_MAX: u64 = 16 << 20;

/// Which session a command works on.
pub enum Which {
    New,
    Existing(String),
    /// The newest of this project.
    Newest,
}

/// How a session is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Tools change the session's layer; the project is only read.
    Overlay,
    /// Tools change the project itself.
    Direct,
    /// To commit or to undo: the review may write to the project, no tool and no model is there.
    Commit,
}

/// The flags that choose a session to go on with.
#[derive(clap::Args)]
pub struct SessionFlags {
    /// Go on with this session
    #[arg(long, value_name = "ID", conflicts_with = "continue_newest")]
    session: Option<String>,
    /// Go on with the newest session of this project
    #[arg(long = "continue")]
    continue_newest: bool,
}

impl SessionFlags {
    /// Without a flag: a new session.
    pub fn which(&self) -> Which {
        match (&self.session, self.continue_newest) {
            (Some(id), _) => Which::Existing(id.clone()),
            (None, true) => Which::Newest,
            (None, false) => Which::New,
        }
    }
}

/// Everything that commands on a project share.
pub struct Case {
    pub home: Home,
    pub host: Host,
    pub project: PathBuf,
    pub settings: Settings,
    /// What becomes at most of requests to hosts that no rule names.
    pub unlisted_max: NetVerdict,
}

/// What the provider of a model is lent.
#[derive(Default)]
struct ForProvider {
    config: HashMap<String, String>,
    /// Its service, and nothing else.
    net: Option<Net>,
}

/// An agent with an open session.
pub struct Open {
    pub agent: Agent,
    pub session: Locked,
    pub opened: Opened,
}

impl Case {
    /// Also finishes a commit or undo that a crash interrupted, for which it must not be called by asynchronous code.
    pub fn new(directory: Option<&Path>, flags: &Flags) -> Result<Self, Failure> {
        let home = Home::find()?;
        let project = project(directory)?;
        // As the system knows it: a link must not hide that one is in the other.
        let state = fs::canonicalize(&home.folder).unwrap_or_else(|_| home.folder.clone());
        if state.starts_with(&project) || project.starts_with(&state) {
            return Err(Failure::usage(format!(
                "the project {} and Wardian's own state ({}) overlap",
                project.display(),
                home.folder.display()
            ))
            .hint("choose a project folder with -C, or set WARDIAN_HOME to a folder outside of it"));
        }
        let settings = Settings::load(&project, &home, flags)?;
        let host = host(&home)?;
        let case = Self { home, host, project, settings, unlisted_max: NetVerdict::Allow };
        crate::pending::recover(&case);
        Ok(case)
    }

    pub fn model(&self) -> &str {
        self.settings.model.as_deref().unwrap_or(model::DEFAULT)
    }

    /// Finds or creates the session, and keeps others off it.
    pub fn session(&self, which: &Which) -> Result<Locked, Failure> {
        match which {
            Which::New => self.home.create_session(),
            Which::Existing(id) => self.home.lock_session(&self.home.resolve(Some(id))?),
            Which::Newest => {
                let project = self.project.display().to_string();
                let id = self.home.sessions().into_iter().find(|id| {
                    first_line(&self.home.session(id).join("journal.jsonl"))
                        .is_some_and(|start| start["project"] == project.as_str())
                });
                let id = id.ok_or_else(|| {
                    Failure::usage(format!("{project} has no session to continue")).hint("leave out --continue")
                })?;
                self.home.lock_session(&id)
            }
        }
    }

    /// Starts the agent on a session and opens it.
    pub async fn open(&self, session: Locked, how: How, ui: Arc<dyn Ui>) -> Result<Open, Failure> {
        let folder = session.folder.clone();
        let result = self.start(session, how, ui).await;
        if result.is_err() && !folder.join("journal.jsonl").exists() {
            // Nothing was begun: a mistake leaves no empty session behind.
            let _ = fs::remove_dir_all(folder);
        }
        result
    }

    async fn start(&self, session: Locked, how: How, ui: Arc<dyn Ui>) -> Result<Open, Failure> {
        if let Some(project) = recorded_project(&session.folder)
            && project != self.project
            // One that was moved is still the session's project.
            && project.is_dir()
        {
            let project = project.display();
            return Err(Failure::usage(format!("session {} belongs to the project {project}", session.id))
                .hint(format!("work on it there: -C {project}")));
        }
        let (agent, lent, tools) = match how {
            How::Commit => (agent(&self.host)?, ForProvider::default(), Vec::new()),
            _ => {
                let model = Model::parse(self.model())?;
                let lent = self.for_provider(&model).await?;
                (agent_with(&self.host, model.provider())?, lent, self.tools(how).await?)
            }
        };
        let options = self.options(&session.id, &agent);
        let net = if how == How::Commit { None } else { self.net(&tools).await? };
        let mut agent = Agent::start(
            &self.host,
            AgentOptions {
                agent,
                tools,
                commands: crate::processes::commands(&self.host, how, &self.settings.components)?,
                files: Files {
                    project: self.project.clone(),
                    layer: Some(create_layer(&session.folder)?),
                    direct: how == How::Direct,
                },
                project: if how == How::Commit { ProjectAccess::Write } else { ProjectAccess::Read },
                session: session.folder.clone(),
                access: SessionAccess::Write,
                config: lent.config,
                provider_net: lent.net,
                net,
                ui,
            },
        )
        .await?;
        let opened = agent.open(&options).await?.map_err(|error| open_failure(&session.id, error))?;
        if opened.torn_bytes > 0 {
            eprintln!("note: cut a torn line of {} bytes off the journal's end", opened.torn_bytes);
        }
        if !opened.answered.is_empty() {
            let calls = opened.answered.join(", ");
            eprintln!("note: an earlier process ended during tool calls; they are answered as interrupted: {calls}");
        }
        Ok(Open { agent, session, opened })
    }

    async fn tools(&self, how: How) -> Result<Vec<Tool>, Failure> {
        let mut tools = Vec::new();
        for (name, bytes) in components(&self.settings.components)? {
            let code = match how {
                How::Direct => load_direct(&self.host, &name, &bytes)?,
                _ => load(&self.host, &name, &bytes)?,
            };
            tools.push(Tool::configured(&self.host, code, self.settings.tool_config(&name)).await?);
        }
        check_names(&tools)?;
        Ok(tools)
    }

    /// The network that tools are granted from, if any tool could use one.
    pub async fn net(&self, tools: &[Tool]) -> Result<Option<Net>, Failure> {
        let settings = &self.settings.net;
        let is_wanted = tools.iter().flat_map(|tool| tool.tools()).any(|tool| !tool.powers.net.is_empty());
        // Rules are read also where nobody uses them: a mistake is said at once.
        if !is_wanted && settings.rules.is_empty() {
            return Ok(None);
        }
        let options = settings.options(netfetch(&self.host)?, self.unlisted_max);
        Net::new(&self.host, options).await.map(Some).map_err(|error| match error {
            wardian_host::Error::Policy(message) => {
                Failure::usage(message).hint("docs/settings.md tells what a rule is")
            }
            error => error.into(),
        })
    }

    /// What the provider of a model is lent.
    async fn for_provider(&self, model: &Model) -> Result<ForProvider, Failure> {
        let scenario = match model {
            Model::Demo => embedded::SCENARIO.ok_or_else(no_components)?.to_owned(),
            Model::Script(path) => String::from_utf8(read_bounded(path, SCENARIO_BYTES_MAX)?)
                .map_err(|_| Failure::usage(format!("the scenario {} is not UTF-8", path.display())))?,
            Model::Service(service, name) => {
                let chosen = service.choose(name, &self.settings, |name| std::env::var(name).ok())?;
                let net = provider_net(&self.host, netfetch(&self.host)?, &chosen).await?;
                return Ok(ForProvider { config: chosen.config, net: Some(net) });
            }
        };
        let config = HashMap::from([("scenario".to_owned(), scenario)]);
        Ok(ForProvider { config, ..ForProvider::default() })
    }

    fn options(&self, session: &str, agent: &Code) -> Options {
        let settings = &self.settings;
        Options {
            session: session.to_owned(),
            wardian: env!("CARGO_PKG_VERSION").to_owned(),
            project: self.project.display().to_string(),
            agent: agent.digest.clone(),
            model: self.model().to_owned(),
            approve: settings.approve,
            rules: settings.rules.clone(),
            budget: settings.budget,
            limits: settings.limits,
            instructions: settings.instructions.clone(),
            context_bytes_max: settings.context_bytes_max,
            parallel_calls_max: settings.parallel_calls_max,
            retries_max: settings.retries_max,
            response_bytes_max: settings.response_bytes_max,
        }
    }
}

/// The project's folder, as the system knows it.
pub fn project(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    let directory = directory.unwrap_or(Path::new("."));
    let named = |what: &str| Failure::usage(format!("the project {} {what}", directory.display()));
    let project = fs::canonicalize(directory).map_err(|error| named(&format!("cannot be opened: {error}")))?;
    if project.is_dir() { Ok(project) } else { Err(named("is not a folder")) }
}

pub fn host(home: &Home) -> Result<Host, Failure> {
    Ok(Host::new(HostOptions { cache: Some(home.cache()) })?)
}

/// The agent for everything that needs no model.
pub fn agent(host: &Host) -> Result<Code, Failure> {
    load_agent(host, embedded::AGENTS.first())
}

/// The agent that was composed with this provider.
fn agent_with(host: &Host, provider: &str) -> Result<Code, Failure> {
    load_agent(host, embedded::AGENTS.iter().find(|(name, ..)| *name == provider))
}

/// The agent that a session was begun with, if this binary carries it. All answer a replay alike: what differs is not
/// asked.
pub fn recorded(host: &Host, folder: &Path) -> Result<Code, Failure> {
    let recorded = recorded_agent(folder);
    let known = embedded::AGENTS.iter().find(|(.., digest)| recorded.as_deref() == Some(*digest));
    load_agent(host, known.or(embedded::AGENTS.first()))
}

fn load_agent(host: &Host, agent: Option<&(&str, &'static [u8], &str)>) -> Result<Code, Failure> {
    let (_, bytes, digest) = agent.ok_or_else(no_components)?;
    announce(host, digest, "agent");
    Ok(host.load("agent", bytes, Some(digest))?)
}

/// The network policy that this binary carries.
pub fn netfetch(host: &Host) -> Result<Code, Failure> {
    let (bytes, digest) = embedded::NETFETCH.ok_or_else(no_components)?;
    announce(host, digest, "netfetch");
    Ok(host.load("netfetch", bytes, Some(digest))?)
}

fn no_components() -> Failure {
    Failure::failed("this wardian was built without components").hint("build it with: cargo xtask build")
}

/// What a session keeps of its own, in its folder.
fn layer(session: &Path) -> Layer {
    Layer { upper: session.join("upper"), scratch: session.join("tmp"), turns: Arc::new(Turns::default()) }
}

pub fn create_layer(session: &Path) -> Result<Layer, Failure> {
    let layer = layer(session);
    for folder in [&layer.upper, &layer.scratch] {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::failed(format!("cannot create {}: {error}", folder.display())))?;
    }
    Ok(layer)
}

/// Where a session's files are, as far as they still are where its journal says. For reading.
fn recorded_files(session: &Path) -> Files {
    let (project, layer) = (recorded_project(session).unwrap_or_default(), layer(session));
    let whole = [&project, &layer.upper, &layer.scratch].iter().all(|folder| folder.is_dir());
    Files { project, layer: whole.then_some(layer), direct: false }
}

/// An agent for looking at a session: nothing is lent but its folder, its layer and its project, all read-only.
pub async fn reader(host: &Host, folder: &Path, ui: Arc<dyn Ui>, tools: Vec<Tool>) -> Result<Agent, Failure> {
    let options = AgentOptions {
        agent: recorded(host, folder)?,
        tools,
        commands: Arc::default(),
        files: recorded_files(folder),
        project: ProjectAccess::Read,
        session: folder.to_owned(),
        access: SessionAccess::Read,
        config: HashMap::new(),
        provider_net: None,
        net: None,
        ui,
    };
    Ok(Agent::start(host, options).await?)
}

/// Where a component's bytes are.
pub enum Bytes {
    Embedded(&'static Carried),
    Read(Vec<u8>),
}

impl Bytes {
    pub fn digest(&self) -> Cow<'_, str> {
        match self {
            Self::Embedded(carried) => carried.digest.into(),
            Self::Read(bytes) => wardian_bundle::digest(bytes).into(),
        }
    }

    pub fn get(&self) -> Result<Cow<'_, [u8]>, String> {
        match self {
            Self::Embedded(carried) => carried.bytes(),
            Self::Read(bytes) => Ok(bytes.into()),
        }
    }
}

/// The tool components: those that this binary carries and those from files.
pub fn components(files: &[PathBuf]) -> Result<Vec<(String, Bytes)>, Failure> {
    let mut components: Vec<(String, Bytes)> =
        embedded::COMPONENTS.iter().map(|carried| (carried.name.to_owned(), Bytes::Embedded(carried))).collect();
    components.extend(component_files(files, false)?);
    Ok(components)
}

/// The command components among files.
pub fn command_files(files: &[PathBuf]) -> Result<Vec<(String, Bytes)>, Failure> {
    component_files(files, true)
}

fn component_files(files: &[PathBuf], commands: bool) -> Result<Vec<(String, Bytes)>, Failure> {
    let mut components = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        let bytes = read_bounded(path, COMPONENT_BYTES_MAX)?;
        check_component(path, &bytes)?;
        if is_command(&bytes) == commands {
            components.push((name, Bytes::Read(bytes)));
        }
    }
    Ok(components)
}

/// A program, as opposed to a tool.
fn is_command(bytes: &[u8]) -> bool {
    let runs = |export: &String| export.starts_with("wasi:cli/run@");
    wardian_bundle::inspect(bytes).is_ok_and(|inspection| inspection.exports.iter().any(runs))
}

/// Says in one line what is wrong with a file that is no component.
pub fn check_component(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    wardian_bundle::validate(bytes).map_err(|error| {
        let error = error.to_string();
        let reason = error.lines().next().unwrap_or_default();
        Failure::usage(format!("{} is no component: {reason}", path.display()))
    })
}

/// A tool or command in the workspace: its changes are the session's until they are committed.
pub fn load(host: &Host, name: &str, bytes: &Bytes) -> Result<Code, Error> {
    let without = || Error::Compose { name: name.to_owned(), reason: "this wardian was built without one".to_owned() };
    let (workspace, workspace_digest) = embedded::WORKSPACE.ok_or_else(without)?;
    let digest = bytes.digest();
    let key = wardian_bundle::plug_key(&digest, workspace_digest);
    announce(host, &key, name);
    let compose = || wardian_bundle::plug(&bytes.get()?, workspace).map_err(|error| error.to_string());
    host.load_in_workspace(name, &digest, &key, compose)
}

/// A component as it is, to work on the project itself.
pub fn load_direct(host: &Host, name: &str, bytes: &Bytes) -> Result<Code, Error> {
    let digest = bytes.digest();
    announce(host, &digest, name);
    host.load_lazily(name, &digest, || bytes.get().map(Cow::into_owned))
}

/// Compiling takes seconds, once: the user should know what the wait is for.
fn announce(host: &Host, key: &str, name: &str) {
    if !host.is_compiled(key) {
        eprintln!("compiling component {name} for this machine (once) …");
    }
}

/// Reads a file whole, if it is not larger than it should be.
pub fn read_bounded(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > bytes_max {
        return Err(Failure::usage(format!("{} has {size} bytes, more than {bytes_max}", path.display())));
    }
    fs::read(path).map_err(failed)
}

/// Two tools of one name: the model could not say which one it means.
fn check_names(tools: &[Tool]) -> Result<(), Failure> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for tool in tools {
        for info in tool.tools() {
            if let Some(other) = seen.insert(&info.name, &tool.code().name) {
                return Err(Failure::usage(format!(
                    "the tool {} is in two components: {other} and {}",
                    info.name,
                    tool.code().name
                )));
            }
        }
    }
    Ok(())
}

/// The digest of the agent that a session was begun with.
pub fn recorded_agent(folder: &Path) -> Option<String> {
    first_line(&folder.join("journal.jsonl"))?["agent"].as_str().map(str::to_owned)
}

/// The project that a session was begun on.
pub fn recorded_project(folder: &Path) -> Option<PathBuf> {
    first_line(&folder.join("journal.jsonl"))?["project"].as_str().map(PathBuf::from)
}

fn first_line(path: &Path) -> Option<serde_json::Value> {
    use std::io::{BufRead, BufReader, Read};
    let mut line = String::new();
    BufReader::new(fs::File::open(path).ok()?.take(SCENARIO_BYTES_MAX)).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}
