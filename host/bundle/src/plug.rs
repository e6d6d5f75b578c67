//! Puts a tool into the workspace: the files that it sees are the workspace's, and it never meets the host's.

use std::fmt::Display;

use wac_graph::types::{Package, are_semver_compatible};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

use crate::{Error, digest, inspect, validate};

/// Interfaces that the workspace stands in for, all of each package: none of them may stay an import of the tool.
const PLUGGED: [&str; 2] = ["wasi:filesystem/", "wardian:workspace/"];

/// What a host lends to its own components, the workspace among them. In a composition it could not tell a tool from these.
const RESERVED: &str = "wardian:host/";

/// Goes up when [`plug`] makes other bytes of the same components, also by a new version of the composer.
const FORMAT: u32 = 1;

/// Composes a tool with the workspace. Whatever version of 0.2 it imports `wasi:filesystem` in, it gets the workspace's.
/// A tool that imports no files is returned as it is. The same input gives the same bytes.
///
/// # Errors
/// [`Error::Plug`] if the tool wants files that the workspace does not have, or something that is none of its business.
pub fn plug(tool: &[u8], workspace: &[u8]) -> Result<Vec<u8>, Error> {
    let inspection = inspect(tool)?;
    if let Some(import) = inspection.imports.iter().find(|import| import.starts_with(RESERVED)) {
        return Err(Error::Plug { import: import.clone(), message: "no tool may have it".to_owned() });
    }
    let imports: Vec<_> =
        inspection.imports.iter().filter(|import| PLUGGED.iter().any(|package| import.starts_with(package))).collect();
    if imports.is_empty() {
        return Ok(tool.to_vec());
    }
    let whole = |error: &dyn Display| Error::Plug { import: imports[0].clone(), message: format!("{error:#}") };

    let mut graph = CompositionGraph::new();
    let mut register = |name: &str, bytes: &[u8]| {
        let package = Package::from_bytes(name, None, bytes, graph.types_mut()).map_err(|error| whole(&error))?;
        graph.register_package(package).map_err(|error| whole(&error))
    };
    let (workspace, tool) = (register("wardian:workspace", workspace)?, register("wardian:tool", tool)?);
    let offered: Vec<String> = graph.types()[graph[workspace].ty()].exports.keys().cloned().collect();
    let exports: Vec<String> = graph.types()[graph[tool].ty()].exports.keys().cloned().collect();
    let (workspace, tool) = (graph.instantiate(workspace), graph.instantiate(tool));
    for import in &imports {
        let wrong = |message| Error::Plug { import: (*import).clone(), message };
        let export = offered
            .iter()
            .find(|export| export == import)
            .or_else(|| offered.iter().find(|export| are_semver_compatible(export, import)))
            .ok_or_else(|| wrong("the workspace has no such thing".to_owned()))?;
        let export = graph.alias_instance_export(workspace, export).map_err(|error| whole(&error))?;
        graph.set_instantiation_argument(tool, import, export).map_err(|error| wrong(causes(&error)))?;
    }
    for name in exports {
        export(&mut graph, tool, &name).map_err(|error| whole(&error))?;
    }
    // Validated below with our own features and our own words.
    let options = EncodeOptions { validate: false, ..EncodeOptions::default() };
    let composed = graph.encode(options).map_err(|error| whole(&causes(&error)))?;
    // Names are all that the composer compares of resources: here each must be the very same.
    validate(&composed).map_err(|error| whole(&error))?;
    Ok(composed)
}

/// What [`plug`] makes of components with these digests is known by this name: lowercase hex SHA-256.
pub fn plug_key(tool: &str, workspace: &str) -> String {
    digest(format!("plug {FORMAT} {} {tool} {workspace}", env!("CARGO_PKG_VERSION")).as_bytes())
}

fn export(graph: &mut CompositionGraph, tool: NodeId, name: &str) -> Result<(), String> {
    let item = graph.alias_instance_export(tool, name).map_err(|error| causes(&error))?;
    graph.export(item, name).map_err(|error| causes(&error))
}

/// An error with its causes, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}
