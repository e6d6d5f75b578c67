//! Writes `embedded.rs`: the components that the binary carries, so that one file is a whole installation.
//!
//! `cargo xtask build` sets `WARDIAN_EMBED` to its `dist` folder. Without it the tables are empty and the binary takes
//! components from elsewhere. Nothing is built or composed here: that is xtask's work, and `embed.txt` is its word.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=WARDIAN_EMBED");
    let dist = env::var_os("WARDIAN_EMBED")
        .filter(|dist| !dist.is_empty())
        .map(PathBuf::from);
    let embedded = match &dist {
        Some(dist) => read_list(dist),
        None => Embedded::default(),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("embedded.rs"), embedded.to_rust()).expect("cannot write to OUT_DIR");
}

#[derive(Default)]
struct Embedded {
    agent: Option<PathBuf>,
    scenario: Option<PathBuf>,
    /// Folder name and file, in the bundle's order.
    tools: Vec<(String, PathBuf)>,
}

/// Each line of `embed.txt` is `agent FILE`, `scenario FILE` or `tool NAME FILE`, with files relative to `dist`.
fn read_list(dist: &Path) -> Embedded {
    let list = dist.join("bundles/default/embed.txt");
    println!("cargo::rerun-if-changed={}", list.display());
    let text = fs::read_to_string(&list).unwrap_or_else(|error| {
        panic!(
            "cannot read {} ({error}): run `cargo xtask build`, or unset WARDIAN_EMBED",
            list.display()
        )
    });
    let mut embedded = Embedded::default();
    let file = |name: &str| {
        let path = dist.join(name);
        println!("cargo::rerun-if-changed={}", path.display());
        path
    };
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["agent", path] => embedded.agent = Some(file(path)),
            ["scenario", path] => embedded.scenario = Some(file(path)),
            ["tool", name, path] => embedded.tools.push((name.to_owned(), file(path))),
            _ => panic!("{}: cannot understand `{line}`", list.display()),
        }
    }
    embedded
}

impl Embedded {
    fn to_rust(&self) -> String {
        // `{:?}` of a path is a Rust string literal.
        let include = |kind: &str, path: &Option<PathBuf>| match path {
            Some(path) => format!("Some({kind}!({path:?}))"),
            None => "None".to_owned(),
        };
        let mut rust = String::from(
            "/// The tool components: folder name and bytes.\npub static COMPONENTS: &[(&str, &[u8])] = &[\n",
        );
        for (name, path) in &self.tools {
            let _ = writeln!(rust, "    ({name:?}, include_bytes!({path:?})),");
        }
        let _ = write!(
            rust,
            "];\n/// The composed agent.\npub static AGENT: Option<&[u8]> = {};\n\
             /// The scenario that `-m demo` plays.\npub static SCENARIO: Option<&str> = {};\n",
            include("include_bytes", &self.agent),
            include("include_str", &self.scenario),
        );
        rust
    }
}
