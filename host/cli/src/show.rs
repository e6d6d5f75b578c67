//! What the user sees of a run: text on stdout, everything else on stderr; or, with `--json`, one event a line on stdout.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use wardian_host::wit::{
    Answer, CallErrorKind, Event, FileAccess, Outcome, Part, Powers, Question, ToolFinished, Update,
};
use wardian_host::{Ui, UiFuture};

use crate::model::Tokens;
use crate::terminal;

/// Columns of a line about a tool.
const LINE_CHARS_MAX: usize = 110;

/// How things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    People,
    Json,
    /// Nothing: for commands that print their own result.
    Quiet,
}

pub struct Show {
    style: Style,
    color: bool,
    /// Whether the last thing on stdout was text without a newline at its end.
    mid_line: Mutex<bool>,
    /// Of answers since they were last asked for.
    tokens: Mutex<Tokens>,
}

impl Show {
    pub fn new(style: Style) -> Arc<Self> {
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Arc::new(Self { style, color, mid_line: Mutex::new(false), tokens: Mutex::default() })
    }

    /// What the answers since the last call of this have cost.
    pub fn take_tokens(&self) -> Tokens {
        self.tokens.lock().map(|mut tokens| std::mem::take(&mut *tokens)).unwrap_or_default()
    }

    fn count(&self, event: &Event) {
        if let (Event::ResponseEnd(usage), Ok(mut tokens)) = (event, self.tokens.lock()) {
            tokens.input += usage.input_tokens;
            tokens.cached += usage.cached_tokens;
            tokens.output += usage.output_tokens;
        }
    }

    fn dim(&self, text: &str) -> String {
        if self.color { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn red(&self, text: &str) -> String {
        if self.color { format!("\x1b[31m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn green(&self, text: &str) -> String {
        if self.color { format!("\x1b[32m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes answer text as it comes.
    fn text(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let text = if out.is_terminal() { tame(text) } else { text.into() };
        // A closed pipe is the reader's way to say that it has enough; the run goes on.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Ok(mut mid_line) = self.mid_line.lock()
            && !text.is_empty()
        {
            *mid_line = !text.ends_with('\n');
        }
    }

    /// Makes sure that what follows begins on a line of its own.
    pub fn fresh_line(&self) {
        if let Ok(mut mid_line) = self.mid_line.lock()
            && *mid_line
        {
            // Not `println`, which panics when nobody reads any more.
            let _ = writeln!(std::io::stdout());
            *mid_line = false;
        }
    }

    fn note(&self, text: &str) {
        self.fresh_line();
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn people(&self, event: Event) {
        match event {
            Event::Text(text) => self.text(&text),
            Event::Reasoning(text) => {
                if std::io::stderr().is_terminal() {
                    let _ = write!(std::io::stderr(), "{}", self.dim(&tame(&text)));
                }
            }
            Event::ResponseEnd(_) => self.fresh_line(),
            Event::ToolStarted(started) => {
                self.note(&cut(&format!("{} {} {}", self.dim("·"), started.tool, started.summary)));
            }
            Event::ToolFinished(finished) => self.finished(&finished),
            Event::Retrying((reason, ms)) => {
                self.note(&format!("{reason}; trying again in {:.1} s", ms as f64 / 1000.0));
            }
            Event::Compacting => self.note(&self.dim("the conversation grows long: summarizing its older part …")),
        }
    }

    fn finished(&self, finished: &ToolFinished) {
        let (mark, text) = match &finished.result {
            Ok(outcome) => (self.green("✓"), first_line(outcome)),
            Err(error) => (self.red("✗"), error.message.clone()),
        };
        let text = cut(&clean(&text));
        self.note(&format!("{mark} {} {text} {}", finished.tool, self.dim(&format!("{} ms", finished.ms))));
    }

    fn json(&self, event: Event) {
        let value = match event {
            Event::Text(text) => json!({"type": "text", "text": text}),
            Event::Reasoning(text) => json!({"type": "reasoning", "text": text}),
            Event::ResponseEnd(usage) => json!({
                "type": "response.end",
                "input_tokens": usage.input_tokens,
                "cached_tokens": usage.cached_tokens,
                "output_tokens": usage.output_tokens,
            }),
            Event::ToolStarted(started) => json!({
                "type": "tool.started",
                "id": started.id,
                "tool": started.tool,
                "summary": started.summary,
                "input": serde_json::from_str::<serde_json::Value>(&started.input).unwrap_or_default(),
            }),
            Event::ToolFinished(finished) => {
                let result = result_json(&finished.result);
                json!({
                    "type": "tool.finished",
                    "id": finished.id,
                    "tool": finished.tool,
                    "ms": finished.ms,
                    "output": result["output"],
                    "truncated": result["truncated"],
                    "error": result["error"],
                })
            }
            Event::Retrying((reason, delay_ms)) => {
                json!({"type": "retrying", "reason": reason, "delay_ms": delay_ms})
            }
            Event::Compacting => json!({"type": "compacting"}),
        };
        print_json_line(&value);
    }
}

/// One JSON document on a line of its own.
pub fn print_json_line(value: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

/// One JSON document, indented where a person reads it.
pub fn print_json(value: &serde_json::Value) {
    let text = if std::io::stdout().is_terminal() { format!("{value:#}") } else { value.to_string() };
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

impl Ui for Show {
    fn event(&self, event: Event) {
        self.count(&event);
        match self.style {
            Style::People => self.people(event),
            Style::Json => self.json(event),
            Style::Quiet => {}
        }
    }

    fn progress(&self, id: &str, update: Update) {
        match self.style {
            Style::Json => {
                let done = update.done.map(|(done, all)| json!({"done": done, "all": all}));
                print_json_line(&json!({
                    "type": "tool.progress", "id": id, "message": update.message, "done": done,
                }));
            }
            Style::People if std::io::stderr().is_terminal() => {
                let done = update.done.map(|(done, all)| format!(" {done}/{all}")).unwrap_or_default();
                self.note(&self.dim(&cut(&format!("  {}{done}", clean(&update.message)))));
            }
            Style::People | Style::Quiet => {}
        }
    }

    fn ask(&self, question: Question) -> UiFuture<Answer> {
        struct Withdraw(Arc<AtomicBool>);
        impl Drop for Withdraw {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        if self.style != Style::People {
            return Box::pin(async { Answer::Unavailable });
        }
        self.fresh_line();
        let withdrawn = Arc::new(AtomicBool::new(false));
        let guard = Withdraw(withdrawn.clone());
        Box::pin(async move {
            let _guard = guard;
            let asking = tokio::task::spawn_blocking(move || terminal::ask(&question, &withdrawn));
            asking.await.unwrap_or(Answer::Unavailable)
        })
    }
}

/// The powers as people read them: `files:read, net:example.org`; `none`.
pub fn powers(powers: &Powers) -> String {
    let files = match powers.files {
        FileAccess::None => None,
        FileAccess::Read => Some("files:read".to_owned()),
        FileAccess::Write => Some("files:write".to_owned()),
    };
    let named =
        |kind: &'static str, names: &[String]| names.iter().map(|name| format!("{kind}:{name}")).collect::<Vec<_>>();
    let all: Vec<String> = files
        .into_iter()
        .chain(named("net", &powers.net))
        .chain(named("process", &powers.process))
        .chain(named("env", &powers.env))
        .collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// A tool's answer as JSON: `output` {`text`, `data`?, `attachments`?}, `truncated` and `error`.
pub fn result_json(result: &Result<Outcome, wardian_host::wit::CallError>) -> serde_json::Value {
    match result {
        Ok(outcome) => {
            let mut output = json!({"text": text(outcome)});
            if let Some(data) = &outcome.data {
                output["data"] = serde_json::from_str(data).unwrap_or_default();
            }
            let attachments: Vec<_> = outcome
                .parts
                .iter()
                .filter_map(|part| match part {
                    Part::Text(_) => None,
                    Part::Image(image) => Some(json!({"media_type": image.media_type, "bytes": image.bytes.len()})),
                    Part::File(file) => {
                        Some(json!({"path": file.path, "media_type": file.media_type, "bytes": file.bytes}))
                    }
                })
                .collect();
            if !attachments.is_empty() {
                output["attachments"] = attachments.into();
            }
            json!({"output": output, "truncated": outcome.truncated, "error": null})
        }
        Err(error) => json!({
            "output": null,
            "truncated": false,
            "error": {"kind": kind(error.kind), "message": error.message},
        }),
    }
}

pub fn kind(kind: CallErrorKind) -> &'static str {
    match kind {
        CallErrorKind::UnknownTool => "unknown-tool",
        CallErrorKind::InvalidInput => "invalid-input",
        CallErrorKind::NotPermitted => "not-permitted",
        CallErrorKind::Limit => "limit",
        CallErrorKind::Trapped => "trapped",
        CallErrorKind::Failed => "failed",
        CallErrorKind::Cancelled => "cancelled",
        CallErrorKind::Interrupted => "interrupted",
        CallErrorKind::Host => "host",
    }
}

/// All text of a result.
pub fn text(outcome: &Outcome) -> String {
    let texts: Vec<&str> = outcome
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Image(_) | Part::File(_) => None,
        })
        .collect();
    texts.join("\n")
}

fn first_line(outcome: &Outcome) -> String {
    let text = text(outcome);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or("(nothing)").trim().to_owned();
    match lines.count() {
        0 => first,
        more => format!("{first} (+{more} lines)"),
    }
}

/// Text as it is, or made harmless where it would reach a terminal.
pub fn print_text(text: &str) {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { tame(text) } else { text.into() };
    let _ = writeln!(out, "{text}");
}

/// Text from elsewhere must not steer the terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// As [`clean`], for text of several lines.
fn tame(text: &str) -> std::borrow::Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(steers) { text.replace(steers, " ").into() } else { text.into() }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LINE_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(LINE_CHARS_MAX).chain(['…']).collect()
}
