//! Settings: `wardian.toml` in the project, then `config.toml` in `$WARDIAN_HOME`, then flags.
//!
//! A project's file came with the project, perhaps from a stranger: it can narrow what the agent may do, never widen it.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wardian_host::Limits;
use wardian_host::wit::{Approve, Budget, Rule, Verdict};

use crate::failure::Failure;
use crate::home::{Home, SMALL_FILE_BYTES_MAX};
use crate::model::{Prices, Services};
use crate::net::{Net, NetFile};
use crate::search::{self, Search, SearchFile};

pub const PROJECT_FILE: &str = "wardian.toml";
pub const HOME_FILE: &str = "config.toml";

/// Model requests of one run.
const STEPS_MAX: u64 = 200;
/// Bytes of text in the model's context: about 150,000 tokens.
const CONTEXT_BYTES_MAX: u64 = 600_000;
/// Tool calls that one step may have under way at once.
const PARALLEL_CALLS_MAX: u32 = 8;
/// Further tries of a model request.
const RETRIES_MAX: u32 = 5;
/// Bytes of one streamed answer.
const RESPONSE_BYTES_MAX: u64 = 4 << 20;
/// Bytes of the instructions that a project and its user give.
const INSTRUCTIONS_BYTES_MAX: usize = 256 << 10;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    model: Option<String>,
    approve: Option<Mode>,
    instructions: Option<String>,
    /// Paths of further tool components.
    components: Vec<PathBuf>,
    budget: BudgetFile,
    limits: LimitsFile,
    session: SessionFile,
    rule: Vec<RuleFile>,
    net: NetFile,
    models: Option<Services>,
    prices: Prices,
    search: Option<SearchFile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
// From the strictest to the most lenient.
pub enum Mode {
    /// Refuse every call that needs a power, unless a rule allows it
    None,
    /// Ask for every call that needs a power
    Ask,
    /// Allow calls that only read files, ask for the rest
    Reads,
    /// Allow calls that need files only, ask for the rest: the project changes only by a commit
    Files,
    /// Allow every call
    All,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BudgetFile {
    steps_max: Option<u64>,
    seconds_max: Option<u64>,
    tokens_max: Option<u64>,
    result_bytes_max: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsFile {
    wall_ms_max: Option<u64>,
    cpu_ms_max: Option<u64>,
    memory_bytes_max: Option<u64>,
    table_elements_max: Option<u32>,
    output_bytes_max: Option<u64>,
    hostcalls_max: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SessionFile {
    context_bytes_max: Option<u64>,
    parallel_calls_max: Option<u32>,
    retries_max: Option<u32>,
    response_bytes_max: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    verdict: VerdictFile,
    tool: String,
    subject: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictFile {
    Allow,
    Ask,
    Deny,
}

/// What holds after files and flags.
pub struct Settings {
    pub model: Option<String>,
    pub approve: Approve,
    pub rules: Vec<Rule>,
    pub budget: Budget,
    pub limits: Limits,
    pub instructions: String,
    pub components: Vec<PathBuf>,
    pub context_bytes_max: u64,
    pub parallel_calls_max: u32,
    pub retries_max: u32,
    pub response_bytes_max: u64,
    pub net: Net,
    pub models: Services,
    pub prices: Prices,
    pub search: Option<Search>,
}

/// Flags that win over the files.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// The model: demo, script:FILE, openai/NAME, chat/NAME, anthropic/NAME
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// What may run without a question
    #[arg(long, value_name = "MODE")]
    pub approve: Option<Mode>,
    /// Model requests that the task may take
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// Seconds that the task may take
    #[arg(long, value_name = "N")]
    pub max_seconds: Option<u64>,
    /// Tokens that the task may use
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u64>,
    /// A further tool component (repeatable)
    #[arg(long = "component", value_name = "FILE.wasm")]
    pub components: Vec<PathBuf>,
    /// A host that tools may send requests to; '*' for any public one (repeatable)
    #[arg(long = "net", value_name = "HOST[:PORT]")]
    pub net: Vec<String>,
}

fn read(path: &Path) -> Result<Option<File>, Failure> {
    let size = match fs::metadata(path) {
        Ok(data) => data.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::usage(format!("cannot read {}: {error}", path.display()))),
    };
    if size > SMALL_FILE_BYTES_MAX {
        return Err(Failure::usage(format!("{} is too large for settings ({size} bytes)", path.display())));
    }
    let text =
        fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    let file = parse(&text, path)?;
    check_limits(&file, path)?;
    Ok(Some(file))
}

/// A limit of zero would allow nothing at all.
fn check_limits(file: &File, path: &Path) -> Result<(), Failure> {
    let LimitsFile { wall_ms_max, cpu_ms_max, memory_bytes_max, table_elements_max, output_bytes_max, hostcalls_max } =
        &file.limits;
    let BudgetFile { steps_max, seconds_max, tokens_max, result_bytes_max } = &file.budget;
    let zero = [
        ("limits.wall_ms_max", *wall_ms_max),
        ("limits.cpu_ms_max", *cpu_ms_max),
        ("limits.memory_bytes_max", *memory_bytes_max),
        ("limits.table_elements_max", table_elements_max.map(u64::from)),
        ("limits.output_bytes_max", *output_bytes_max),
        ("limits.hostcalls_max", *hostcalls_max),
        ("budget.steps_max", *steps_max),
        ("budget.seconds_max", *seconds_max),
        ("budget.tokens_max", *tokens_max),
        ("budget.result_bytes_max", *result_bytes_max),
    ]
    .into_iter()
    .find(|(_, value)| *value == Some(0));
    match zero {
        Some((name, _)) => Err(Failure::usage(format!("{}: {name} must be at least 1", path.display()))),
        None => Ok(()),
    }
}

fn parse(text: &str, path: &Path) -> Result<File, Failure> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        let line = if error.span().is_some_and(|span| text[..span.start.min(text.len())].ends_with('\n')) {
            line + 1
        } else {
            line
        };
        Failure::usage(format!("{}:{line}: {}", path.display(), error.message()))
    })
}

/// A project may not grant its agent what its user has not.
fn check_project(file: &File, path: &Path) -> Result<(), Failure> {
    let only_home = |what: &str| {
        Err(Failure::usage(format!("{}: {what} would widen what the agent may do", path.display()))
            .hint(format!("put it into {HOME_FILE} in $WARDIAN_HOME, which is yours alone")))
    };
    if file.rule.iter().any(|rule| rule.verdict == VerdictFile::Allow) {
        return only_home("an allow rule");
    }
    if !file.components.is_empty() {
        return only_home("`components`");
    }
    if let Some(what) = file.net.widens() {
        return only_home(what);
    }
    // Whoever says where requests go gets the conversation, and the key.
    if file.models.is_some() {
        return only_home("`models`");
    }
    if !file.prices.is_empty() {
        return only_home("`prices`");
    }
    // Whoever says where searches go gets the key.
    if file.search.is_some() {
        return only_home("`search`");
    }
    Ok(())
}

impl Settings {
    /// What a tool component finds in its configuration.
    pub fn tool_config(&self, component: &str) -> HashMap<String, String> {
        match &self.search {
            Some(search) if component == search::COMPONENT => search.config.clone(),
            _ => HashMap::new(),
        }
    }

    pub fn load(project: &Path, home: &Home, flags: &Flags) -> Result<Self, Failure> {
        let project_path = project.join(PROJECT_FILE);
        let own = read(&project_path)?.unwrap_or_default();
        check_project(&own, &project_path)?;
        let mut user = read(&home.folder.join(HOME_FILE))?.unwrap_or_default();
        // A relative path is meant from where it is written.
        for component in &mut user.components {
            *component = home.folder.join(&*component);
        }
        Self::merge(own, user, flags)
    }

    fn merge(project: File, user: File, flags: &Flags) -> Result<Self, Failure> {
        /// The flag, else the lower of the two files' bounds, else the default.
        fn bound<T: Ord + Copy>(flag: Option<T>, project: Option<T>, user: Option<T>, default: Option<T>) -> Option<T> {
            flag.or_else(|| match (project, user.or(default)) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            })
        }
        let user_mode = user.approve.unwrap_or(Mode::Files);
        let mode = flags.approve.unwrap_or_else(|| project.approve.map_or(user_mode, |mode| mode.min(user_mode)));
        let (own, yours) = ((project.net, PROJECT_FILE), (user.net, HOME_FILE, Path::new(HOME_FILE)));
        let mut net = Net::merge(own, yours, &flags.net)?;
        let search = user.search.unwrap_or_default().choose(|name| std::env::var(name).ok())?;
        if let Some(search) = &search {
            net.lend(search);
        }
        let limits = Limits::default();
        let limit = |project, user, default| bound(None, project, user, Some(default)).unwrap_or(default);
        let instructions: Vec<String> = [user.instructions, project.instructions].into_iter().flatten().collect();
        let instructions = instructions.join("\n\n");
        if instructions.len() > INSTRUCTIONS_BYTES_MAX {
            return Err(Failure::usage(format!("the instructions are longer than {INSTRUCTIONS_BYTES_MAX} bytes")));
        }
        // A bound that would be zero would mean "never": say it with --approve none instead.
        let zero: BTreeSet<&str> = [
            ("--max-steps", flags.max_steps),
            ("--max-seconds", flags.max_seconds),
            ("--max-tokens", flags.max_tokens),
        ]
        .into_iter()
        .filter_map(|(name, value)| (value == Some(0)).then_some(name))
        .collect();
        if let Some(name) = zero.first() {
            return Err(Failure::usage(format!("{name} must be at least 1")));
        }
        Ok(Self {
            model: flags.model.clone().or(project.model).or(user.model),
            approve: match mode {
                Mode::None => Approve::None,
                Mode::Ask => Approve::Ask,
                Mode::Reads => Approve::Reads,
                Mode::Files => Approve::Files,
                Mode::All => Approve::All,
            },
            rules: project.rule.into_iter().chain(user.rule).map(rule).collect(),
            budget: Budget {
                steps_max: bound(flags.max_steps, project.budget.steps_max, user.budget.steps_max, Some(STEPS_MAX)),
                seconds_max: bound(flags.max_seconds, project.budget.seconds_max, user.budget.seconds_max, None),
                tokens_max: bound(flags.max_tokens, project.budget.tokens_max, user.budget.tokens_max, None),
                result_bytes_max: bound(None, project.budget.result_bytes_max, user.budget.result_bytes_max, None),
            },
            limits: Limits {
                wall_ms_max: limit(project.limits.wall_ms_max, user.limits.wall_ms_max, limits.wall_ms_max),
                cpu_ms_max: limit(project.limits.cpu_ms_max, user.limits.cpu_ms_max, limits.cpu_ms_max),
                memory_bytes_max: limit(
                    project.limits.memory_bytes_max,
                    user.limits.memory_bytes_max,
                    limits.memory_bytes_max,
                ),
                table_elements_max: bound(
                    None,
                    project.limits.table_elements_max,
                    user.limits.table_elements_max,
                    Some(limits.table_elements_max),
                )
                .unwrap_or(limits.table_elements_max),
                output_bytes_max: limit(
                    project.limits.output_bytes_max,
                    user.limits.output_bytes_max,
                    limits.output_bytes_max,
                ),
                hostcalls_max: limit(project.limits.hostcalls_max, user.limits.hostcalls_max, limits.hostcalls_max),
            },
            instructions,
            components: user.components.into_iter().chain(flags.components.iter().cloned()).collect(),
            context_bytes_max: limit(
                project.session.context_bytes_max,
                user.session.context_bytes_max,
                CONTEXT_BYTES_MAX,
            ),
            parallel_calls_max: bound(
                None,
                project.session.parallel_calls_max,
                user.session.parallel_calls_max,
                Some(PARALLEL_CALLS_MAX),
            )
            .unwrap_or(PARALLEL_CALLS_MAX),
            retries_max: bound(None, project.session.retries_max, user.session.retries_max, Some(RETRIES_MAX))
                .unwrap_or(RETRIES_MAX),
            response_bytes_max: limit(
                project.session.response_bytes_max,
                user.session.response_bytes_max,
                RESPONSE_BYTES_MAX,
            ),
            net,
            models: user.models.unwrap_or_default(),
            prices: user.prices,
            search,
        })
    }

    #[cfg(test)]
    pub fn for_models(models: Services) -> Self {
        let user = File { models: Some(models), ..File::default() };
        Self::merge(File::default(), user, &Flags::default()).unwrap()
    }
}

fn rule(rule: RuleFile) -> Rule {
    let verdict = match rule.verdict {
        VerdictFile::Allow => Verdict::Allow,
        VerdictFile::Ask => Verdict::Ask,
        VerdictFile::Deny => Verdict::Deny,
    };
    Rule { verdict, tool: rule.tool, subject: rule.subject }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        parse(text, Path::new("wardian.toml")).unwrap()
    }

    fn message(text: &str) -> String {
        format!("{:?}", parse(text, Path::new("wardian.toml")).unwrap_err())
    }

    #[test]
    fn unknown_keys_are_named_with_their_line() {
        let error = message("model = \"demo\"\n\n[budget]\nsteps = 3\n");
        assert!(error.contains("wardian.toml:4:") && error.contains("steps"), "{error}");
        let error = message("modle = \"demo\"\n");
        assert!(error.contains("wardian.toml:1:") && error.contains("modle"), "{error}");
    }

    #[test]
    fn a_project_narrows_but_never_widens() {
        let merge = |project: &str, user: &str| Settings::merge(file(project), file(user), &Flags::default()).unwrap();
        assert_eq!(merge("approve = \"all\"", "").approve, Approve::Files);
        assert_eq!(merge("approve = \"none\"", "approve = \"all\"").approve, Approve::None);
        assert_eq!(merge("", "approve = \"all\"").approve, Approve::All);
        assert_eq!(merge("[budget]\nsteps_max = 1000", "").budget.steps_max, Some(STEPS_MAX));
        assert_eq!(merge("[budget]\nsteps_max = 7", "").budget.steps_max, Some(7));
        assert_eq!(merge("", "[budget]\nsteps_max = 1000").budget.steps_max, Some(1000));
        let path = Path::new("wardian.toml");
        assert!(check_limits(&file("[limits]\nwall_ms_max = 0"), path).is_err());
        assert!(check_limits(&file("[limits]\nwall_ms_max = 1"), path).is_ok());
        assert!(check_project(&file("[[rule]]\nverdict = \"allow\"\ntool = \"*\""), path).is_err());
        assert!(check_project(&file("components = [\"x.wasm\"]"), path).is_err());
        assert!(check_project(&file("[models.openai]\nbase_url = \"https://elsewhere\""), path).is_err());
        assert!(check_project(&file("[prices.\"openai/x\"]\ninput = 0\noutput = 0"), path).is_err());
        assert!(check_project(&file("[search]\nservice = \"brave\""), path).is_err());
        assert!(check_project(&file("[[rule]]\nverdict = \"deny\"\ntool = \"*\""), path).is_ok());
    }

    #[test]
    fn flags_win() {
        let flags = Flags { approve: Some(Mode::All), max_steps: Some(9), ..Flags::default() };
        let settings = Settings::merge(file("approve = \"none\""), file("[budget]\nsteps_max = 2"), &flags).unwrap();
        assert_eq!((settings.approve, settings.budget.steps_max), (Approve::All, Some(9)));
        let zero = Flags { max_seconds: Some(0), ..Flags::default() };
        assert!(Settings::merge(File::default(), File::default(), &zero).is_err());
    }
}
