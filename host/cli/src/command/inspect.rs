//! `wardian inspect`: what a component wants and what it is.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::Outcome;
use crate::case::{check_component, read_bounded};
use crate::embedded;
use crate::failure::{Failure, code};
use crate::show;

const COMPONENT_BYTES_MAX: u64 = 512 << 20;

#[derive(clap::Args)]
#[command(
    after_help = "Example: wardian inspect tool.wasm\n         wardian inspect agent\n         wardian inspect agent-provider-chat"
)]
pub struct Arguments {
    /// A component's file, or the name of one that this wardian carries
    component: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let bytes = find(&arguments.component)?;
    check_component(&arguments.component, &bytes)?;
    let inspection = wardian_bundle::inspect(&bytes)
        .map_err(|error| Failure::usage(format!("cannot inspect {}: {error}", arguments.component.display())))?;
    if arguments.json {
        show::print_json(&serde_json::to_value(&inspection).map_err(|error| Failure::failed(error.to_string()))?);
        return Ok(code::DONE);
    }
    say!("digest   {}", inspection.digest);
    say!("bytes    {}", inspection.bytes);
    say!("imports  (what it can do)");
    for import in &inspection.imports {
        say!("  {import}");
    }
    say!("exports  (what it is)");
    for export in &inspection.exports {
        say!("  {export}");
    }
    Ok(code::DONE)
}

fn find(component: &std::path::Path) -> Result<Vec<u8>, Failure> {
    if !component.exists()
        && let Some(name) = component.to_str()
    {
        let of = |provider: &str| name.strip_prefix("agent-") == Some(provider);
        let mut agents = embedded::AGENTS.iter().enumerate();
        if let Some((_, (_, bytes, _))) =
            agents.find(|(at, (provider, ..))| of(provider) || (*at == 0 && name == "agent"))
        {
            return Ok(bytes.to_vec());
        }
        let carried = embedded::COMPONENTS.iter().chain(embedded::COMMANDS.iter().map(|(carried, _)| carried));
        if let Some(carried) = carried.into_iter().find(|carried| carried.name == name) {
            return carried.bytes().map(Cow::into_owned).map_err(Failure::failed);
        }
    }
    read_bounded(component, COMPONENT_BYTES_MAX)
}
