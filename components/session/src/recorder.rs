//! Where events go: into the journal, or, in a replay, against the recorded ones.

use std::collections::HashSet;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::activity;
use crate::event::{self, Event};
use crate::journal::{Contents, Header, Journal, line};
use crate::resume;
use crate::wardian::session::types::Divergence;

pub enum Recorder {
    Live(Live),
    Replay(Replay),
}

pub struct Live {
    pub journal: Journal,
    last_ms: i64,
}

impl Live {
    pub fn new(journal: Journal, last_ms: i64) -> Self {
        Self { journal, last_ms }
    }

    fn now_ms(&mut self) -> i64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // A clock that was set back must not make the journal run backwards.
        self.last_ms = self.last_ms.max(now.as_millis() as i64);
        self.last_ms
    }
}

/// A journal that is run again.
pub struct Replay {
    contents: Contents,
    next: usize,
    last_ms: i64,
    /// Model and tool calls under way: see [`owner`].
    open: HashSet<String>,
    pub divergence: Option<Divergence>,
    /// The recorded run was cut off from outside at this point; its end cannot be reproduced, only repeated.
    pub cut_off: bool,
}

/// What a replayed call may do next.
#[derive(Debug, PartialEq)]
pub enum Turn {
    Mine,
    /// Another call that is under way comes first.
    Others,
    /// The recorded session went another way.
    Nobodys,
    /// The journal ends here.
    End,
}

pub fn model_owner(call: u64) -> String {
    format!("model {call}")
}

pub fn tool_owner(id: &str) -> String {
    format!("tool {id}")
}

/// Whose event a line is.
fn owner(header: &Header<'_>, line: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Call {
        call: u64,
    }
    #[derive(serde::Deserialize)]
    struct Id {
        id: String,
    }
    match header.kind {
        "model.response" => serde_json::from_str::<Call>(line).ok().map(|call| model_owner(call.call)),
        "permission.ask" | "permission.answer" | "tool.use" | "workspace.change" | "tool.result" => {
            serde_json::from_str::<Id>(line).ok().map(|id| tool_owner(&id.id))
        }
        _ => None,
    }
}

/// Whether a line tells what code did, or was let do, while it ran: the agent never hears of it.
fn is_activity(header: &Header<'_>, line: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Asked {
        id: String,
        net: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Owned {
        id: String,
    }
    match header.kind {
        "net.request" | "process.start" | "process.exit" => true,
        "permission.ask" | "permission.answer" => {
            serde_json::from_str(line).is_ok_and(|Asked { id, net }| net.is_some() || activity::is_inner(&id))
        }
        "tool.use" | "workspace.change" | "tool.result" if activity::is_inner(line) => {
            serde_json::from_str(line).is_ok_and(|Owned { id }| activity::is_inner(&id))
        }
        _ => false,
    }
}

pub fn parse_ms(ts: &str) -> Option<i64> {
    ts.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

pub fn format_ms(ms: i64) -> String {
    let timestamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{timestamp:.3}")
}

impl Replay {
    pub fn new(contents: Contents) -> Self {
        let (next, last_ms, open) = (0, 0, HashSet::new());
        Self { contents, next, last_ms, open, divergence: None, cut_off: false }
    }

    /// The next recorded line.
    pub fn peek(&self) -> Option<(Header<'_>, &str)> {
        let line = self.contents.line(self.next)?;
        Header::read(line).ok().map(|header| (header, line))
    }

    /// Takes the next line as it is.
    pub fn skip(&mut self) {
        if let Some(ms) = self.peek().and_then(|(header, _)| parse_ms(header.ts)) {
            self.last_ms = ms;
        }
        self.next += 1;
    }

    /// The next recorded event, if it is of this type.
    pub fn next_as<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Option<T> {
        let (header, line) = self.peek()?;
        (header.kind == kind).then(|| serde_json::from_str(line).ok()).flatten()
    }

    pub fn turn(&mut self, owner_of_call: &str) -> Turn {
        self.skip_activities();
        if self.divergence.is_some() {
            // What others would wait for may never come.
            return Turn::Nobodys;
        }
        match self.peek().and_then(|(header, line)| owner(&header, line)) {
            Some(owner) if owner == owner_of_call => Turn::Mine,
            Some(owner) if self.open.contains(&owner) => Turn::Others,
            None if self.at_end() => Turn::End,
            _ => Turn::Nobodys,
        }
    }

    /// Takes what the journal has next about files that this call touched. The agent never hears of it.
    pub fn skip_changes(&mut self, owner_of_call: &str) {
        self.skip_activities();
        while self.divergence.is_none()
            && self.peek().is_some_and(|(header, line)| {
                header.kind == "workspace.change" && owner(&header, line).as_deref() == Some(owner_of_call)
            })
        {
            self.skip();
            // Between the changes of code are the calls that it made.
            self.skip_activities();
        }
    }

    /// Takes what the journal has next about the activities of code, whoever's: some come after the call that they belong
    /// to. Called where a line of another kind is looked for, not before, so that the journal is as long as it was then.
    pub fn skip_activities(&mut self) {
        while self.divergence.is_none() && self.peek().is_some_and(|(header, line)| is_activity(&header, line)) {
            self.skip();
        }
    }

    pub fn opened(&mut self, owner: String) {
        self.open.insert(owner);
    }

    pub fn closed(&mut self, owner: &str) {
        self.open.remove(owner);
    }

    /// Notes the first point at which the replay differs.
    pub fn diverge(&mut self, replayed: String) -> String {
        let recorded = self.contents.line(self.next).unwrap_or("the end of the journal").to_owned();
        let seq = self.next as u64;
        let message = format!("the replay differs from the journal at event {seq}");
        self.divergence.get_or_insert(Divergence { seq, recorded, replayed });
        message
    }

    fn record(&mut self, event: &Event) -> Result<(), String> {
        if self.divergence.is_some() {
            return Err("the replay differs from the journal".to_owned());
        }
        self.skip_activities();
        let Some((header, recorded)) = self.peek() else {
            self.cut_off = true;
            return Err("the journal ends here".to_owned());
        };
        let replayed = line(header.seq, header.ts, header.prev, event)?;
        if replayed == recorded {
            self.skip();
            return Ok(());
        }
        if self.is_cut_off_here() {
            self.cut_off = true;
            return Err("the recorded run was interrupted here".to_owned());
        }
        Err(self.diverge(replayed))
    }

    /// Whether the recorded run came to no end of its own, and nothing more is known of it: the journal is over, or says that
    /// its process ended.
    pub fn is_cut_off_here(&mut self) -> bool {
        self.skip_activities();
        let end = self.next_as::<event::SessionEnd>("session.end");
        self.at_end() || end.and_then(|end| end.error).is_some_and(|error| error.kind == resume::INTERRUPTED)
    }

    /// Whether everything recorded was replayed. A process that died leaves a journal that ends anywhere.
    pub fn at_end(&self) -> bool {
        self.peek().is_none()
    }

    /// The next recorded prompt, after what is no part of a run: processes that opened the session, with their settings,
    /// calls that the user made by hand, and what the user did with the changes.
    pub fn next_prompt(&mut self) -> (Option<event::SessionStart>, Option<String>) {
        let mut start = None;
        loop {
            let Some((header, line)) = self.peek() else { return (start, None) };
            match header.kind {
                "session.start" => start = serde_json::from_str(line).ok(),
                "user.message" => {
                    let message = serde_json::from_str::<event::UserMessage>(line).ok();
                    return (start, message.map(|message| message.text));
                }
                "permission.ask" | "permission.answer" | "tool.use" | "workspace.change" | "tool.result" => {}
                "net.request" | "process.start" | "process.exit" => {}
                "workspace.commit" | "workspace.undo" | "workspace.discard" => {}
                kind => {
                    let kind = kind.to_owned();
                    self.diverge(format!("a run ended before this {kind}"));
                    return (start, None);
                }
            }
            self.skip();
        }
    }
}

impl Recorder {
    pub fn record(&mut self, event: &Event) -> Result<(), String> {
        match self {
            Self::Live(live) => {
                let ts = format_ms(live.now_ms());
                live.journal.append(&ts, event)
            }
            Self::Replay(replay) => replay.record(event),
        }
    }

    /// Fails, with the reason, where nothing can be recorded any more.
    pub fn appendable(&self) -> Result<(), String> {
        match self {
            Self::Live(live) => live.journal.appendable(),
            Self::Replay(_) => Ok(()),
        }
    }

    /// Time of the last event, in milliseconds since 1970: the agent's clock.
    pub fn last_ms(&self) -> i64 {
        match self {
            Self::Live(live) => live.last_ms,
            Self::Replay(replay) => replay.last_ms,
        }
    }

    pub fn replay(&mut self) -> Option<&mut Replay> {
        match self {
            Self::Live(_) => None,
            Self::Replay(replay) => Some(replay),
        }
    }

    pub fn is_replay(&self) -> bool {
        matches!(self, Self::Replay(_))
    }

    /// Makes sure that a power failure cannot undo the record of what happens next.
    pub fn sync(&mut self) -> Result<(), String> {
        match self {
            Self::Live(live) => live.journal.sync(),
            Self::Replay(_) => Ok(()),
        }
    }

    pub fn seal(&mut self) -> Result<(), String> {
        match self {
            Self::Live(live) => live.journal.seal(),
            Self::Replay(_) => Ok(()),
        }
    }

    pub fn events(&self) -> u64 {
        match self {
            Self::Live(live) => live.journal.events(),
            Self::Replay(replay) => replay.next as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn timestamps_have_milliseconds_in_utc() {
        assert_eq!(format_ms(1_767_323_045_670), "2026-01-02T03:04:05.670Z");
        assert_eq!(parse_ms("2026-01-02T03:04:05.670Z"), Some(1_767_323_045_670));
    }

    #[test]
    fn between_runs_a_replay_passes_over_what_the_user_did() {
        let (_folder, contents) = testing::journal([
            testing::start(false),
            testing::commit(1, None),
            testing::says("first"),
            testing::end("done"),
            testing::commit(2, None),
            testing::commit(3, Some(2)),
            testing::discard(),
            testing::start(true),
            testing::commit(4, None),
            testing::tool_use("by hand"),
            testing::change("by hand", "a"),
            testing::tool_result("by hand"),
            testing::says("second"),
            testing::end("done"),
            testing::commit(5, None),
        ]);
        let mut replay = Replay::new(contents);
        let mut prompt = |from: u64| {
            assert_eq!(replay.next as u64, from);
            let (_, prompt) = replay.next_prompt();
            if prompt.is_some() {
                (0..2).for_each(|_| replay.skip());
            }
            prompt
        };
        assert_eq!(prompt(0).as_deref(), Some("first"));
        assert_eq!(prompt(4).as_deref(), Some("second"));
        assert_eq!(prompt(14), None);
        assert!(replay.at_end() && replay.divergence.is_none());
    }

    #[test]
    fn in_a_run_a_commit_is_a_difference() {
        let (_folder, contents) =
            testing::journal([testing::start(false), testing::says("hi"), testing::commit(1, None)]);
        let mut replay = Replay::new(contents);
        (0..2).for_each(|_| replay.skip());
        replay.opened(tool_owner("a"));
        assert_eq!(replay.turn(&tool_owner("a")), Turn::Nobodys);
    }
}
