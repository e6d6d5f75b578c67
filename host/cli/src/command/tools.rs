//! `wardian tools`: what the agent may use, and what each tool needs.

use std::path::PathBuf;

use serde_json::json;
use wardian_host::Tool;

use crate::case::{self, Case};
use crate::failure::code;
use crate::settings::Flags;
use crate::{Outcome, block_on};
use crate::{search, show};

#[derive(clap::Args)]
#[command(after_help = "Example: wardian tools --json | jq '.[].name'")]
pub struct Arguments {
    /// A further tool component (repeatable)
    #[arg(long = "component", value_name = "FILE.wasm")]
    components: Vec<PathBuf>,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let flags = Flags { components: arguments.components, ..Flags::default() };
    let case = Case::new(arguments.directory.as_deref(), &flags)?;
    let tools = block_on(async {
        let mut tools = Vec::new();
        for (name, bytes) in case::components(&case.settings.components)? {
            let code = case::load(&case.host, &name, &bytes)?;
            tools.push(Tool::configured(&case.host, code, case.settings.tool_config(&name)).await?);
        }
        Ok(tools)
    })?;
    if case.settings.search.is_none() {
        eprintln!("note: {} is not offered: {}", search::TOOL, search::HINT);
    }
    let all = tools.iter().flat_map(|tool| tool.tools().iter().map(move |info| (tool.code(), info)));
    if arguments.json {
        let list: Vec<_> = all
            .map(|(code, info)| {
                json!({
                    "name": info.name,
                    "description": info.description,
                    "input_schema": serde_json::from_str::<serde_json::Value>(&info.input_schema).unwrap_or_default(),
                    "powers": show::powers(&info.powers),
                    "component": code.name,
                    "digest": code.digest,
                })
            })
            .collect();
        show::print_json(&list.into());
        return Ok(code::DONE);
    }
    for (code, info) in all {
        let first = info.description.lines().next().unwrap_or_default();
        let first = first.split_once(". ").map_or(first, |(sentence, _)| sentence);
        say!("{:<10}  {:<12}  {:<12}  {first}", info.name, show::powers(&info.powers), code.name);
    }
    Ok(code::DONE)
}
