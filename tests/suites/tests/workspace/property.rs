//! Whatever is done to a workspace, it looks like a plain folder to which the same was done; a commit makes the project
//! look so, and an undo makes the project look as it did.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use suites::files::{Answer, Runner, Step};
use suites::overlay::{Overlay, Tree, tree};
use suites::random::{Random, shrink};
use wardian_host::wit::ReviewError;

use super::model::{self, Modes};

/// Cases of one run; `WARDIAN_TEST_SEEDS=7..9` asks for others.
const SEEDS: u64 = 24;

/// Actions of one case.
const ACTIONS: usize = 120;

#[derive(Debug, Clone)]
enum Action {
    Step(Step),
    /// What follows happens in a new instance.
    Cut,
    CommitAll,
    /// Only some of the changes: the number says which.
    CommitSome(u64),
    Undo,
    DiscardAll,
}

/// The workspace, its model, and how far both are.
struct Pair {
    overlay: Overlay,
    model: PathBuf,
    runner: Runner,
    /// Done to the model, and not yet to the workspace.
    ahead: Vec<(Step, Answer)>,
    /// The project before each commit that can be undone.
    before: Vec<(Tree, Modes)>,
    /// Something was committed or undone.
    is_rewritten: bool,
}

impl Pair {
    fn new() -> Self {
        let overlay = Overlay::new();
        let model = overlay.folder().join("model");
        model::populate(&overlay.project());
        model::copy(&overlay.project(), &model);
        let runner = Runner::new(model.to_str().unwrap());
        Self { overlay, model, runner, ahead: Vec::new(), before: Vec::new(), is_rewritten: false }
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        if let Action::Step(step) = action {
            let answer = if model::is_refused(&self.model, step) {
                Answer::Error("*".to_owned())
            } else {
                self.runner.answer(step)
            };
            self.ahead.push((step.clone(), answer));
            return Ok(());
        }
        self.catch_up()?;
        match action {
            Action::Step(_) | Action::Cut => Ok(()),
            Action::CommitAll => self.commit_all(),
            Action::CommitSome(seed) => self.commit_some(*seed),
            Action::Undo => self.undo(),
            Action::DiscardAll => self.discard_all(),
        }
    }

    /// Does to the workspace what was done to the model, in one instance, and compares.
    fn catch_up(&mut self) -> Result<(), String> {
        self.runner = Runner::new(self.model.to_str().unwrap());
        let (steps, expected): (Vec<Step>, Vec<Answer>) = std::mem::take(&mut self.ahead).into_iter().unzip();
        let answers = self.overlay.steps(&steps);
        for ((step, expected), answer) in steps.iter().zip(&expected).zip(&answers) {
            if !is_same(expected, answer, self.is_rewritten) {
                return Err(format!("{step:?}\nin the model: {expected:?}\nin the workspace: {answer:?}"));
            }
        }
        self.compare("the workspace")
    }

    fn compare(&self, what: &str) -> Result<(), String> {
        same(what, &self.overlay.tree(), &tree(&self.model))
    }

    fn snapshot(&self) -> (Tree, Modes) {
        (self.overlay.project_tree(), model::modes(&self.overlay.project()))
    }

    fn commit_all(&mut self) -> Result<(), String> {
        let before = self.snapshot();
        let mut review = self.overlay.review();
        match review.commit_all() {
            Err(ReviewError::Nothing) => {}
            Err(error) => return Err(format!("commit: {error:?}")),
            Ok(commit) => {
                self.before.push(before);
                model::split_names(&self.model, &commit.paths);
                self.is_rewritten = true;
            }
        }
        same("the project after the commit", &self.overlay.project_tree(), &tree(&self.model))?;
        self.compare("the workspace after the commit")?;
        match review.changes().as_slice() {
            [] => Ok(()),
            left => Err(format!("after the commit of everything there is left: {left:?}")),
        }
    }

    fn commit_some(&mut self, seed: u64) -> Result<(), String> {
        let mut random = Random::new(seed);
        let mut review = self.overlay.review();
        let all: Vec<String> = review.changes().into_iter().map(|change| change.path).collect();
        let chosen: Vec<String> = all.into_iter().filter(|_| random.one_in(3)).collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let before = self.snapshot();
        let commit = review.commit_paths(&chosen).map_err(|error| format!("commit of {chosen:?}: {error:?}"))?;
        let (project, expected) = (self.overlay.project_tree(), tree(&self.model));
        for path in &commit.paths {
            if project.get(path) != expected.get(path) {
                let (project, expected) = (project.get(path), expected.get(path));
                return Err(format!("{path} was committed and is {project:?} in the project, not {expected:?}"));
            }
        }
        for (path, what) in before.0.iter().filter(|(path, _)| !commit.paths.contains(path)) {
            if project.get(path) != Some(what) {
                return Err(format!(
                    "{path} was no part of the commit and is {:?} instead of {what}",
                    project.get(path)
                ));
            }
        }
        self.before.push(before);
        model::split_names(&self.model, &commit.paths);
        self.is_rewritten = true;
        self.compare("the workspace after a commit in part")
    }

    fn undo(&mut self) -> Result<(), String> {
        let undone = self.overlay.review().undo();
        let Some((files, modes)) = self.before.pop() else {
            return match undone {
                Err(ReviewError::Nothing) => Ok(()),
                other => Err(format!("there was nothing to undo: {other:?}")),
            };
        };
        undone.map_err(|error| format!("undo: {error:?}"))?;
        same("the project after the undo", &self.overlay.project_tree(), &files)?;
        if model::modes(&self.overlay.project()) != modes {
            return Err("the undo left other permission bits".to_owned());
        }
        self.is_rewritten = true;
        self.compare("the workspace after the undo")
    }

    fn discard_all(&mut self) -> Result<(), String> {
        match self.overlay.review().discard(&[]) {
            Ok(_) | Err(ReviewError::Nothing) => {}
            Err(error) => return Err(format!("discard: {error:?}")),
        }
        fs::remove_dir_all(&self.model).unwrap();
        model::copy(&self.overlay.project(), &self.model);
        self.compare("the workspace after discarding everything")
    }
}

/// The same answer; where the model does not know better, any error. What was committed or undone has times that the model
/// does not know.
fn is_same(expected: &Answer, answer: &Answer, is_rewritten: bool) -> bool {
    let timeless = |answer: &Answer| {
        let mut answer = answer.clone();
        if let Answer::Ok(Value::Object(stat)) = &mut answer
            && is_rewritten
        {
            stat.remove("modified");
        }
        answer
    };
    match expected {
        Answer::Error(name) if name == "*" => !answer.is_ok(),
        expected => timeless(expected) == timeless(answer),
    }
}

fn same(what: &str, found: &Tree, expected: &Tree) -> Result<(), String> {
    let mut differences = Vec::new();
    for path in found.keys().chain(expected.keys().filter(|path| !found.contains_key(*path))) {
        if found.get(path) != expected.get(path) {
            differences.push(format!("{path}: {:?}, expected {:?}", found.get(path), expected.get(path)));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(format!("{what}:\n{}", differences.join("\n"))) }
}

// --- random actions ---

const NAMES: &[&str] =
    &["a", "b", "c", "A", "dir", "Dir", "sub", "x", "\u{e4}.txt", "a\u{308}.txt", " sp ace ", "target"];

struct Generator {
    random: Random,
    count: u64,
    /// Open handles, and whether they can be read from.
    handles: Vec<(u32, bool)>,
}

impl Generator {
    fn text(&mut self) -> String {
        self.count += 1;
        let lines = self.random.below(4);
        (0..=lines).map(|line| format!("text {} line {line}\n", self.count)).collect()
    }

    fn path(&mut self, model: &Path, paths: &[String]) -> String {
        let random = &mut self.random;
        let is_directory = |path: &&String| fs::symlink_metadata(model.join(path)).is_ok_and(|data| data.is_dir());
        let name = if random.one_in(25) { model::long_name() } else { (*random.pick(NAMES)).to_owned() };
        match random.below(20) {
            0..=10 if !paths.is_empty() => random.pick(paths).clone(),
            // Below whatever it is.
            11 if !paths.is_empty() => format!("{}/{name}", random.pick(paths)),
            12 if !paths.is_empty() => format!("{}/../{name}", random.pick(paths)),
            13 => format!("./{name}"),
            14 => format!("{name}/{name}"),
            _ => {
                let directories: Vec<&String> = paths.iter().filter(is_directory).collect();
                if directories.is_empty() || random.one_in(3) {
                    return name;
                }
                format!("{}/{name}", random.pick(&directories))
            }
        }
    }

    fn target(&mut self, path: &str) -> String {
        let random = &mut self.random;
        let names = ["a", "dir", "dir/x", "sub", "nowhere", "link", "x"];
        let up = "../".repeat(random.below(path.matches('/').count() + 1));
        // A path with `..` in it, or below a link, may stand higher than it looks.
        let up = if path.contains("..") || path.contains("link") { String::new() } else { up };
        format!("{up}{}", random.pick(&names))
    }

    fn action(&mut self, model: &Path) -> Action {
        let actions = self.random.below(100);
        if actions < 10 {
            self.handles.clear();
            return match actions {
                0 => Action::CommitAll,
                1 | 2 => Action::CommitSome(self.random.number()),
                3 => Action::Undo,
                4 if self.random.one_in(4) => Action::DiscardAll,
                _ => Action::Cut,
            };
        }
        Action::Step(self.step(model))
    }

    fn step(&mut self, model: &Path) -> Step {
        let paths = model::paths(model);
        let path = self.path(model, &paths);
        if self.random.one_in(8) && !self.handles.is_empty() {
            return self.with_handle();
        }
        match self.random.below(100) {
            0..=11 => Step::Write { path, text: self.text() },
            12..=16 => Step::Create { path, text: self.text() },
            17..=23 => Step::Append { path, text: self.text() },
            24..=27 => Step::Patch { path, at: self.random.below(40) as u64, text: self.text() },
            28..=31 => Step::Truncate { path, bytes: self.random.below(40) as u64 },
            32..=46 => Step::Rename { from: path, to: self.path(model, &paths) },
            47..=50 => Step::Link { from: path, to: self.path(model, &paths) },
            51..=54 => Step::Symlink { target: self.target(&path), path },
            55..=57 => Step::Readlink { path },
            58..=65 => Step::Unlink { path },
            66..=72 => Step::Mkdir { path },
            73..=77 => Step::Rmdir { path },
            78 => Step::RemoveTree { path },
            79..=82 => Step::Stat { path },
            83..=86 => Step::Lstat { path },
            87..=88 => Step::Touch { path, seconds: 1_100_000_000 + self.random.below(1_000) as u64 },
            89..=92 => Step::List { path },
            93..=96 => Step::Read { path },
            _ => {
                self.count += 1;
                let handle = self.count as u32;
                let flags = *self.random.pick(&["rw", "rwc", "rwct", "rwx", "a"]);
                self.handles.push((handle, flags != "a"));
                Step::Open { path, flags: flags.to_owned(), handle }
            }
        }
    }

    fn with_handle(&mut self) -> Step {
        let (handle, can_read) = *self.random.pick(&self.handles);
        match self.random.below(8) {
            0 => Step::WriteTo { handle, at: self.random.below(40) as u64, text: self.text() },
            1 | 2 => Step::Put { handle, text: self.text() },
            3 => Step::SetLength { handle, bytes: self.random.below(40) as u64 },
            4 => Step::StatOf { handle },
            5 => Step::TouchOf { handle, seconds: 1_200_000_000 },
            6 => Step::Sync { handle },
            _ if can_read => Step::ReadFrom { handle, at: self.random.below(20) as u64 },
            _ => Step::SyncData { handle },
        }
    }
}

fn replay(actions: &[Action]) -> Result<(), String> {
    let mut pair = Pair::new();
    actions.iter().try_for_each(|action| pair.act(action))?;
    finish(pair)
}

/// Everything is committed, and everything taken back again.
fn finish(mut pair: Pair) -> Result<(), String> {
    pair.catch_up()?;
    pair.commit_all()?;
    while !pair.before.is_empty() {
        pair.undo()?;
    }
    pair.discard_all()
}

/// Makes up actions while they are done, because what is worth doing depends on what is there.
fn run(seed: u64, done: &RefCell<Vec<Action>>) -> Result<(), String> {
    let mut generator = Generator { random: Random::new(seed), count: 0, handles: Vec::new() };
    let mut pair = Pair::new();
    for _ in 0..ACTIONS {
        let action = generator.action(&pair.model);
        done.borrow_mut().push(action.clone());
        pair.act(&action)?;
    }
    finish(pair)
}

/// `7..9`
fn range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once("..")?;
    Some(start.parse().ok()?..end.parse().ok()?)
}

#[test]
fn a_workspace_is_like_a_plain_folder() {
    let seeds = std::env::var("WARDIAN_TEST_SEEDS").ok();
    let seeds = seeds.as_deref().and_then(range).unwrap_or(0..SEEDS);
    for seed in seeds {
        let actions = RefCell::new(Vec::new());
        let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed, &actions)));
        let actions = actions.into_inner();
        if !matches!(failure, Ok(Ok(()))) {
            let (actions, why) = shrink(&actions, replay).expect("it fails again");
            panic!("seed {seed}, as few steps as it takes:\n{actions:#?}\n{why}");
        }
    }
}
