//! The commands that processes may start, by name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::{Code, Command, Error, Host};

/// Brings a component's code, which may take seconds where it has to be compiled first.
pub type Load = Box<dyn Fn() -> Result<Code, Error> + Send + Sync>;

/// A component and the commands in it.
pub struct CommandSource {
    /// The names that it answers to. Each is the first of its arguments when it runs.
    pub names: Vec<String>,
    /// The component: its folder's name.
    pub component: String,
    /// Lowercase hex SHA-256 of its bytes.
    pub digest: String,
    /// Called when the first of its commands is started.
    pub load: Load,
}

/// Commands by name.
#[derive(Default)]
pub struct Commands {
    sources: Vec<Source>,
    by_name: BTreeMap<String, usize>,
}

struct Source {
    component: String,
    digest: String,
    load: Load,
    loaded: Mutex<Option<Command>>,
}

/// Which component a command is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// The component: its folder's name.
    pub component: &'a str,
    /// Lowercase hex SHA-256 of the component's bytes.
    pub digest: &'a str,
}

impl Commands {
    /// Of two commands with one name the earlier source's is meant.
    pub fn new(sources: Vec<CommandSource>) -> Arc<Self> {
        let mut commands = Self::default();
        for source in sources {
            for name in source.names {
                commands.by_name.entry(name).or_insert(commands.sources.len());
            }
            let (component, digest, load) = (source.component, source.digest, source.load);
            commands.sources.push(Source { component, digest, load, loaded: Mutex::default() });
        }
        Arc::new(commands)
    }

    /// The command of that name.
    pub fn find(&self, name: &str) -> Option<Found<'_>> {
        let (name, at) = self.by_name.get_key_value(name)?;
        Some(self.found(name, *at))
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = Found<'_>> {
        self.by_name.iter().map(|(name, at)| self.found(name, *at))
    }

    fn found<'a>(&'a self, name: &'a str, at: usize) -> Found<'a> {
        let source = &self.sources[at];
        Found { name, component: &source.component, digest: &source.digest }
    }

    /// The command of that name, ready to run. None: there is none.
    ///
    /// # Errors
    /// When its component cannot be used.
    pub fn load(&self, host: &Host, name: &str) -> Option<Result<Command, Error>> {
        let source = &self.sources[*self.by_name.get(name)?];
        // Whoever comes second waits for the first rather than compile the same.
        let mut loaded = source.loaded.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(command) = &*loaded {
            return Some(Ok(command.clone()));
        }
        let command = (source.load)().and_then(|code| Command::new(host, code));
        Some(command.inspect(|command| *loaded = Some(command.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(component: &str, names: &[&str]) -> CommandSource {
        let wrong = component.to_owned();
        CommandSource {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            component: component.to_owned(),
            digest: format!("digest of {component}"),
            load: Box::new(move || Err(Error::Compose { name: wrong.clone(), reason: "broken".to_owned() })),
        }
    }

    #[test]
    fn the_first_command_of_a_name_is_meant() {
        let commands = Commands::new(vec![source("command-x", &["b", "a"]), source("command-y", &["b", "c"])]);
        let all: Vec<_> = commands.all().map(|found| (found.name, found.component)).collect();
        assert_eq!(all, [("a", "command-x"), ("b", "command-x"), ("c", "command-y")]);
        assert_eq!(commands.find("c").unwrap().digest, "digest of command-y");
        assert_eq!(commands.find("d"), None);
    }

    #[test]
    fn a_component_that_cannot_be_used_says_why() {
        let commands = Commands::new(vec![source("command-x", &["a"])]);
        let host = Host::new(crate::HostOptions::default()).unwrap();
        assert!(commands.load(&host, "b").is_none());
        let error = commands.load(&host, "a").unwrap().err().unwrap();
        assert_eq!(error.to_string(), "cannot put component command-x into the workspace: broken");
    }
}
