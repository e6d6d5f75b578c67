//! Composes each bundle's agent from its components, as its folder says.

use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::components::{self, Component};
use crate::native;
use crate::python;
use crate::stamp::{self, Inputs, entries};
use crate::workspace::{self, Workspace};

/// The namespace of our components in WAC sources.
const NAMESPACE: &str = "wardian";

/// What a provider is called in WAC sources, whichever it is.
const PROVIDER: &str = "wardian:provider";

/// The bundle that the `wardian` program carries.
pub const DEFAULT: &str = "default";

/// What `bundle.toml` says.
#[derive(Debug)]
struct Manifest {
    name: String,
    agent: String,
    /// What the agent is composed with, one after the other.
    providers: Vec<String>,
    /// What the host puts each tool into.
    workspace: String,
    /// What the host asks about every request.
    netfetch: String,
    tools: Vec<String>,
    commands: Vec<String>,
    scenario: Option<String>,
}

/// Components with more bytes than this are carried packed.
const PACK_ABOVE_BYTES: u64 = 1 << 20;

/// A bundle and where its files are.
pub struct Bundle {
    name: String,
    /// Everything that goes with it, `dist` files.
    pub files: Vec<PathBuf>,
}

impl Bundle {
    pub fn is_default(&self) -> bool {
        self.name == DEFAULT
    }
}

/// Builds the components and composes the bundles.
pub fn build(workspace: &Workspace) -> Result<Vec<Bundle>> {
    let mut components = components::build(workspace)?;
    components.push(python::build(workspace)?);
    workspace::step("bundles", || {
        let mut bundles = Vec::new();
        let mut composed = 0;
        for folder in folders(&workspace.root.join("bundles"))? {
            let (bundle, is_new) =
                build_one(workspace, &folder, &components).with_context(|| workspace.show(&folder))?;
            bundles.push(bundle);
            composed += usize::from(is_new);
        }
        let what = format!("{} composed, {} unchanged", composed, bundles.len() - composed);
        Ok((bundles, what))
    })
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = entries(parent)?;
    folders.retain(|folder| folder.join("bundle.toml").is_file());
    Ok(folders)
}

fn build_one(workspace: &Workspace, folder: &Path, components: &[Component]) -> Result<(Bundle, bool)> {
    let manifest = fs::read_to_string(folder.join("bundle.toml")).context("cannot read bundle.toml")?;
    let manifest = parse(&manifest).context("bundle.toml")?;
    let folder_name = folder.file_name().and_then(|name| name.to_str());
    ensure!(
        folder_name == Some(&manifest.name),
        "bundle.toml: its name is `{}`, which is not its folder's",
        manifest.name
    );
    let source = folder.join(&manifest.agent);
    let wac = fs::read_to_string(&source).with_context(|| format!("cannot read {}", manifest.agent))?;
    let parts: Vec<&Component> =
        components.iter().filter(|component| wac.contains(&format!("{NAMESPACE}:{}", component.name))).collect();
    let component = |name: &String| {
        components
            .iter()
            .find(|component| component.name == *name)
            .with_context(|| format!("bundle.toml: there is no component `{name}`"))
    };
    let tools = manifest.tools.iter().map(component).collect::<Result<Vec<_>>>()?;
    let providers = manifest.providers.iter().map(component).collect::<Result<Vec<_>>>()?;
    let commands = manifest.commands.iter().map(component).collect::<Result<Vec<_>>>()?;
    let inside = component(&manifest.workspace)?;
    let netfetch = component(&manifest.netfetch)?;

    let into = workspace.dist.join("bundles").join(&manifest.name);
    let list = into.join("embed.txt");
    let agents: Vec<PathBuf> =
        providers.iter().map(|provider| into.join(agent_file(&manifest, &provider.name))).collect();
    let mut made = agents.clone();
    made.push(list.clone());
    if let Some(scenario) = &manifest.scenario {
        made.push(into.join(scenario));
    }
    let mut inputs = Inputs::new();
    inputs.sources(workspace, &["host/bundle", "xtask/src", "Cargo.lock"])?;
    inputs.path(&workspace.root, folder)?;
    for component in parts.iter().chain(&tools).chain(&commands).chain(&providers).chain([&inside, &netfetch]) {
        inputs.path(&workspace.dist, &component.file)?;
    }
    let (inputs, stamp) = (inputs.hash(), format!("bundle-{}", manifest.name));
    let carried: Vec<(&Component, Option<PathBuf>)> = tools
        .iter()
        .chain(&commands)
        .map(|component| {
            let bytes = fs::metadata(&component.file).map_or(0, |data| data.len());
            (*component, (bytes > PACK_ABOVE_BYTES).then(|| into.join(format!("{}.wasm.gz", component.name))))
        })
        .collect();
    made.extend(carried.iter().filter_map(|(_, packed)| packed.clone()));
    let unpacked = tools.iter().chain(&commands).chain([&inside, &netfetch]).map(|component| component.file.clone());
    let files = made.iter().cloned().chain(unpacked).collect();
    let bundle = Bundle { name: manifest.name.clone(), files };
    if stamp::is_fresh(workspace, &stamp, inputs, &made)? {
        return Ok((bundle, false));
    }

    fs::create_dir_all(&into).with_context(|| format!("cannot create {}", into.display()))?;
    let fresh = workspace.dist.join(".stamps").join(format!("{stamp}.wasm"));
    let tool = native::bundle_tool(workspace)?;
    for (provider, agent) in providers.iter().zip(&agents) {
        let parts = parts.iter().map(|part| (format!("{NAMESPACE}:{}", part.name), part.file.as_path()));
        let provider = (PROVIDER.to_owned(), provider.file.as_path());
        tool.compose(&source, parts.chain([provider]), &fresh)?;
        workspace::place(&fresh, agent)?;
        fs::remove_file(&fresh)?;
    }
    if let Some(scenario) = &manifest.scenario {
        workspace::place(&folder.join(scenario), &into.join(scenario))?;
    }
    for (component, packed) in &carried {
        if let Some(packed) = packed {
            native::bundle_tool(workspace)?.pack(&component.file, &fresh)?;
            workspace::place(&fresh, packed)?;
            fs::remove_file(&fresh)?;
        }
    }
    let text = embed_list(&manifest, workspace, [inside, netfetch], &carried, &commands)?;
    if fs::read_to_string(&list).ok().as_ref() != Some(&text) {
        workspace::write(&list, text.as_bytes())?;
    }
    stamp::record(workspace, &stamp, inputs, &made)?;
    Ok((bundle, true))
}

/// For host/cli/build.rs, which reads no more than this: see there.
fn embed_list(
    manifest: &Manifest,
    workspace: &Workspace,
    [inside, netfetch]: [&Component; 2],
    carried: &[(&Component, Option<PathBuf>)],
    commands: &[&Component],
) -> Result<String> {
    let folder = format!("bundles/{}", manifest.name);
    let file = |file: &Path| anyhow::Ok(file.strip_prefix(&workspace.dist)?.display().to_string());
    let mut list = format!("workspace {}\nnetfetch {}\n", file(&inside.file)?, file(&netfetch.file)?);
    for provider in &manifest.providers {
        let _ = writeln!(list, "agent {provider} {folder}/{}", agent_file(manifest, provider));
    }
    if let Some(scenario) = &manifest.scenario {
        let _ = writeln!(list, "scenario {folder}/{scenario}");
    }
    for (component, packed) in carried {
        let packed = packed.as_deref().map_or(Ok("-".to_owned()), file)?;
        let (name, unpacked) = (&component.name, file(&component.file)?);
        if commands.iter().any(|command| command.name == *name) {
            let _ = writeln!(list, "command {name} {unpacked} {packed} {}", component.commands.join(","));
        } else {
            let _ = writeln!(list, "tool {name} {unpacked} {packed}");
        }
    }
    Ok(list)
}

/// `agent.wasm` is the one with the first provider.
fn agent_file(manifest: &Manifest, provider: &str) -> String {
    if manifest.providers.first().is_some_and(|first| first == provider) {
        "agent.wasm".to_owned()
    } else {
        format!("agent-{provider}.wasm")
    }
}

fn parse(text: &str) -> Result<Manifest> {
    let table: toml::Table = text.parse()?;
    let (mut name, mut agent, mut workspace, mut scenario) = (None, None, None, None);
    let mut netfetch = None;
    let (mut providers, mut tools, mut commands) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in &table {
        match key.as_str() {
            "name" => name = Some(word(key, value)?),
            "agent" => agent = Some(word(key, value)?),
            "workspace" => workspace = Some(word(key, value)?),
            "netfetch" => netfetch = Some(word(key, value)?),
            "scenario" => scenario = Some(word(key, value)?),
            "providers" => providers = words(key, value)?,
            "tools" => tools = words(key, value)?,
            "commands" => commands = words(key, value)?,
            _ => bail!("unknown key `{key}`"),
        }
    }
    Ok(Manifest {
        name: name.context("`name` is missing")?,
        agent: agent.context("`agent` is missing")?,
        providers: Some(providers).filter(|list| !list.is_empty()).context("`providers` is missing or empty")?,
        workspace: workspace.context("`workspace` is missing")?,
        netfetch: netfetch.context("`netfetch` is missing")?,
        tools,
        commands,
        scenario,
    })
}

fn words(key: &str, value: &toml::Value) -> Result<Vec<String>> {
    let list = value.as_array().with_context(|| format!("`{key}` must be a list of component names"))?;
    list.iter().map(|item| word(key, item)).collect()
}

/// A name without anything that means something in a path or in `embed.txt`.
fn word(key: &str, value: &toml::Value) -> Result<String> {
    let text = value.as_str().with_context(|| format!("`{key}` must be text"))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(
        !text.is_empty() && !text.starts_with('.') && text.chars().all(plain),
        "`{key}` must be a name of letters, digits, `-`, `_` and `.`, not `{text}`"
    );
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_manifest() {
        let text = "name = 'x'\nagent = 'agent.wac'\nproviders = ['p', 'q']\nworkspace = 'w'\nnetfetch = 'n'\n\
                    tools = ['tool-a', 'tool-b']\ncommands = ['command-c']\nscenario = 'demo.json'\n";
        let manifest = parse(text).unwrap();
        assert_eq!(["p", "q"].map(|name| agent_file(&manifest, name)), ["agent.wasm", "agent-q.wasm"]);
        assert_eq!(manifest.workspace, "w");
        assert_eq!(manifest.tools, ["tool-a", "tool-b"]);
        assert_eq!(manifest.commands, ["command-c"]);
        assert_eq!(manifest.scenario.as_deref(), Some("demo.json"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (text, reason) in [
            ("name = 'x'\nagent = 'a'\nlimit = 1\n", "unknown key `limit`"),
            ("name = 'x'\n", "`agent` is missing"),
            ("name = 'x'\nagent = 'a'\nproviders = ['p']\n", "`workspace` is missing"),
            ("name = 'x'\nagent = 'a'\nproviders = []\n", "`providers` is missing or empty"),
            ("name = 'x'\nagent = '../a'\n", "`agent` must be a name"),
            ("name = 'x'\nagent = 1\n", "`agent` must be text"),
            ("name = 'x'\nagent = 'a'\ntools = 'b'\n", "`tools` must be a list"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
