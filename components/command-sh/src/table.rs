//! Checks that docs/shell.md says which command runs where, from the lists themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

use bashkit::Bash;

use crate::engine::{AS_PROCESSES, runs_as_process};
use crate::refused::LEFT_OUT;

const BEGIN: &str = "<!-- which command runs where: derived, see components/command-sh/src/table.rs -->\n";
const END: &str = "<!-- end -->";

const WIDTH: usize = 120;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table(path: &Path) -> toml::Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

/// The commands of each component that the bundle brings.
fn components() -> BTreeMap<String, Vec<String>> {
    let bundle = table(&root().join("bundles/default/bundle.toml"));
    let mut components = BTreeMap::new();
    for name in bundle["commands"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let manifest = root().join("components").join(name).join("Cargo.toml");
        let commands = if manifest.is_file() {
            let commands = &table(&manifest)["package"]["metadata"]["wardian"]["commands"];
            commands.as_array().unwrap().iter().map(|command| command.as_str().unwrap().to_owned()).collect()
        } else {
            // The one that cargo does not build.
            vec!["python".to_owned(), "python3".to_owned()]
        };
        components.insert(name.to_owned(), commands);
    }
    components
}

fn wrapped<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for name in names {
        let word = format!("`{name}`");
        if column > 0 && column + 1 + word.len() > WIDTH {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        column += word.len();
        out.push_str(&word);
    }
    out
}

fn derived() -> String {
    let built_in: BTreeSet<String> =
        Bash::new().builtin_names().into_iter().filter(|name| !LEFT_OUT.contains(&&**name)).collect();
    let components = components();
    let all: BTreeSet<&String> = components.values().flatten().collect();
    let mut text = String::from("Processes:\n\n");
    for (component, commands) in &components {
        let names: BTreeSet<&String> =
            commands.iter().filter(|name| runs_as_process(name, built_in.contains(*name))).collect();
        text.push_str(&format!("**{component}**:\n{}\n\n", wrapped(names)));
    }
    let inside = |name: &&String| !(all.contains(name) && AS_PROCESSES.contains(&name.as_str()));
    let (both, only): (Vec<&String>, Vec<&String>) =
        built_in.iter().filter(inside).partition(|name| all.contains(name));
    text.push_str(&format!("Built into the shell:\n\n{}\n\n", wrapped(only)));
    text.push_str(&format!(
        "Built into the shell, and processes for `exec` and the tool Command:\n\n{}\n",
        wrapped(both)
    ));
    text
}

#[test]
fn the_documentation_has_the_table() {
    let path = root().join("docs/shell.md");
    let docs = fs::read_to_string(&path).unwrap();
    let (before, rest) = docs.split_once(BEGIN).expect("docs/shell.md has the place for the table");
    let (shown, after) = rest.split_once(END).expect("the table ends");
    let derived = derived();
    if shown == derived {
        return;
    }
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{derived}{END}{after}")).unwrap();
        return;
    }
    panic!("docs/shell.md does not have this table; BLESS=1 writes it:\n{derived}");
}
