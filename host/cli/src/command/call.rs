//! `wardian call`: one tool, called by hand.

use std::path::PathBuf;

use wardian_host::wit::{CallErrorKind, ToolCall};

use crate::case::{Case, Which};
use crate::failure::{Failure, code};
use crate::settings::{Flags, Mode};
use crate::show::{self, Show, Style};
use crate::{Outcome, block_on, terminal};

#[derive(clap::Args)]
#[command(after_help = "Example: wardian call Grep '{\"pattern\": \"TODO\", \"output_mode\": \"count\"}'")]
pub struct Arguments {
    /// The tool's name: see `wardian tools`
    tool: String,
    /// Its input, a JSON object
    input: String,
    /// The project's folder
    #[arg(short = 'C', value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Record the call in this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Let the tool write to the project itself, without a review
    #[arg(long)]
    direct: bool,
    /// Seconds that the call may take
    #[arg(long, value_name = "N")]
    max_seconds: Option<u64>,
    /// Memory that the call may take, in MiB
    #[arg(long, value_name = "MIB")]
    max_memory: Option<u64>,
    /// A further tool component (repeatable)
    #[arg(long = "component", value_name = "FILE.wasm")]
    components: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    // Whoever types the call has allowed it.
    let flags = Flags { components: arguments.components, approve: Some(Mode::All), ..Flags::default() };
    let mut case = Case::new(arguments.directory.as_deref(), &flags)?;
    if let Some(seconds) = arguments.max_seconds {
        case.settings.limits.wall_ms_max = seconds.saturating_mul(1000);
        case.settings.limits.cpu_ms_max = case.settings.limits.cpu_ms_max.min(seconds.saturating_mul(1000));
    }
    if let Some(mib) = arguments.max_memory {
        case.settings.limits.memory_bytes_max = mib.saturating_mul(1 << 20);
    }
    let which = arguments.session.clone().map_or(Which::New, Which::Existing);
    let session = case.session(&which)?;
    let folder = session.folder.clone();
    let result = block_on(async {
        let mut open = case.open(session, arguments.direct, Show::new(Style::Quiet)).await?;
        terminal::watch_interrupts(open.agent.interrupter());
        let call = ToolCall {
            id: format!("call_by_hand_{}", open.opened.events),
            tool: arguments.tool.clone(),
            input: arguments.input.clone(),
        };
        Ok(open.agent.call(&call).await?)
    });
    if arguments.session.is_none() {
        // Nothing was changed in a session of its own: there is nothing to keep.
        let _ = std::fs::remove_dir_all(&folder);
    }
    let result = result?;
    if arguments.json {
        show::print_json(&show::result_json(&result));
    } else if let Ok(outcome) = &result {
        show::print_text(&show::text(outcome));
        for part in &outcome.parts {
            match part {
                wardian_host::wit::Part::Image(image) => {
                    say!("[{} of {} bytes]", image.media_type, image.bytes.len());
                }
                wardian_host::wit::Part::File(file) => {
                    say!("[{}: {}, {} bytes]", file.path, file.media_type, file.bytes)
                }
                wardian_host::wit::Part::Text(_) => {}
            }
        }
    }
    let Err(error) = result else { return Ok(code::DONE) };
    let message = format!("{}: {}", arguments.tool, error.message);
    Err(match error.kind {
        CallErrorKind::UnknownTool => Failure::usage(error.message),
        CallErrorKind::InvalidInput => Failure::usage(message).hint("the input's schema: wardian tools --json"),
        CallErrorKind::NotPermitted if error.message.starts_with("files:write") => {
            Failure::refused(format!("{}: files are read-only here, nothing was written", arguments.tool))
                .hint("to let the tool write to the project itself: --direct")
        }
        CallErrorKind::NotPermitted => Failure::refused(message),
        CallErrorKind::Cancelled => Failure::cancelled(message),
        _ => Failure::failed(message),
    })
}
