//! Review, commit and undo: `wardian:workspace/review`.

mod ahead;
mod commit;
mod plan;
mod settle;
mod show;
mod side;
mod survey;

use std::collections::BTreeSet;

use crate::Component;
use crate::exports::wardian::workspace::review::{Guest, Touched, Touches};
use crate::index::{Op, is_within};
use crate::layer::{self, Workspace};
use crate::rules::{IGNORE_FILE, Ignores};
use crate::wardian::workspace::types::{ChangeList, Commit, CommitOptions, Error, FileDiff, IoError, Kind, Options};
use crate::wasi::filesystem::types::ErrorCode;

/// An error of the file system, with the path where it happened.
pub fn io(path: &str, error: ErrorCode) -> Error {
    match error {
        // Only the layer's own log is ever found in such a state.
        ErrorCode::NotRecoverable => Error::Damaged("the session's file upper/log cannot be read".to_owned()),
        error => {
            let message = match error {
                ErrorCode::Unsupported => "the file system here has none of these: leave it out of the commit",
                other => other.message(),
            };
            Error::Io(IoError { path: path.to_owned(), message: message.to_owned() })
        }
    }
}

/// Runs `work` on the workspace.
pub fn with<R>(work: impl FnOnce(&mut Workspace) -> Result<R, Error>) -> Result<R, Error> {
    layer::with(|workspace| Ok(work(workspace))).unwrap_or_else(|error| {
        Err(match layer::refused() {
            Some(message) => Error::Io(IoError { path: IGNORE_FILE.to_owned(), message }),
            None => io("", error),
        })
    })
}

impl Guest for Component {
    type Plan = plan::Prepared;

    fn changes(options: Options) -> Result<ChangeList, Error> {
        with(|workspace| {
            let mut items = survey::survey(workspace, &options.paths)?.items;
            let all = items.len();
            items.retain(|item| options.ignored || !item.ignored);
            let changes: Vec<_> = items.iter().map(survey::Item::to_change).collect();
            Ok(ChangeList { ignored: (all - changes.len()) as u64, changes })
        })
    }

    fn diff(path: String, context: u32, lines_max: u32) -> Result<FileDiff, Error> {
        with(|workspace| show::diff(workspace, &path, context, lines_max))
    }

    fn unified(path: String, context: u32) -> Result<String, Error> {
        with(|workspace| show::unified(workspace, &path, context))
    }

    fn prepare(options: CommitOptions) -> Result<crate::exports::wardian::workspace::review::Plan, Error> {
        with(|workspace| plan::prepare(workspace, &options)).map(crate::exports::wardian::workspace::review::Plan::new)
    }

    fn discard(paths: Vec<String>, ignored: bool) -> Result<Vec<String>, Error> {
        with(|workspace| plan::discard(workspace, &paths, ignored))
    }

    fn undo() -> Result<Commit, Error> {
        with(plan::undo)
    }

    fn recover() -> Result<Option<Commit>, Error> {
        with(|workspace| {
            let recovered = commit::recover(workspace)?;
            // Only now: what an interrupted undo had copied is in the log by its record alone.
            if workspace.writable {
                workspace.clean().map_err(|error| io("log", error))?;
            }
            Ok(recovered.map(|record| record.to_commit()))
        })
    }

    fn history(after: u64) -> Result<Vec<Commit>, Error> {
        with(|workspace| {
            workspace.refresh().map_err(|error| io("log", error))?;
            let numbers = after.saturating_add(1)..=workspace.index.committed;
            numbers.map(|number| Ok(commit::record(workspace, number)?.to_commit())).collect()
        })
    }

    fn cursor() -> Result<u64, Error> {
        with(|workspace| {
            workspace.refresh().map_err(|error| io("log", error))?;
            Ok(workspace.position())
        })
    }

    fn since(cursor: u64) -> Result<Touches, Error> {
        with(|workspace| {
            let (ops, next) = workspace.since(cursor).map_err(|error| io("log", error))?;
            if ops.is_empty() {
                return Ok(Touches { next, touched: Vec::new() });
            }
            let mut paths = BTreeSet::new();
            let mut modes = BTreeSet::new();
            for op in &ops {
                if let Op::Mode(path, _) = op {
                    modes.insert(path.clone());
                }
                let touched = op.touches();
                paths.extend(touched.iter().flatten().map(|path| (*path).to_owned()));
                if let Op::Move { from, to } = op {
                    // A directory was moved with everything in it.
                    workspace.index.walk(|path, _| {
                        if is_within(path, to) {
                            paths.insert(path.to_owned());
                        }
                    });
                    paths.extend(workspace.index.bases.keys().filter(|path| is_within(path, from)).cloned());
                }
            }
            let only_mode: BTreeSet<String> = modes
                .into_iter()
                .filter(|mode| !ops.iter().any(|op| !matches!(op, Op::Mode(..)) && op.touches().contains(&Some(mode))))
                .collect();
            let mut ignores = Ignores::default();
            let mut touched = Vec::new();
            for path in paths {
                let Some(mut kind) = survey::rough_kind(workspace, &path) else { continue };
                if survey::is_ignored(workspace, &mut ignores, &path, false)? {
                    continue;
                }
                if kind == Kind::Modified && only_mode.contains(&path) {
                    kind = Kind::Mode;
                }
                touched.push(Touched { path, kind });
            }
            Ok(Touches { next, touched })
        })
    }
}
