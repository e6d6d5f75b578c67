//! Journals for tests.

use crate::event::{self, Event, embed};
use crate::journal::{Contents, Journal};

/// The time of line `seq`.
pub fn ts(seq: u64) -> String {
    crate::recorder::format_ms(1_767_323_045_000 + seq as i64)
}

/// A journal of these events in a folder of its own, and what it reads as.
pub fn journal(events: impl IntoIterator<Item = Event>) -> (tempfile::TempDir, Contents) {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    for event in events {
        journal.append(&ts(journal.events()), &event).unwrap();
    }
    let contents = Contents::read(folder.path()).unwrap();
    (folder, contents)
}

pub fn start(resumed: bool) -> Event {
    Event::SessionStart(event::SessionStart {
        format: event::FORMAT,
        session: "s".into(),
        wardian: "0".into(),
        project: "/p".into(),
        agent: String::new(),
        model: "m".into(),
        components: Default::default(),
        limits: serde_json::json!({}),
        settings: event::Settings {
            instructions: String::new(),
            context_bytes_max: 1,
            parallel_calls_max: 1,
            retries_max: 0,
            response_bytes_max: 1,
        },
        approve: "all".into(),
        resumed,
    })
}

pub fn says(text: &str) -> Event {
    Event::UserMessage(event::UserMessage { text: text.into() })
}

pub fn request(call: u64) -> Event {
    let purpose = "turn".into();
    Event::ModelRequest(event::ModelRequest { call, purpose, messages_sha256: String::new() })
}

pub fn response(call: u64, ids: &[&str]) -> Event {
    let tool_call = |id: &&str| event::ToolCall { id: (*id).into(), tool: "T".into(), input: embed("{}") };
    Event::ModelResponse(event::ModelResponse {
        call,
        text: "text".into(),
        tool_calls: ids.iter().map(tool_call).collect(),
        state: String::new(),
        usage: event::Usage::default(),
        stop: Some("tool-calls".into()),
        error: None,
    })
}

pub fn tool_use(id: &str) -> Event {
    let (id, tool, component) = (id.into(), "T".into(), String::new());
    Event::ToolUse(event::ToolUse { id, tool, component, input: embed("{}") })
}

pub fn change(id: &str, path: &str) -> Event {
    let (path, kind, id) = (path.into(), "modified".into(), id.into());
    Event::WorkspaceChange(event::WorkspaceChange { path, kind, id, count: None })
}

pub fn tool_result(id: &str) -> Event {
    let (id, tool, output) = (id.into(), "T".into(), Some(event::Output::default()));
    Event::ToolResult(event::ToolResult { id, tool, output, error: None, ms: 0, truncated: false })
}

pub fn net_request(id: Option<&str>, call: Option<u64>) -> Event {
    Event::NetRequest(event::NetRequest {
        id: id.map(Into::into),
        call,
        component: "00".into(),
        method: "GET".into(),
        url: "https://example.org/".into(),
        decision: "allow".into(),
        rule: "--net example.org".into(),
        status: Some(200),
        bytes_in: 1,
        bytes_out: 0,
        ms: 1,
        error: None,
    })
}

pub fn process_start(id: &str) -> Event {
    let (id, argv, component, cwd) = (id.into(), vec!["ls".into()], "00".into(), "/workspace".into());
    Event::ProcessStart(event::ProcessStart { id, argv, component, cwd })
}

pub fn process_exit(id: &str) -> Event {
    let id = id.into();
    Event::ProcessExit(event::ProcessExit { id, status: Some(0), killed: None, ms: 1, memory_peak_bytes: 65_536 })
}

pub fn net_ask(id: &str) -> Event {
    let (id, tool, summary) = (id.into(), "T".into(), "GET https://example.org/".into());
    let (powers, net) = (vec!["net:example.org".into()], Some("example.org".into()));
    Event::PermissionAsk(event::PermissionAsk { id, tool, powers, summary, net })
}

pub fn net_answer(id: &str) -> Event {
    let (id, by, scope, net) = (id.into(), "user".into(), "once".into(), Some("example.org".into()));
    Event::PermissionAnswer(event::PermissionAnswer { id, allowed: true, by, scope, net })
}

pub fn end(stop: &str) -> Event {
    let (stop, text) = (stop.into(), String::new());
    Event::SessionEnd(event::SessionEnd { stop, text, usage: event::RunUsage::default(), error: None })
}

pub fn commit(number: u64, undoes: Option<u64>) -> Event {
    commit_of(number, undoes, vec!["a".into()])
}

pub fn commit_of(number: u64, undoes: Option<u64>, paths: Vec<String>) -> Event {
    let (before, after) = (vec![String::new(); paths.len()], vec!["00".into(); paths.len()]);
    let commit = event::WorkspaceCommit { commit: number, undoes, paths, before, after };
    if undoes.is_some() { Event::WorkspaceUndo(commit) } else { Event::WorkspaceCommit(commit) }
}

pub fn discard() -> Event {
    Event::WorkspaceDiscard(event::WorkspaceDiscard { paths: vec!["b".into()] })
}
