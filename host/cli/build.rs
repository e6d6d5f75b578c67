//! Writes `embedded.rs`: the components that the binary carries, so that one file is a whole installation.
//!
//! `cargo xtask build` sets `WARDIAN_EMBED` to its `dist` folder. Without it the tables are empty and the binary takes
//! components from elsewhere. Nothing is built or composed here: that is xtask's work, and `embed.txt` is its word.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WARDIAN_EMBED");
    let dist = env::var_os("WARDIAN_EMBED").filter(|dist| !dist.is_empty()).map(PathBuf::from);
    let embedded = match &dist {
        Some(dist) => read_list(dist),
        None => Embedded::default(),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("embedded.rs"), embedded.to_rust()).expect("cannot write to OUT_DIR");
}

#[derive(Default)]
struct Embedded {
    /// Provider, file and SHA-256, in the bundle's order.
    agents: Vec<(String, PathBuf, String)>,
    /// File and SHA-256.
    workspace: Option<(PathBuf, String)>,
    netfetch: Option<(PathBuf, String)>,
    scenario: Option<PathBuf>,
    /// In the bundle's order.
    tools: Vec<Component>,
    commands: Vec<(Component, Vec<String>)>,
}

struct Component {
    /// Its folder's name.
    name: String,
    /// What is embedded: the component, or what it was packed into.
    file: PathBuf,
    is_packed: bool,
    /// SHA-256 of the component.
    digest: String,
}

impl Component {
    fn to_rust(&self) -> String {
        let Self { name, file, is_packed, digest } = self;
        // `{:?}` of a path is a Rust string literal.
        format!(
            "Carried {{ name: {name:?}, bytes: include_bytes!({file:?}), is_packed: {is_packed}, digest: {digest:?} }}"
        )
    }
}

/// Each line of `embed.txt` is `agent PROVIDER FILE`, `workspace FILE`, `netfetch FILE`, `scenario FILE`, `tool NAME FILE
/// PACKED` or `command NAME FILE PACKED COMMAND,COMMAND…`, with files relative to `dist`; PACKED is `-` where the component is embedded as it is.
fn read_list(dist: &Path) -> Embedded {
    let list = dist.join("bundles/default/embed.txt");
    println!("cargo::rerun-if-changed={}", list.display());
    let text = fs::read_to_string(&list).unwrap_or_else(|error| {
        panic!("cannot read {} ({error}): run `cargo xtask build`, or unset WARDIAN_EMBED", list.display())
    });
    let mut embedded = Embedded::default();
    let file = |name: &str| {
        let path = dist.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        path
    };
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["agent", provider, path] => {
                let (path, digest) = digested(file(path));
                embedded.agents.push((provider.to_owned(), path, digest));
            }
            ["workspace", path] => embedded.workspace = Some(digested(file(path))),
            ["netfetch", path] => embedded.netfetch = Some(digested(file(path))),
            ["scenario", path] => embedded.scenario = Some(file(path)),
            ["tool", name, path, packed] => embedded.tools.push(component(name, path, packed, file)),
            ["command", name, path, packed, commands] => {
                let commands = commands.split(',').map(str::to_owned).collect();
                embedded.commands.push((component(name, path, packed, file), commands));
            }
            _ => panic!("{}: cannot understand `{line}`", list.display()),
        }
    }
    embedded
}

fn component(name: &str, path: &str, packed: &str, file: impl Fn(&str) -> PathBuf) -> Component {
    let (path, digest) = digested(file(path));
    let is_packed = packed != "-";
    Component { name: name.to_owned(), file: if is_packed { file(packed) } else { path }, is_packed, digest }
}

/// Digests are embedded, too: hashing megabytes at each start would be felt.
fn digested(path: PathBuf) -> (PathBuf, String) {
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    (path, digest)
}

impl Embedded {
    fn to_rust(&self) -> String {
        let mut rust = String::from("/// The composed agents: the provider's name, bytes and their SHA-256.\n");
        rust.push_str("pub static AGENTS: &[(&str, &[u8], &str)] = &[\n");
        for (name, path, digest) in &self.agents {
            // `{:?}` of a path is a Rust string literal.
            let _ = writeln!(rust, "    ({name:?}, include_bytes!({path:?}), {digest:?}),");
        }
        rust.push_str("];\n/// The tool components.\npub static COMPONENTS: &[Carried] = &[\n");
        for tool in &self.tools {
            let _ = writeln!(rust, "    {},", tool.to_rust());
        }
        rust.push_str("];\n/// The command components, each with the names of its commands.\n");
        rust.push_str("pub static COMMANDS: &[(Carried, &[&str])] = &[\n");
        for (command, names) in &self.commands {
            let _ = writeln!(rust, "    ({}, &{names:?}),", command.to_rust());
        }
        rust.push_str("];\n");
        let component = |component: &Option<(PathBuf, String)>| match component {
            Some((path, digest)) => format!("Some((include_bytes!({path:?}), {digest:?}))"),
            None => "None".to_owned(),
        };
        let (workspace, netfetch) = (component(&self.workspace), component(&self.netfetch));
        let scenario = match &self.scenario {
            Some(path) => format!("Some(include_str!({path:?}))"),
            None => "None".to_owned(),
        };
        let _ = write!(
            rust,
            "/// The workspace that tools are put into, and its SHA-256.\n\
             pub static WORKSPACE: Option<(&[u8], &str)> = {workspace};\n\
             /// The network policy, and its SHA-256.\npub static NETFETCH: Option<(&[u8], &str)> = {netfetch};\n\
             /// The scenario that `-m demo` plays.\npub static SCENARIO: Option<&str> = {scenario};\n",
        );
        rust
    }
}
