//! `wardian compose`: components into one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Outcome;
use crate::failure::{Failure, code};

#[derive(clap::Args)]
#[command(after_help = "Example: wardian compose agent.wac --dep my:core=core.wasm -o agent.wasm")]
pub struct Arguments {
    /// What to compose: a WAC source
    file: PathBuf,
    /// Where the composed component goes
    #[arg(short, long, value_name = "OUT.wasm")]
    output: PathBuf,
    /// Where a package that the source names is (repeatable)
    #[arg(long = "dep", value_name = "NAME=FILE.wasm")]
    dependencies: Vec<String>,
}

pub fn run(arguments: Arguments) -> Outcome {
    let packages = arguments
        .dependencies
        .iter()
        .map(|dependency| match dependency.split_once('=') {
            Some((name, path)) => Ok((name.to_owned(), PathBuf::from(path))),
            None => Err(Failure::usage(format!("--dep {dependency}: write it as NAME=FILE.wasm"))),
        })
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    let composed = wardian_bundle::compose_file(&arguments.file, &packages)
        .map_err(|error| Failure::failed(format!("cannot compose {}: {error}", arguments.file.display())))?;
    std::fs::write(&arguments.output, &composed)
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", arguments.output.display())))?;
    say!("{}  {}", wardian_bundle::digest(&composed), arguments.output.display());
    Ok(code::DONE)
}
