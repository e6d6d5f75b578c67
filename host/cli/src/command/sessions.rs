//! `wardian sessions`: the sessions, the newest first.

use serde_json::json;
use wardian_host::wit::{OpenError, Summary};

use crate::home::Home;
use crate::show::{self, Show, Style};
use crate::{Outcome, block_on, case, failure::code};

/// Sessions that are listed without --all.
const LISTED_MAX: usize = 20;

const PROMPT_CHARS_MAX: usize = 60;

#[derive(clap::Args)]
#[command(after_help = "Example: wardian sessions --all")]
pub struct Arguments {
    /// Not only the newest twenty
    #[arg(long)]
    all: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let home = Home::find()?;
    let ids = home.sessions();
    let listed = if arguments.all { ids.len() } else { ids.len().min(LISTED_MAX) };
    let mut sessions = Vec::new();
    if listed > 0 {
        let host = case::host(&home)?;
        sessions = block_on(async {
            let mut sessions = Vec::new();
            for id in &ids[..listed] {
                let mut reader = case::reader(&host, &home.session(id), Show::new(Style::Quiet), Vec::new()).await?;
                sessions.push((id.clone(), reader.summarize().await?));
            }
            Ok(sessions)
        })?;
    }
    if arguments.json {
        let list: Vec<_> = sessions.iter().map(|(id, summary)| as_json(id, summary)).collect();
        show::print_json(&list.into());
        return Ok(code::DONE);
    }
    for (id, summary) in &sessions {
        say!("{}", as_line(id, summary));
    }
    if sessions.is_empty() {
        eprintln!("no sessions yet; begin one: wardian run \"…\"");
    } else if listed < ids.len() {
        eprintln!("and {} older ones: wardian sessions --all", ids.len() - listed);
    }
    Ok(code::DONE)
}

pub fn reason(error: &OpenError) -> String {
    match error {
        OpenError::Damaged(damage) => format!("damaged at line {}: {}", damage.line, damage.reason),
        OpenError::Newer(format) => format!("journal format {format} is from a later version"),
        OpenError::Io(message) | OpenError::InvalidOptions(message) => message.clone(),
    }
}

fn as_json(id: &str, summary: &Result<Summary, OpenError>) -> serde_json::Value {
    match summary {
        Ok(summary) => json!({
            "session": id,
            "project": summary.project,
            "model": summary.model,
            "started": summary.started,
            "updated": summary.updated,
            "events": summary.events,
            "prompt": summary.prompt,
            "stop": summary.stop,
        }),
        Err(error) => json!({"session": id, "error": reason(error)}),
    }
}

fn as_line(id: &str, summary: &Result<Summary, OpenError>) -> String {
    match summary {
        Ok(summary) => {
            let prompt: String = show::clean(&summary.prompt).chars().take(PROMPT_CHARS_MAX).collect();
            let stop = summary.stop.as_deref().unwrap_or("open");
            let project = summary.project.rsplit('/').next().unwrap_or_default();
            format!("{id}  {stop:<9}  {:>6} events  {project:<16}  {prompt}", summary.events)
        }
        Err(error) => format!("{id}  {}", show::clean(&reason(error))),
    }
}
