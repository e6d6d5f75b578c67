//! A world for one test: its own `$WARDIAN_HOME`, its own project, its own scenarios, nothing else of the machine.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::models::Protocol;
use crate::process::{Done, Running, until};
use crate::{dist, journal};

/// In the environment of every process, to see whether it gets further than that.
pub const SECRET: (&str, &str) = ("WARDIAN_TEST_SECRET", "for the host alone");

pub struct World {
    folder: TempDir,
    scenarios: Cell<usize>,
}

/// A session's id and folder.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: String,
    pub folder: PathBuf,
}

impl Session {
    pub fn journal(&self) -> PathBuf {
        self.folder.join(journal::FILE)
    }

    pub fn events(&self) -> Vec<Value> {
        journal::events(&self.journal())
    }

    /// Waits until the journal has `count` events of this type.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, count: usize) {
        until(&format!("{count} {kind} in the journal"), || {
            (journal::of(&self.events(), kind).len() >= count).then_some(())
        });
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// With compiled components at hand, as after the first start.
    pub fn new() -> Self {
        let world = Self::cold();
        let cache = world.home().join("cache");
        #[cfg(unix)]
        std::os::unix::fs::symlink(warm(), cache).unwrap();
        #[cfg(not(unix))]
        copy(&warm(), &cache);
        world
    }

    /// With a compiled-code cache of its own, to do harm to.
    pub fn with_own_cache() -> Self {
        let world = Self::cold();
        copy(&warm(), &world.home().join("cache"));
        world
    }

    /// As before the very first start.
    pub fn cold() -> Self {
        let folder = tempfile::Builder::new().prefix("wardian-test-").tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::create_dir(folder.path().join("project")).unwrap();
        Self { folder, scenarios: Cell::new(0) }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes the user's settings.
    pub fn settings(&self, text: &str) {
        fs::write(self.home().join("config.toml"), text).unwrap();
    }

    /// Writes a scenario and returns the name of the model that plays it.
    pub fn scenario(&self, scenario: &Value) -> String {
        let number = self.scenarios.replace(self.scenarios.get() + 1);
        let path = self.folder.path().join(format!("scenario-{number}.json"));
        fs::write(&path, scenario.to_string()).unwrap();
        format!("script:{}", path.display())
    }

    /// The binary in the project, with nothing in its environment that the test did not put there.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.clean(dist::wardian());
        command.args(arguments);
        command
    }

    /// Another program in the same place.
    pub fn clean(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("WARDIAN_HOME", self.home())
            .env(SECRET.0, SECRET.1)
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }

    /// Starts the binary.
    #[track_caller]
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments))
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn wardian(&self, arguments: &[&str]) -> Done {
        self.start(arguments).wait()
    }

    /// Runs the binary to its end with this on stdin.
    #[track_caller]
    pub fn wardian_with(&self, stdin: &str, arguments: &[&str]) -> Done {
        let path = self.folder.path().join("stdin");
        fs::write(&path, stdin).unwrap();
        let mut command = self.command(arguments);
        command.stdin(fs::File::open(path).unwrap());
        Running::new(command).wait()
    }

    pub fn sessions(&self) -> Vec<Session> {
        let Ok(entries) = fs::read_dir(self.home().join("sessions")) else { return Vec::new() };
        let sessions = entries.map(|entry| {
            let entry = entry.unwrap();
            Session { id: entry.file_name().into_string().unwrap(), folder: entry.path() }
        });
        sessions.collect()
    }

    /// The only session there is, as soon as it has a first event.
    #[track_caller]
    pub fn session(&self) -> Session {
        until("a session", || {
            let sessions = self.sessions();
            assert!(sessions.len() <= 1, "several sessions: {sessions:?}");
            sessions.into_iter().next().filter(|session| !session.events().is_empty())
        })
    }

    /// Checks that a session is whole in every way: the chain by our own code and by `log --verify`, nothing left
    /// without an answer, and a replay that comes to the same.
    #[track_caller]
    pub fn check(&self, session: &Session) {
        journal::check_chain(&session.journal());
        let events = session.events();
        for (open, close) in [("model.request", "model.response"), ("user.message", "session.end")] {
            let count = |kind| journal::of(&events, kind).len();
            assert_eq!(count(open), count(close), "{open} and {close} must come in pairs");
        }
        let mut answers: HashMap<&str, usize> = HashMap::new();
        for result in journal::of(&events, "tool.result") {
            *answers.entry(result["id"].as_str().expect("an id")).or_default() += 1;
        }
        // The calls of an answer that failed were never made.
        for response in journal::of(&events, "model.response").iter().filter(|event| event["error"].is_null()) {
            for call in response["tool_calls"].as_array().expect("an array of calls") {
                let count = call["id"].as_str().and_then(|id| answers.get(id));
                assert_eq!(count, Some(&1), "{call} needs exactly one result");
            }
        }
        let verified = self.wardian(&["log", &session.id, "--verify", "--json"]).exits(0).json();
        assert_eq!(verified["ok"], true);
        assert_eq!(verified["events"], events.len());
        assert_eq!(verified["torn_bytes"], 0);
        let last = journal::lines(&session.journal()).pop().unwrap_or_default();
        assert_eq!(verified["head"], journal::sha256(last.as_bytes()));
        let replayed = self.wardian(&["replay", &session.id, "--json"]).exits(0).json();
        assert_eq!(replayed["identical"], true);
        assert_eq!(replayed["events"], events.len());
        assert_eq!(replayed["runs"], journal::of(&events, "user.message").len());
    }
}

/// A cache with everything that tests run, compiled once for each build.
///
/// It outlives the tests, because compiling takes as long as all the rest; its name says which build it belongs to.
pub fn warm() -> PathBuf {
    static WARM: OnceLock<PathBuf> = OnceLock::new();
    WARM.get_or_init(|| {
        let all = std::env::temp_dir().join("wardian-tests-compiled");
        let age = |path: &Path| {
            let changed = fs::metadata(path).and_then(|data| data.modified()).ok()?;
            SystemTime::now().duration_since(changed).ok()
        };
        for old in fs::read_dir(&all).into_iter().flatten().flatten() {
            // Not the younger ones: other tests may be at work with another build.
            if age(&old.path()).is_some_and(|age| age > Duration::from_secs(3600)) {
                let _ = fs::remove_dir_all(old.path());
            }
        }
        let stamp = [dist::wardian(), dist::guests().into()].map(|path| {
            let data = fs::metadata(&path).unwrap();
            let changed = data.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
            format!("{} {} {}", path.display(), data.len(), changed.as_nanos())
        });
        let home = all.join(&journal::sha256(stamp.join("\n").as_bytes())[..16]);
        fs::create_dir_all(&home).unwrap();
        let world = World::cold();
        let mut command = world.command(&["tools", "--component", &dist::guests()]);
        command.env("WARDIAN_HOME", &home);
        Running::new(command).wait().exits(0);
        // `doctor` loads the agent, which `tools` does without.
        let mut command = world.command(&["doctor"]);
        command.env("WARDIAN_HOME", &home);
        Running::new(command).wait().exits(0);
        // Each service has an agent of its own. Nobody listens there, which is found out once it is compiled.
        world.file("wardian.toml", "[session]\nretries_max = 0\n");
        for protocol in Protocol::ALL {
            let mut command = world.command(&["run", "-m", protocol.model(), "Go."]);
            command.env("WARDIAN_HOME", &home).env(protocol.variables().0, "http://127.0.0.1:1");
            Running::new(command).wait().exits(1);
        }
        home.join("cache")
    })
    .clone()
}

/// Copies a folder; permissions go along, which the cache's key insists on.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
