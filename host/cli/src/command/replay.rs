//! `wardian replay`: the same agent, answered from the journal. Must come to the same events, byte for byte.

use serde_json::json;
use wardian_host::Tool;

use crate::case;
use crate::failure::{Failure, code, open_failure};
use crate::home::Home;
use crate::show::{self, Show, Style};
use crate::{Outcome, block_on};

#[derive(clap::Args)]
#[command(after_help = "Example: wardian replay 20261122-1705")]
pub struct Arguments {
    /// The session: its id or the beginning of it. Left out: the newest
    id: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let home = Home::find()?;
    let id = home.resolve(arguments.id.as_deref())?;
    let host = case::host(&home)?;
    let (events, runs, diverged, recorded_agent, agent) = block_on(async {
        let mut tools = Vec::new();
        for (name, bytes) in case::components(&[])? {
            tools.push(Tool::new(&host, case::load(&host, &name, &bytes)?).await?);
        }
        let digest = case::recorded(&host, &home.session(&id))?.digest;
        let mut agent = case::reader(&host, &home.session(&id), Show::new(Style::Quiet), tools).await?;
        let opened = agent.open_replay().await?.map_err(|error| open_failure(&id, error))?;
        let mut runs = 0_u64;
        while let Some(prompt) = agent.next_prompt().await? {
            runs += 1;
            // What stops a replay early is the difference that `diverged` names.
            if agent.run(&prompt).await?.is_err() {
                break;
            }
        }
        let recorded = case::recorded_agent(&home.session(&id));
        Ok((opened.events, runs, agent.diverged().await?, recorded, digest))
    })?;
    if arguments.json {
        let divergence = diverged.as_ref().map(|divergence| {
            json!({"seq": divergence.seq, "recorded": divergence.recorded, "replayed": divergence.replayed})
        });
        show::print_json(&json!({
            "session": id, "events": events, "runs": runs, "identical": diverged.is_none(), "divergence": divergence,
        }));
    }
    let Some(divergence) = diverged else {
        if !arguments.json {
            say!("{id}: {runs} runs, {events} events, all the same");
        }
        return Ok(code::DONE);
    };
    let failure = Failure::integrity(format!(
        "the replay of {id} differs at event {}\n  recorded: {}\n  replayed: {}",
        divergence.seq,
        show::clean(&divergence.recorded),
        show::clean(&divergence.replayed)
    ));
    Err(match recorded_agent {
        Some(recorded) if recorded != agent => {
            failure.hint(format!("it was recorded with another agent: {recorded}, this is {agent}"))
        }
        _ => failure,
    })
}
