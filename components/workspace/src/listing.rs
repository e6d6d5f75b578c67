//! Directory entries: those of the layer, then those of the project that shine through.

use std::cell::RefCell;
use std::collections::HashSet;
use std::vec::IntoIter;

use crate::exports::wasi::filesystem::types::{DirectoryEntry, GuestDirectoryEntryStream};
use crate::index::{Kind, Place, identity_in, join};
use crate::layer::{self, Workspace};
use crate::resolve::State as Seen;
use crate::rules::hidden_name;
use crate::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, DirectoryEntryStream, ErrorCode, OpenFlags, PathFlags,
};

/// Entries on their way to a program.
pub struct Listing(RefCell<State>);

struct State {
    own: IntoIter<DirectoryEntry>,
    host: Option<Host>,
}

struct Host {
    stream: DirectoryEntryStream,
    /// Names that the layer has its own word on.
    known: HashSet<Box<str>>,
    /// The project's directory; none: what the host lists is not the project's.
    project: Option<String>,
    /// The project hides more than every project does.
    has_own_rules: bool,
}

impl Listing {
    pub fn new(own: Vec<DirectoryEntry>) -> Self {
        Self(RefCell::new(State { own: own.into_iter(), host: None }))
    }

    /// A directory that is none of the workspace's, as the host lists it.
    pub fn of_host(stream: DirectoryEntryStream) -> Self {
        let host = Host { stream, known: HashSet::new(), project: None, has_own_rules: false };
        Self(RefCell::new(State { own: Vec::new().into_iter(), host: Some(host) }))
    }

    /// A directory of the workspace. `opened` is the project's, where a program has it open.
    pub fn of_workspace(workspace: &mut Workspace, path: &str, opened: Option<&Descriptor>) -> Result<Self, ErrorCode> {
        workspace.refresh()?;
        let (mut merged, mut own, mut known) = (true, Vec::new(), HashSet::new());
        if !matches!(workspace.state(path), Seen::Directory { .. } | Seen::Project) {
            // It was removed while it was open.
            return Ok(Self::new(own));
        }
        if let Some(directory) = workspace.index.directory(path) {
            merged = directory.merged;
            for (name, node) in &directory.children {
                known.insert(name.clone());
                let type_ = match &node.kind {
                    Kind::Gone => continue,
                    Kind::File { .. } => DescriptorType::RegularFile,
                    Kind::Link { .. } => DescriptorType::SymbolicLink,
                    Kind::Directory(_) => DescriptorType::Directory,
                };
                own.push(DirectoryEntry { type_, name: name.to_string() });
            }
        }
        let host = if merged {
            let stream = match opened {
                // Nothing was moved here since it was opened.
                Some(opened) if matches!(workspace.index.find(path), Place::Project) => opened.read_directory(),
                _ => {
                    let (here, open) = (crate::change::here(path), OpenFlags::DIRECTORY);
                    let opened = workspace.project.open_at(PathFlags::empty(), here, open, DescriptorFlags::READ);
                    opened.and_then(|directory| directory.read_directory())
                }
            };
            match stream {
                Ok(stream) => Some(Host {
                    stream,
                    known,
                    project: Some(path.to_owned()),
                    has_own_rules: workspace.has_own_rules(),
                }),
                // The user or another program removed it; what the layer has in it is still there.
                Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        Ok(Self(RefCell::new(State { own: own.into_iter(), host })))
    }
}

impl GuestDirectoryEntryStream for Listing {
    fn read_directory_entry(&self) -> Result<Option<DirectoryEntry>, ErrorCode> {
        let mut state = self.0.borrow_mut();
        if let Some(entry) = state.own.next() {
            return Ok(Some(entry));
        }
        let Some(host) = &state.host else { return Ok(None) };
        loop {
            let entry = match host.stream.read_directory_entry() {
                // A name that is no UTF-8 cannot be named to a program, and must not keep it from the others.
                Err(ErrorCode::IllegalByteSequence) => continue,
                entry => entry?,
            };
            let Some(entry) = entry else {
                if let Some(directory) = state.host.take().and_then(|host| host.project) {
                    layer::with(|workspace| {
                        workspace.set_listed(directory);
                        Ok(())
                    })?;
                }
                return Ok(None);
            };
            let Some(directory) = &host.project else { return Ok(Some(entry)) };
            if hidden_name(&entry.name).is_some() || host.known.contains(entry.name.as_str()) {
                continue;
            }
            let is_odd = !matches!(
                entry.type_,
                DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
            );
            let is_hidden = layer::with(|workspace| {
                if is_odd || host.has_own_rules {
                    let path = join(directory, &entry.name);
                    let is_hidden = workspace.is_hidden_entry(&path, Some(entry.type_ == DescriptorType::Directory));
                    if is_odd {
                        workspace.set_odd(path);
                    }
                    if is_hidden {
                        return Ok(true);
                    }
                }
                // The C library asks for the number of each entry that it is given.
                workspace.set_recent(directory, &entry.name, false, identity_in(directory, &entry.name), false);
                Ok(false)
            })?;
            if !is_hidden {
                return Ok(Some(entry));
            }
        }
    }
}
