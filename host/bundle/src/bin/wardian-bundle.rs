//! The library as two commands, for the build.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: wardian-bundle compose FILE.wac -o OUT.wasm [--dep NS:NAME=FILE.wasm]...
       wardian-bundle plug FILE.wasm WORKSPACE.wasm -o OUT.wasm
       wardian-bundle pack FILE.wasm -o OUT.wasm.gz
       wardian-bundle validate FILE.wasm...
       wardian-bundle inspect FILE.wasm";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((command, rest)) => match command.as_str() {
            "compose" => compose(rest),
            "plug" => match rest {
                [file, workspace, flag, output] if flag == "-o" => {
                    plug(Path::new(file), Path::new(workspace), Path::new(output))
                }
                _ => Err(anyhow::anyhow!(USAGE)),
            },
            "pack" => match rest {
                [file, flag, output] if flag == "-o" => pack(Path::new(file), Path::new(output)),
                _ => Err(anyhow::anyhow!(USAGE)),
            },
            "validate" => rest.iter().try_for_each(|file| validate(Path::new(file))),
            "inspect" if rest.len() == 1 => inspect(Path::new(&rest[0])),
            _ => Err(anyhow::anyhow!(USAGE)),
        },
        None => Err(anyhow::anyhow!(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compose(arguments: &[String]) -> Result<()> {
    let mut source = None;
    let mut output = None;
    let mut packages = BTreeMap::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value\n{USAGE}"));
        match argument.as_str() {
            "-o" => output = Some(PathBuf::from(value()?)),
            "--dep" => {
                let dep = value()?;
                let (name, path) =
                    dep.split_once('=').with_context(|| format!("--dep {dep}: want NS:NAME=FILE.wasm"))?;
                packages.insert(name.to_owned(), PathBuf::from(path));
            }
            _ if source.is_none() && !argument.starts_with('-') => {
                source = Some(PathBuf::from(argument));
            }
            _ => bail!("unexpected {argument}\n{USAGE}"),
        }
    }
    let source = source.context(USAGE)?;
    let output = output.context(USAGE)?;
    let composed = wardian_bundle::compose_file(&source, &packages)?;
    std::fs::write(&output, composed).with_context(|| format!("cannot write {}", output.display()))
}

fn plug(file: &Path, workspace: &Path, output: &Path) -> Result<()> {
    let plugged = wardian_bundle::plug(&read(file)?, &read(workspace)?).with_context(|| file.display().to_string())?;
    std::fs::write(output, plugged).with_context(|| format!("cannot write {}", output.display()))
}

fn pack(file: &Path, output: &Path) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let packed = wardian_bundle::pack(&bytes).with_context(|| format!("cannot pack {}", file.display()))?;
    std::fs::write(output, packed).with_context(|| format!("cannot write {}", output.display()))
}

fn validate(file: &Path) -> Result<()> {
    let bytes = read(file)?;
    wardian_bundle::validate(&bytes).with_context(|| file.display().to_string())
}

fn inspect(file: &Path) -> Result<()> {
    let bytes = read(file)?;
    let inspection = wardian_bundle::inspect(&bytes).with_context(|| file.display().to_string())?;
    println!("{} {} bytes", inspection.digest, inspection.bytes);
    for (word, names) in
        [("import", &inspection.imports), ("export", &inspection.exports), ("made by", &inspection.producers)]
    {
        for name in names {
            println!("{word} {name}");
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
