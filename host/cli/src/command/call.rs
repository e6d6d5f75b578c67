//! `wardian call`: one tool, called by hand.

use std::path::{Path, PathBuf};

use wardian_host::Agent;
use wardian_host::wit::{CallErrorKind, NetVerdict, ReviewOptions, ToolCall};

use crate::case::{Case, How, Which};
use crate::failure::{Failure, code};
use crate::settings::{Flags, Mode};
use crate::show::{self, Show, Style};
use crate::{Outcome, block_on, search, terminal};

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
    /// A host that the tool may send requests to; '*' for any public one (repeatable)
    #[arg(long = "net", value_name = "HOST[:PORT]")]
    net: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    // Whoever types the call has allowed it.
    let (components, net) = (arguments.components, arguments.net);
    let flags = Flags { components, net, approve: Some(Mode::All), ..Flags::default() };
    let mut case = Case::new(arguments.directory.as_deref(), &flags)?;
    // Of the network only what was named: an input may come from elsewhere.
    case.unlisted_max = NetVerdict::Deny;
    // No model is asked, so that none has to be there.
    case.settings.model = None;
    if let Some(seconds) = arguments.max_seconds {
        case.settings.limits.wall_ms_max = seconds.saturating_mul(1000);
        case.settings.limits.cpu_ms_max = case.settings.limits.cpu_ms_max.min(seconds.saturating_mul(1000));
    }
    if let Some(mib) = arguments.max_memory {
        case.settings.limits.memory_bytes_max = mib.saturating_mul(1 << 20);
    }
    let which = arguments.session.clone().map_or(Which::New, Which::Existing);
    let session = case.session(&which)?;
    let (id, folder) = (session.id.clone(), session.folder.clone());
    let how = if arguments.direct { How::Direct } else { How::Overlay };
    let own = arguments.session.is_none();
    let called = block_on(async {
        let mut open = case.open(session, how, Show::new(Style::Quiet)).await?;
        let _watching = terminal::watch_interrupts(open.agent.interrupter());
        let call = ToolCall {
            id: format!("call_by_hand_{}", open.opened.events),
            tool: arguments.tool.clone(),
            input: arguments.input.clone(),
        };
        let result = open.agent.call(&call).await?;
        let changed = own && how == How::Overlay && changed(&mut open.agent).await;
        Ok((result, changed))
    });
    if own {
        // Where nobody could be asked, what is there is kept.
        let kept = called.as_ref().map_or_else(|_| has_entries(&folder.join("upper")), |(_, changed)| *changed);
        if kept {
            eprintln!("the project is as it was; to see what was changed: wardian changes {id}");
        } else {
            // Nothing was changed in a session of its own: there is nothing to keep.
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
    let (result, _) = called?;
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
        CallErrorKind::UnknownTool if arguments.tool == search::TOOL => {
            Failure::usage(error.message).hint(search::HINT)
        }
        CallErrorKind::UnknownTool => Failure::usage(error.message),
        CallErrorKind::InvalidInput => Failure::usage(message).hint("the input's schema: wardian tools --json"),
        CallErrorKind::NotPermitted => Failure::refused(message),
        CallErrorKind::Cancelled => Failure::cancelled(message),
        _ => Failure::failed(message),
    })
}

/// Whether the session has changes, ignored ones as well.
async fn changed(agent: &mut Agent) -> bool {
    match agent.changes(&ReviewOptions { paths: Vec::new(), ignored: true }).await {
        Ok(Ok(list)) => !list.changes.is_empty(),
        Ok(Err(_)) | Err(_) => true,
    }
}

fn has_entries(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
