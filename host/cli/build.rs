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
        Some(dist) => {
            let mut embedded = read_list(dist);
            let folder = dist.join("page");
            embedded.files = page(&folder);
            embedded.share(&folder);
            embedded
        }
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
    /// Of the page.
    files: Vec<Served>,
}

/// A file of the page.
struct Served {
    /// Relative to the page's folder, with slashes.
    path: String,
    /// What is embedded: the file, or what it was compressed into.
    file: PathBuf,
    is_brotli: bool,
    bytes: u64,
    /// SHA-256 of the file.
    digest: String,
}

struct Component {
    /// Its folder's name.
    name: String,
    /// What is embedded: the component, or what it was packed into.
    file: PathBuf,
    /// As `Packing` has it.
    packing: &'static str,
    /// SHA-256 of the component.
    digest: String,
}

impl Component {
    fn to_rust(&self, blobs: &mut Blobs) -> String {
        let Self { name, file, packing, digest } = self;
        let bytes = blobs.named(file);
        format!("Carried {{ name: {name:?}, bytes: {bytes}, packing: Packing::{packing}, digest: {digest:?} }}")
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
    let (file, packing) = if packed == "-" { (path, "No") } else { (file(packed), "Gzip") };
    Component { name: name.to_owned(), file, packing, digest }
}

/// Files that are embedded, each once, whoever asks for it.
#[derive(Default)]
struct Blobs(Vec<PathBuf>);

impl Blobs {
    fn named(&mut self, file: &Path) -> String {
        let at = self.0.iter().position(|known| known == file).unwrap_or_else(|| {
            self.0.push(file.to_owned());
            self.0.len() - 1
        });
        format!("BLOB_{at}")
    }

    fn to_rust(&self) -> String {
        // `{:?}` of a path is a Rust string literal.
        let blob = |(at, file)| format!("static BLOB_{at}: &[u8] = include_bytes!({file:?});\n");
        self.0.iter().enumerate().map(blob).collect()
    }
}

/// Every file of the page; of one that has a compressed twin (`NAME.br`), the twin. None where the page was not built.
fn page(folder: &Path) -> Vec<Served> {
    fn walk(root: &Path, folder: &Path, served: &mut Vec<Served>) {
        println!("cargo::rerun-if-changed={}", folder.display());
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                walk(root, &path, served);
            } else if path.extension().is_none_or(|extension| extension != "br") {
                let name = path.strip_prefix(root).expect("it is below").to_string_lossy().replace('\\', "/");
                println!("cargo::rerun-if-changed={}", path.display());
                let bytes = fs::metadata(&path).map_or(0, |data| data.len());
                let (file, digest) = digested(path);
                let mut twin = file.clone().into_os_string();
                twin.push(".br");
                let twin = PathBuf::from(twin);
                let is_brotli = twin.is_file();
                served.push(Served { path: name, file: if is_brotli { twin } else { file }, is_brotli, bytes, digest });
            }
        }
    }
    let mut served = Vec::new();
    walk(folder, folder, &mut served);
    served
}

/// Digests are embedded, too: hashing megabytes at each start would be felt.
fn digested(path: PathBuf) -> (PathBuf, String) {
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    (path, digest)
}

impl Embedded {
    /// Components that the page has, too, are embedded once, as the page has them.
    fn share(&mut self, page: &Path) {
        for component in self.tools.iter_mut().chain(self.commands.iter_mut().map(|(component, _)| component)) {
            let start = component.digest.get(..16).unwrap_or_default();
            let name = format!("wardian/components/{}-{start}.wasm.brotli", component.name);
            let file = page.join(name);
            if component.packing != "No" && file.is_file() {
                (component.file, component.packing) = (file, "Brotli");
            }
        }
    }

    fn to_rust(&self) -> String {
        let mut blobs = Blobs::default();
        let mut rust = String::from("/// The composed agents: the provider's name, bytes and their SHA-256.\n");
        rust.push_str("pub static AGENTS: &[(&str, &[u8], &str)] = &[\n");
        for (name, path, digest) in &self.agents {
            // `{:?}` of a path is a Rust string literal.
            let _ = writeln!(rust, "    ({name:?}, include_bytes!({path:?}), {digest:?}),");
        }
        rust.push_str("];\n/// The tool components.\npub static COMPONENTS: &[Carried] = &[\n");
        for tool in &self.tools {
            let _ = writeln!(rust, "    {},", tool.to_rust(&mut blobs));
        }
        rust.push_str("];\n/// The command components, each with the names of its commands.\n");
        rust.push_str("pub static COMMANDS: &[(Carried, &[&str])] = &[\n");
        for (command, names) in &self.commands {
            let _ = writeln!(rust, "    ({}, &{names:?}),", command.to_rust(&mut blobs));
        }
        rust.push_str("];\n");
        rust.push_str("/// The files of the page, by path.\npub static PAGE: &[Served] = &[\n");
        for Served { path, file, is_brotli, bytes, digest } in &self.files {
            let _ = writeln!(
                rust,
                "    Served {{ path: {path:?}, content: {}, is_brotli: {is_brotli}, bytes: {bytes}, digest: {digest:?} }},",
                blobs.named(file)
            );
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
        rust.push_str(&blobs.to_rust());
        rust
    }
}
