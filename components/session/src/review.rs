//! The workspace's review as the host sees it, and what the journal says about the workspace: which call touched which
//! path, and which changes were committed, taken back or dropped.
//!
//! A commit has its line only after it took place: before, nobody knows what it will have changed. In between, the process
//! may die. The workspace therefore keeps a numbered record of its own, from which the lines that are missing are written as
//! soon as the session is opened again, and none is written twice.

use crate::Session;
use crate::event::{self, Event};
use crate::exports::wardian::workspace::review::{Guest, GuestPlan, Plan, Touched, Touches};
use crate::journal::FILE;
use crate::recorder::Recorder;
use crate::state::{self, State};
use crate::wardian::workspace::review;
use crate::wardian::workspace::types::{
    Change, ChangeList, Commit, CommitOptions, Error, FileDiff, IoError, Kind, Options,
};

/// Paths of one call that get a line each; those beyond are counted in one more line.
const CHANGES_MAX: usize = 1_000;

/// How far the journal has followed the workspace.
pub struct Accounted {
    /// Up to where changes are dealt with. None while the workspace cannot tell: what comes next is then nobody's.
    cursor: Option<u64>,
    /// Number of the last commit or undo in the journal.
    commit: u64,
}

impl Accounted {
    pub fn new(commit: u64) -> Self {
        Self { cursor: None, commit }
    }

    /// Passes over what was changed until now: no call of a tool did it.
    fn pass_over(&mut self) {
        self.cursor = review::cursor().ok();
    }
}

/// Follows what happened to the workspace before this process: the commits that the journal does not have yet.
///
/// A workspace whose record cannot be read is no reason not to open the session; whoever wants to commit is told.
pub fn opened(state: &mut State) -> Result<(), String> {
    state.accounted.pass_over();
    match review::history(state.accounted.commit) {
        Ok(history) => record_commits(&mut state.recorder, &mut state.accounted.commit, history, None),
        Err(_) => Ok(()),
    }
}

/// Records what was touched since the last call that ended, under this call's id.
///
/// A workspace that cannot tell says nothing about the call, so the call does not fail. Neither does it here if the
/// journal cannot be written: its result, which is recorded next, does.
pub fn changed(state: &mut State, id: &str) {
    let Some(cursor) = state.accounted.cursor else {
        state.accounted.pass_over();
        return;
    };
    let Ok(touches) = review::since(cursor) else { return };
    state.accounted.cursor = Some(touches.next);
    for event in change_events(id, touches.touched) {
        if state.record(event).is_err() {
            return;
        }
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::Modified => "modified",
        Kind::Deleted => "deleted",
        Kind::Renamed => "renamed",
        Kind::Mode => "mode",
        Kind::Type => "type",
    }
}

/// A line for each path, as far as there may be.
fn change_events(id: &str, touched: Vec<review::Touched>) -> impl Iterator<Item = Event> {
    let change = |path: String, kind: &str, count| {
        Event::WorkspaceChange(event::WorkspaceChange { path, kind: kind.to_owned(), id: id.to_owned(), count })
    };
    let more = touched.len().saturating_sub(CHANGES_MAX) as u64;
    touched
        .into_iter()
        .take(CHANGES_MAX)
        .map(move |touched| change(touched.path, kind_name(touched.kind), None))
        .chain((more > 0).then(|| change(String::new(), "more", Some(more))))
}

/// What the journal lacks, in order: of the workspace's record what is above `last`, and what was `made` just now, which is
/// in the record as well unless that could not be read.
fn missing(last: u64, history: Vec<Commit>, made: Option<Commit>) -> Vec<Commit> {
    let mut missing: Vec<_> = history.into_iter().filter(|commit| commit.number > last).collect();
    missing.sort_by_key(|commit| commit.number);
    missing.dedup_by_key(|commit| commit.number);
    if let Some(made) = made
        && missing.iter().all(|commit| commit.number != made.number)
    {
        missing.push(made);
    }
    missing
}

fn commit_event(commit: Commit) -> Event {
    let Commit { number, undoes, paths, before, after } = commit;
    let event = event::WorkspaceCommit { commit: number, undoes, paths, before, after };
    if undoes.is_some() { Event::WorkspaceUndo(event) } else { Event::WorkspaceCommit(event) }
}

/// Writes the lines that are missing, and makes them durable. `last` is the number of the last one in the journal.
fn record_commits(
    recorder: &mut Recorder,
    last: &mut u64,
    history: Vec<Commit>,
    made: Option<Commit>,
) -> Result<(), String> {
    let missing = missing(*last, history, made);
    if missing.is_empty() {
        return Ok(());
    }
    for commit in missing {
        let number = commit.number;
        recorder.record(&commit_event(commit))?;
        *last = number;
    }
    recorder.sync()
}

fn journal_error(message: String) -> Error {
    Error::Io(IoError { path: FILE.to_owned(), message })
}

/// Looks whether the workspace or the project may be changed now.
///
/// Without an open session there is no journal, and without a journal nothing is changed. Neither is it in a replay, or
/// during a run, where a replay would look for the agent's next step.
fn before_change() -> Result<(), Error> {
    state::with(|state| {
        if state.recorder.is_replay() {
            return Err(Error::ReadOnly);
        }
        if state.under_way {
            return Err(journal_error("a run is under way; its end has to be journaled first".to_owned()));
        }
        state.recorder.appendable().map_err(|reason| journal_error(format!("{reason}; nothing was changed")))
    })
    .unwrap_or(Err(Error::ReadOnly))
}

/// Catches up with the workspace's record, so that its next number is the journal's next as well.
fn catch_up() -> Result<(), Error> {
    state::with(|state| {
        let history = review::history(state.accounted.commit)?;
        record_commits(&mut state.recorder, &mut state.accounted.commit, history, None).map_err(journal_error)
    })
    .unwrap_or(Err(Error::ReadOnly))
}

/// Records the commit or undo that was `made`, and what else the journal lacks.
fn after_change(made: Option<&Commit>) -> Result<(), Error> {
    state::with(|state| {
        state.accounted.pass_over();
        let history = review::history(state.accounted.commit).unwrap_or_default();
        record_commits(&mut state.recorder, &mut state.accounted.commit, history, made.cloned())
            .map_err(|reason| journal_error(unrecorded(made, &reason)))
    })
    .unwrap_or(Err(Error::ReadOnly))
}

fn unrecorded(made: Option<&Commit>, reason: &str) -> String {
    let what = match made {
        Some(Commit { number, undoes: Some(undone), .. }) => format!("commit {undone} was undone (as number {number})"),
        Some(Commit { number, .. }) => format!("commit {number} took place"),
        None => "the workspace has commits that are not in the journal".to_owned(),
    };
    format!("{what}, but it is not in the journal yet: {reason}; it will be once the session is opened again")
}

/// Carries out something that changes the project.
fn change(made: impl FnOnce() -> Result<Commit, Error>) -> Result<Commit, Error> {
    before_change()?;
    catch_up()?;
    let result = made();
    let recorded = after_change(result.as_ref().ok());
    let commit = result?;
    recorded.map(|()| commit)
}

pub struct Planned(review::Plan);

impl GuestPlan for Planned {
    fn changes(&self) -> Vec<Change> {
        self.0.changes()
    }

    fn apply(&self) -> Result<Commit, Error> {
        change(|| self.0.apply())
    }
}

impl Guest for Session {
    type Plan = Planned;

    fn changes(options: Options) -> Result<ChangeList, Error> {
        review::changes(&options)
    }

    fn diff(path: String, context: u32, lines_max: u32) -> Result<FileDiff, Error> {
        review::diff(&path, context, lines_max)
    }

    fn unified(path: String, context: u32) -> Result<String, Error> {
        review::unified(&path, context)
    }

    fn prepare(options: CommitOptions) -> Result<Plan, Error> {
        review::prepare(&options).map(|plan| Plan::new(Planned(plan)))
    }

    fn discard(paths: Vec<String>, ignored: bool) -> Result<Vec<String>, Error> {
        before_change()?;
        let paths = review::discard(&paths, ignored)?;
        state::with(|state| {
            state.accounted.pass_over();
            let event = Event::WorkspaceDiscard(event::WorkspaceDiscard { paths: paths.clone() });
            state.record(event).and_then(|()| state.recorder.sync()).map_err(|reason| {
                let number = paths.len();
                journal_error(format!("changes were dropped ({number} paths), but it could not be journaled: {reason}"))
            })
        })
        .unwrap_or(Err(Error::ReadOnly))?;
        Ok(paths)
    }

    fn undo() -> Result<Commit, Error> {
        change(review::undo)
    }

    fn recover() -> Result<Option<Commit>, Error> {
        // Without catching up first: the record may be readable only afterwards.
        before_change()?;
        let result = review::recover();
        // What was interrupted may have been in the record before: then it has its line since `open`.
        let last = state::with(|state| state.accounted.commit).unwrap_or_default();
        let made = result.as_ref().ok().and_then(Option::as_ref).filter(|commit| commit.number > last);
        let recorded = after_change(made);
        let commit = result?;
        recorded.map(|()| commit)
    }

    fn history(after: u64) -> Result<Vec<Commit>, Error> {
        review::history(after)
    }

    fn cursor() -> Result<u64, Error> {
        review::cursor()
    }

    fn since(cursor: u64) -> Result<Touches, Error> {
        let touches = review::since(cursor)?;
        let touched = touches.touched.into_iter().map(|touched| Touched { path: touched.path, kind: touched.kind });
        Ok(Touches { next: touches.next, touched: touched.collect() })
    }
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
