//! Several components become one, as a WAC source says.

use crate::{Error, validate};
use indexmap::IndexMap;
use miette::Diagnostic;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wac_graph::EncodeOptions;
use wac_graph::types::BorrowedPackageKey;
use wac_parser::Document;

/// Composes components as the WAC `source` says. `packages` holds the bytes of each package that it names
/// (`wardian:session`, without a version). Imports that the composition leaves open stay imports of the result.
/// The same input gives the same bytes.
pub fn compose(source: &str, packages: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Error> {
    let wrong = |error: &dyn Diagnostic| located(source, error);
    let document = Document::parse(source).map_err(|error| wrong(&error))?;
    let bytes: IndexMap<_, _> = packages
        .iter()
        .map(|(name, bytes)| {
            let key = BorrowedPackageKey::from_name_and_version(name, None);
            (key, bytes.clone())
        })
        .collect();
    let resolution = document.resolve(bytes).map_err(|error| wrong(&error))?;
    // Validated below with our own features and our own words.
    let options = EncodeOptions { validate: false, ..EncodeOptions::default() };
    let composed = resolution.encode(options).map_err(|error| wrong(&error))?;
    validate(&composed)?;
    Ok(composed)
}

/// Like [`compose`], with everything read from files. Each package is checked by itself first, so that a broken one is
/// named.
pub fn compose_file(source: &Path, packages: &BTreeMap<String, PathBuf>) -> Result<Vec<u8>, Error> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| Error::Read { path: path.to_owned(), source: error });
    let in_file = |path: &Path, error: Error| Error::InFile { path: path.to_owned(), error: Box::new(error) };
    let mut bytes = BTreeMap::new();
    for (name, path) in packages {
        let component = read(path)?;
        validate(&component).map_err(|error| in_file(path, error))?;
        bytes.insert(name.clone(), component);
    }
    let text = String::from_utf8_lossy(&read(source)?).into_owned();
    compose(&text, &bytes).map_err(|error| in_file(source, error))
}

/// Turns an error of the composer, which knows byte spans, into one line that names the place.
fn located(source: &str, error: &dyn Diagnostic) -> Error {
    let offset = error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
    let before = String::from_utf8_lossy(&source.as_bytes()[..offset.min(source.len())]);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    Error::Compose { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, message }
}
