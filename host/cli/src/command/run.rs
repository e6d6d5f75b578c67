//! `wardian run`: one task.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use serde_json::json;
use wardian_host::Error;
use wardian_host::wit::{ReviewOptions, RunUsage, Stop};

use crate::case::{Case, How, Open, SessionFlags};
use crate::failure::{Failure, code};
use crate::model::{self, Model, Price, Tokens};
use crate::settings::Flags;
use crate::show::{Show, Style, print_json_line};
use crate::{Outcome, block_on, review, terminal};

/// Bytes of a prompt from stdin.
const PROMPT_BYTES_MAX: u64 = 4 << 20;

/// What the demo is asked when nobody asks anything.
const DEMO_PROMPT: &str = "Explore this project and report what is in it.";

#[derive(clap::Args)]
#[command(after_help = "Example: wardian run -m demo\n         git diff | wardian run -m script:review.json -")]
pub struct Arguments {
    /// The task; - reads it from stdin. Not needed with -m demo
    prompt: Option<String>,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    session: SessionFlags,
    /// Print events as JSON Lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

pub fn run(arguments: Arguments) -> Outcome {
    let case = Case::new(arguments.directory.as_deref(), &arguments.flags)?;
    let prompt = prompt(arguments.prompt, case.model())?;
    let session = case.session(&arguments.session.which())?;
    let show = Show::new(if arguments.json { Style::Json } else { Style::People });
    block_on(async {
        let mut open = case.open(session, How::Overlay, show.clone()).await?;
        let _watching = terminal::watch_interrupts(open.agent.interrupter());
        let ended = one(&case, &mut open, &show, &prompt).await?;
        show.fresh_line();
        if arguments.json {
            print_json_line(&ended.json(&open.session.id));
        } else {
            ended.say();
            ended.say_usage();
            let changes = changes(&mut open).await;
            if changes > 0 {
                let changes = review::some(changes, "change", "changes");
                eprintln!("{changes} to review, the project is as it was · wardian diff · wardian commit");
            }
            if std::io::stderr().is_terminal() {
                eprintln!("session {} · wardian log {0}", open.session.id);
            }
        }
        Ok(ended.code())
    })
}

/// How much there is to review; nothing where that cannot be told.
pub async fn changes(open: &mut Open) -> usize {
    let all = ReviewOptions { paths: Vec::new(), ignored: false };
    match open.agent.changes(&all).await {
        Ok(Ok(list)) => list.changes.len(),
        Ok(Err(_)) | Err(_) => 0,
    }
}

fn prompt(given: Option<String>, model: &str) -> Result<String, Failure> {
    let prompt = match given.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .take(PROMPT_BYTES_MAX + 1)
                .read_to_string(&mut text)
                .map_err(|error| Failure::usage(format!("cannot read the task from stdin: {error}")))?;
            if text.len() as u64 > PROMPT_BYTES_MAX {
                return Err(Failure::usage(format!("the task on stdin is longer than {PROMPT_BYTES_MAX} bytes")));
            }
            text
        }
        Some(text) => text.to_owned(),
        None if model == model::DEFAULT => DEMO_PROMPT.to_owned(),
        None => {
            return Err(Failure::usage("there is no task").hint("say what to do: wardian run \"…\", or - for stdin"));
        }
    };
    if prompt.trim().is_empty() { Err(Failure::usage("the task is empty")) } else { Ok(prompt) }
}

/// How one run ended.
pub struct Ended {
    result: Result<String, Stop>,
    usage: RunUsage,
    tokens: Tokens,
    price: Option<Price>,
    /// A model that tells stories of its own has no cost that anyone wants to see.
    is_service: bool,
}

/// One run on an open session.
pub async fn one(case: &Case, open: &mut Open, show: &Show, prompt: &str) -> Result<Ended, Failure> {
    show.take_tokens();
    match open.agent.run(prompt).await {
        Ok(Ok((result, usage))) => Ok(Ended {
            result,
            usage,
            tokens: show.take_tokens(),
            price: case.settings.prices.get(case.model()).copied(),
            is_service: matches!(Model::parse(case.model()), Ok(Model::Service(..))),
        }),
        Ok(Err(message)) => {
            Err(Failure::failed(message).hint("nothing more was done; free some space, then: wardian run --continue"))
        }
        Err(Error::AgentEnded) => Err(Failure::cancelled("the agent did not stop in time and was ended")
            .hint("the session is whole: go on with `wardian run --continue`")),
        Err(error) => Err(error.into()),
    }
}

impl Ended {
    pub fn code(&self) -> u8 {
        match &self.result {
            Ok(_) => code::DONE,
            Err(Stop::Cancelled) => code::CANCELLED,
            Err(Stop::Budget(_) | Stop::Error(_)) => code::FAILED,
        }
    }

    fn message(&self) -> Option<String> {
        match &self.result {
            Ok(_) => None,
            Err(Stop::Cancelled) => Some("cancelled".to_owned()),
            Err(Stop::Budget(limit)) => {
                Some(format!("the run's budget is used up: {} reached ({})", limit.name.replace('-', "_"), limit.at))
            }
            Err(Stop::Error(message)) => Some(message.clone()),
        }
    }

    /// Tells a person why there is no answer.
    pub fn say(&self) {
        if let Some(message) = self.message() {
            eprintln!("{message}");
        }
    }

    /// Tells a person what it took.
    pub fn say_usage(&self) {
        if !self.is_service {
            return;
        }
        let Tokens { input, cached, output } = self.tokens;
        let requests = if self.usage.requests == 1 { "request" } else { "requests" };
        let cost = self.cost().map_or(String::new(), |cost| format!(" · ${cost:.4}"));
        let requests = format!("{} {requests}", self.usage.requests);
        eprintln!("{requests} · {input} tokens in ({cached} from the cache) · {output} out{cost}");
    }

    /// US dollars, where the model has a price.
    fn cost(&self) -> Option<f64> {
        self.price.map(|price| price.of(self.tokens))
    }

    fn json(&self, session: &str) -> serde_json::Value {
        let stop = match &self.result {
            Ok(_) => "done",
            Err(Stop::Cancelled) => "cancelled",
            Err(Stop::Budget(_)) => "budget",
            Err(Stop::Error(_)) => "error",
        };
        json!({
            "type": "session.end",
            "session": session,
            "stop": stop,
            "text": self.result.as_deref().unwrap_or_default(),
            "error": self.message(),
            "usage": {
                "requests": self.usage.requests,
                "input_tokens": self.usage.input_tokens,
                "cached_tokens": self.tokens.cached,
                "output_tokens": self.usage.output_tokens,
                "cost_usd": self.cost(),
            },
        })
    }
}
