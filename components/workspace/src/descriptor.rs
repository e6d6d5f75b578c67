//! `wasi:filesystem/types`: what a handle is, and what can be done with it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use crate::Component;
use crate::devices::{self, Device};
use crate::exports::wasi::filesystem::types::{
    Descriptor, DescriptorBorrow, DirectoryEntry, DirectoryEntryStream, Error, Guest, GuestDescriptor, InputStream,
    MetadataHashValue, OutputStream,
};
use crate::index::{Content, identity};
use crate::layer;
use crate::listing::Listing;
use crate::resolve::{Located, State};
use crate::wardian::host::modes;
use crate::wasi::filesystem::types::{
    self as host, Advice, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp, OpenFlags,
    PathFlags,
};

/// Directories of the root. A program cannot change it.
const ROOT: &[&str] = &["dev", "tmp", "workspace"];

/// The rest of a file's number: says that it is one of this file system's.
const NUMBER: u64 = 0x7761_7264_6961_6e00;

/// What a program has opened.
pub enum Handle {
    /// `/`
    Root,
    /// `/dev` and `/dev/fd`
    Devices(&'static str),
    Device(Device),
    /// Below `/tmp`: the host's own.
    Scratch(host::Descriptor),
    /// A directory of the workspace.
    Directory {
        path: Rc<RefCell<String>>,
        flags: DescriptorFlags,
    },
    /// Opened in the project, to read; may be a directory.
    Project {
        opened: host::Descriptor,
        path: Rc<RefCell<String>>,
        identity: u64,
    },
    /// A file of the layer.
    File {
        opened: host::Descriptor,
        identity: u64,
        data: u32,
    },
}

/// Where a path of a program goes.
enum Route<'a> {
    Root,
    Workspace {
        base: String,
        path: &'a str,
    },
    Scratch {
        directory: &'a host::Descriptor,
        path: &'a str,
    },
    /// The root's own `/tmp`.
    Tmp {
        path: &'a str,
    },
    Devices(Cow<'a, str>),
}

/// Cuts off what leads back to the root: `workspace/../tmp/x` is `tmp/x`.
fn from_root(path: &str) -> Result<&str, ErrorCode> {
    let (mut depth, mut start, mut at) = (0_usize, 0, 0);
    for name in path.split('/') {
        at += name.len() + 1;
        match name {
            "" | "." => {}
            ".." => {
                depth = depth.checked_sub(1).ok_or(ErrorCode::NotPermitted)?;
                if depth == 0 {
                    start = at.min(path.len());
                }
            }
            _ => depth += 1,
        }
    }
    Ok(path.get(start..).unwrap_or_default())
}

/// Without the names at the beginning that lead nowhere.
fn below_root(mut path: &str) -> &str {
    while let Some(rest) = path.strip_prefix("./").or_else(|| path.strip_prefix('/')) {
        path = rest;
    }
    path
}

impl Handle {
    fn route<'a>(&'a self, path: &'a str) -> Result<Route<'a>, ErrorCode> {
        match self {
            Self::Root => {
                if path.is_empty() {
                    return Err(ErrorCode::NoEntry);
                }
                if path.starts_with('/') {
                    return Err(ErrorCode::NotPermitted);
                }
                let path = if path.contains("..") { from_root(path)? } else { path };
                let path = below_root(path);
                let (first, rest) = path.split_once('/').unwrap_or((path, ""));
                let rest = match rest.trim_start_matches('/') {
                    "" => ".",
                    rest => rest,
                };
                match first {
                    "" | "." => Ok(Route::Root),
                    "workspace" => Ok(Route::Workspace { base: String::new(), path: rest }),
                    "tmp" => Ok(Route::Tmp { path: rest }),
                    "dev" => Ok(Route::Devices(rest.into())),
                    _ => Err(ErrorCode::NoEntry),
                }
            }
            Self::Devices(_) if path.starts_with('/') => Err(ErrorCode::NotPermitted),
            Self::Devices("") => Ok(Route::Devices(path.into())),
            Self::Devices(directory) => Ok(Route::Devices(format!("{directory}/{path}").into())),
            Self::Device(_) => Err(ErrorCode::NotDirectory),
            Self::Scratch(directory) => Ok(Route::Scratch { directory, path }),
            Self::Directory { path: base, .. } | Self::Project { path: base, .. } => {
                Ok(Route::Workspace { base: base.borrow().clone(), path })
            }
            Self::File { .. } => Err(ErrorCode::NotDirectory),
        }
    }

    /// Permission bits of what is at a path, where it has any.
    pub fn mode_at(&self, flags: PathFlags, path: &str) -> Result<Option<u32>, ErrorCode> {
        match self.route(path)? {
            Route::Workspace { base, path } => layer::with(|workspace| {
                let at = workspace.resolve(&base, path, follows(flags))?;
                workspace.mode(&at)
            }),
            Route::Scratch { directory, path } => modes::get(&looked_at(directory, flags, path)?),
            Route::Tmp { path } => scratch(|tmp| modes::get(&looked_at(tmp, flags, path)?)),
            Route::Root | Route::Devices(_) => Ok(None),
        }
    }

    /// Sets the permission bits of a file of the workspace, or of what is below `/tmp`.
    pub fn set_mode_at(&self, flags: PathFlags, path: &str, mode: u32) -> Result<(), ErrorCode> {
        match self.route(path)? {
            Route::Workspace { base, path } => layer::with(|workspace| {
                let at = workspace.resolve(&base, path, follows(flags))?;
                workspace.set_mode(&at, (mode & 0o777) as u16)
            }),
            Route::Scratch { directory, path } => modes::set(&looked_at(directory, flags, path)?, mode & 0o777),
            Route::Tmp { path } => scratch(|tmp| modes::set(&looked_at(tmp, flags, path)?, mode & 0o777)),
            Route::Root | Route::Devices(_) => Err(ErrorCode::Unsupported),
        }
    }

    /// The host's descriptor of a file, whose bytes never pass through here.
    fn opened(&self) -> Result<&host::Descriptor, ErrorCode> {
        match self {
            Self::Scratch(opened) | Self::Project { opened, .. } | Self::File { opened, .. } => Ok(opened),
            Self::Root | Self::Devices(_) | Self::Directory { .. } => Err(ErrorCode::IsDirectory),
            Self::Device(_) => Err(ErrorCode::Invalid),
        }
    }
}

pub fn follows(flags: PathFlags) -> bool {
    flags.contains(PathFlags::SYMLINK_FOLLOW)
}

/// The host tells bits of what is open.
fn looked_at(directory: &host::Descriptor, flags: PathFlags, path: &str) -> Result<host::Descriptor, ErrorCode> {
    directory.open_at(flags, path, OpenFlags::empty(), DescriptorFlags::READ)
}

/// Runs `work` on the host's `/tmp`.
fn scratch<R>(work: impl FnOnce(&host::Descriptor) -> Result<R, ErrorCode>) -> Result<R, ErrorCode> {
    layer::with(|workspace| work(workspace.tmp.as_ref().ok_or(ErrorCode::NoEntry)?))
}

fn number(identity: u64) -> MetadataHashValue {
    MetadataHashValue { lower: identity, upper: NUMBER }
}

pub fn plain(type_: DescriptorType, size: u64) -> DescriptorStat {
    DescriptorStat {
        type_,
        link_count: 1,
        size,
        data_access_timestamp: None,
        data_modification_timestamp: None,
        status_change_timestamp: None,
    }
}

pub fn directory_stat() -> DescriptorStat {
    plain(DescriptorType::Directory, 0)
}

fn device_stat() -> DescriptorStat {
    plain(DescriptorType::CharacterDevice, 0)
}

pub fn with_time(mut stat: DescriptorStat, ns: u64) -> DescriptorStat {
    if ns > 0 {
        let time = host::Datetime { seconds: ns / 1_000_000_000, nanoseconds: (ns % 1_000_000_000) as u32 };
        stat.data_modification_timestamp = Some(time);
        stat.data_access_timestamp.get_or_insert(time);
        stat.status_change_timestamp.get_or_insert(time);
    }
    stat
}

impl Guest for Component {
    type Descriptor = Handle;
    type DirectoryEntryStream = Listing;

    fn filesystem_error_code(error: &Error) -> Option<ErrorCode> {
        host::filesystem_error_code(error)
    }
}

impl GuestDescriptor for Handle {
    fn read_via_stream(&self, offset: u64) -> Result<InputStream, ErrorCode> {
        match self {
            Self::Device(device) => device.input(),
            _ => self.opened()?.read_via_stream(offset),
        }
    }

    fn write_via_stream(&self, offset: u64) -> Result<OutputStream, ErrorCode> {
        match self {
            Self::Device(device) => device.output(),
            _ => self.opened()?.write_via_stream(offset),
        }
    }

    fn append_via_stream(&self) -> Result<OutputStream, ErrorCode> {
        match self {
            Self::Device(device) => device.output(),
            _ => self.opened()?.append_via_stream(),
        }
    }

    fn advise(&self, offset: u64, length: u64, advice: Advice) -> Result<(), ErrorCode> {
        match self {
            Self::Root | Self::Devices(_) | Self::Directory { .. } => Err(ErrorCode::BadDescriptor),
            Self::Device(_) => Ok(()),
            _ => self.opened()?.advise(offset, length, advice),
        }
    }

    fn sync_data(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Root | Self::Devices(_) | Self::Device(_) => Ok(()),
            Self::Directory { .. } => layer::with(|workspace| workspace.sync_log()),
            _ => self.opened()?.sync_data(),
        }
    }

    fn get_flags(&self) -> Result<DescriptorFlags, ErrorCode> {
        match self {
            Self::Root => layer::with(|workspace| {
                let write =
                    if workspace.writable { DescriptorFlags::MUTATE_DIRECTORY } else { DescriptorFlags::empty() };
                Ok(DescriptorFlags::READ | write)
            }),
            Self::Devices(_) => Ok(DescriptorFlags::READ),
            Self::Device(_) => Ok(DescriptorFlags::READ | DescriptorFlags::WRITE),
            Self::Directory { flags, .. } => Ok(*flags),
            _ => self.opened()?.get_flags(),
        }
    }

    fn get_type(&self) -> Result<DescriptorType, ErrorCode> {
        match self {
            Self::Root | Self::Devices(_) | Self::Directory { .. } => Ok(DescriptorType::Directory),
            Self::Device(_) => Ok(DescriptorType::CharacterDevice),
            _ => self.opened()?.get_type(),
        }
    }

    fn set_size(&self, size: u64) -> Result<(), ErrorCode> {
        match self {
            Self::Device(_) => Ok(()),
            _ => self.opened()?.set_size(size),
        }
    }

    fn set_times(&self, accessed: NewTimestamp, modified: NewTimestamp) -> Result<(), ErrorCode> {
        match self {
            Self::Scratch(opened) | Self::File { opened, .. } => opened.set_times(accessed, modified),
            Self::Directory { path, .. } | Self::Project { path, .. } => {
                let path = path.borrow().clone();
                layer::with(|workspace| {
                    let state = workspace.settled(&path)?;
                    workspace.set_times(&Located { path, state, wants_directory: false }, accessed, modified)
                })
            }
            Self::Root | Self::Devices(_) | Self::Device(_) => Err(ErrorCode::NotPermitted),
        }
    }

    fn read(&self, length: u64, offset: u64) -> Result<(Vec<u8>, bool), ErrorCode> {
        match self {
            Self::Device(device) => device.read(length),
            _ => self.opened()?.read(length, offset),
        }
    }

    fn write(&self, buffer: Vec<u8>, offset: u64) -> Result<u64, ErrorCode> {
        match self {
            Self::Device(device) => device.write(&buffer),
            _ => self.opened()?.write(&buffer, offset),
        }
    }

    fn read_directory(&self) -> Result<DirectoryEntryStream, ErrorCode> {
        let entry = |type_, name: &str| DirectoryEntry { type_, name: name.to_owned() };
        let listing = match self {
            Self::Root => {
                let has_tmp = layer::with(|workspace| Ok(workspace.tmp.is_some()))?;
                let names = ROOT.iter().filter(|name| has_tmp || **name != "tmp");
                Listing::new(names.map(|name| entry(DescriptorType::Directory, name)).collect())
            }
            Self::Devices("") => {
                let names = devices::NAMES.iter().map(|(name, _)| entry(DescriptorType::CharacterDevice, name));
                Listing::new(names.chain([entry(DescriptorType::Directory, "fd")]).collect())
            }
            Self::Devices(_) => {
                let names = ["0", "1", "2"].iter().map(|name| entry(DescriptorType::CharacterDevice, name));
                Listing::new(names.collect())
            }
            Self::Scratch(directory) => Listing::of_host(directory.read_directory()?),
            Self::Project { opened, path, .. } => {
                if opened.get_type()? != DescriptorType::Directory {
                    return Err(ErrorCode::NotDirectory);
                }
                let path = path.borrow().clone();
                layer::with(|workspace| Listing::of_workspace(workspace, &path, Some(opened)))?
            }
            Self::Directory { path, .. } => {
                let path = path.borrow().clone();
                layer::with(|workspace| Listing::of_workspace(workspace, &path, None))?
            }
            Self::Device(_) | Self::File { .. } => return Err(ErrorCode::NotDirectory),
        };
        Ok(DirectoryEntryStream::new(listing))
    }

    fn sync(&self) -> Result<(), ErrorCode> {
        match self {
            Self::Root | Self::Devices(_) | Self::Device(_) => Ok(()),
            Self::Directory { .. } => layer::with(|workspace| workspace.sync_log()),
            _ => self.opened()?.sync(),
        }
    }

    fn create_directory_at(&self, path: String) -> Result<(), ErrorCode> {
        match self.route(&path)? {
            Route::Root | Route::Devices(_) => Err(ErrorCode::Exist),
            Route::Scratch { directory, path } => directory.create_directory_at(path),
            Route::Tmp { path } => scratch(|tmp| tmp.create_directory_at(path)),
            Route::Workspace { base, path } => layer::with(|workspace| {
                let at = workspace.resolve(&base, path, false)?;
                workspace.create_directory(&at)
            }),
        }
    }

    fn stat(&self) -> Result<DescriptorStat, ErrorCode> {
        match self {
            Self::Root | Self::Devices(_) => Ok(directory_stat()),
            Self::Device(_) => Ok(device_stat()),
            Self::Directory { path, .. } => {
                let path = path.borrow().clone();
                layer::with(|workspace| Ok(workspace.stat_path(&path, ".", true)?.0))
            }
            Self::File { opened, data, .. } => {
                let mut stat = opened.stat()?;
                let uses = layer::with(|workspace| Ok(workspace.link_count(&Content::Data(*data))))?;
                stat.link_count = uses;
                Ok(stat)
            }
            Self::Project { opened, .. } | Self::Scratch(opened) => opened.stat(),
        }
    }

    fn stat_at(&self, flags: PathFlags, path: String) -> Result<DescriptorStat, ErrorCode> {
        match self.route(&path)? {
            Route::Root => Ok(directory_stat()),
            Route::Scratch { directory, path } => directory.stat_at(flags, path),
            Route::Tmp { path } => scratch(|tmp| tmp.stat_at(flags, path)),
            Route::Devices(name) => match device(&name)? {
                Self::Device(_) => Ok(device_stat()),
                _ => Ok(directory_stat()),
            },
            Route::Workspace { base, path } => layer::with(|workspace| {
                let (stat, number) = workspace.stat_path(&base, path, follows(flags))?;
                let is_file = stat.type_ == DescriptorType::RegularFile;
                workspace.set_recent(&base, path, follows(flags), number, is_file);
                Ok(stat)
            }),
        }
    }

    fn set_times_at(
        &self,
        flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> Result<(), ErrorCode> {
        match self.route(&path)? {
            Route::Root | Route::Devices(_) => Err(ErrorCode::NotPermitted),
            Route::Scratch { directory, path } => directory.set_times_at(flags, path, accessed, modified),
            Route::Tmp { path } => scratch(|tmp| tmp.set_times_at(flags, path, accessed, modified)),
            Route::Workspace { base, path } => layer::with(|workspace| {
                let at = workspace.resolve(&base, path, follows(flags))?;
                workspace.set_times(&at, accessed, modified)
            }),
        }
    }

    fn link_at(&self, flags: PathFlags, old: String, to: DescriptorBorrow<'_>, new: String) -> Result<(), ErrorCode> {
        match (self.route(&old)?, to.get::<Self>().route(&new)?) {
            (Route::Workspace { base, path }, Route::Workspace { base: new_base, path: new }) => {
                layer::with(|workspace| {
                    let from = workspace.resolve(&base, path, follows(flags))?;
                    if matches!(from.state, State::Absent | State::Hidden) {
                        return Err(ErrorCode::NoEntry);
                    }
                    let to = workspace.resolve(&new_base, new, false)?;
                    workspace.link(&from, &to)
                })
            }
            (from, to) => in_scratch(&from, &to, |from, path, to, new| from.link_at(flags, path, to, new)),
        }
    }

    fn open_at(
        &self,
        path_flags: PathFlags,
        path: String,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Descriptor, ErrorCode> {
        let write = flags.contains(DescriptorFlags::WRITE) || open.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
        let handle = match self.route(&path)? {
            Route::Root if write => return Err(ErrorCode::IsDirectory),
            Route::Root => Self::Root,
            Route::Scratch { directory, path } => Self::Scratch(directory.open_at(path_flags, path, open, flags)?),
            Route::Tmp { path } => Self::Scratch(scratch(|tmp| tmp.open_at(path_flags, path, open, flags))?),
            Route::Devices(name) => match device(&name)? {
                Self::Device(_) if open.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE) => {
                    return Err(ErrorCode::Exist);
                }
                Self::Device(_) if open.contains(OpenFlags::DIRECTORY) => return Err(ErrorCode::NotDirectory),
                Self::Devices(_) if write => return Err(ErrorCode::IsDirectory),
                handle => handle,
            },
            Route::Workspace { base, path } => {
                layer::with(|workspace| workspace.open_path(&base, path_flags, path, open, flags))?
            }
        };
        Ok(Descriptor::new(handle))
    }

    fn readlink_at(&self, path: String) -> Result<String, ErrorCode> {
        match self.route(&path)? {
            Route::Root | Route::Devices(_) => Err(ErrorCode::Invalid),
            Route::Scratch { directory, path } => directory.readlink_at(path),
            Route::Tmp { path } => scratch(|tmp| tmp.readlink_at(path)),
            Route::Workspace { base, path } => {
                layer::with(|workspace| match workspace.resolve(&base, path, false)?.state {
                    State::Link { target, .. } => Ok(target),
                    State::Absent | State::Hidden => Err(ErrorCode::NoEntry),
                    _ => Err(ErrorCode::Invalid),
                })
            }
        }
    }

    fn remove_directory_at(&self, path: String) -> Result<(), ErrorCode> {
        match self.route(&path)? {
            Route::Root | Route::Devices(_) => Err(ErrorCode::NotPermitted),
            Route::Scratch { directory, path } => directory.remove_directory_at(path),
            Route::Tmp { path } => scratch(|tmp| tmp.remove_directory_at(path)),
            Route::Workspace { base, path } => layer::with(|workspace| {
                // Of a link with a slash behind it, POSIX says, the link is looked at.
                let at = workspace.resolve(&base, path.trim_end_matches('/'), false)?;
                workspace.remove_directory(&at)
            }),
        }
    }

    fn rename_at(&self, old: String, to: DescriptorBorrow<'_>, new: String) -> Result<(), ErrorCode> {
        match (self.route(&old)?, to.get::<Self>().route(&new)?) {
            (Route::Workspace { base, path }, Route::Workspace { base: new_base, path: new }) => {
                layer::with(|workspace| {
                    let from = workspace.resolve(&base, path, false)?;
                    let to = workspace.resolve(&new_base, new, false)?;
                    workspace.rename(&from, &to)
                })
            }
            (from, to) => in_scratch(&from, &to, |from, path, to, new| from.rename_at(path, to, new)),
        }
    }

    fn symlink_at(&self, target: String, path: String) -> Result<(), ErrorCode> {
        match self.route(&path)? {
            Route::Root | Route::Devices(_) => Err(ErrorCode::Exist),
            Route::Scratch { directory, path } => directory.symlink_at(&target, path),
            Route::Tmp { path } => scratch(|tmp| tmp.symlink_at(&target, path)),
            Route::Workspace { base, path } => layer::with(|workspace| {
                let at = workspace.resolve(&base, path, false)?;
                workspace.create_link(&target, &at)
            }),
        }
    }

    fn unlink_file_at(&self, path: String) -> Result<(), ErrorCode> {
        match self.route(&path)? {
            Route::Root => Err(ErrorCode::IsDirectory),
            Route::Devices(_) => Err(ErrorCode::NotPermitted),
            Route::Scratch { directory, path } => directory.unlink_file_at(path),
            Route::Tmp { path } => scratch(|tmp| tmp.unlink_file_at(path)),
            Route::Workspace { base, path } => layer::with(|workspace| {
                let at = workspace.resolve(&base, path, false)?;
                workspace.unlink(&at)
            }),
        }
    }

    fn is_same_object(&self, other: DescriptorBorrow<'_>) -> bool {
        match (self, other.get::<Self>()) {
            (Self::Scratch(one), Self::Scratch(other)) => one.is_same_object(other),
            (one, other) => match (one.metadata_hash(), other.metadata_hash()) {
                (Ok(one), Ok(other)) => (one.lower, one.upper) == (other.lower, other.upper),
                _ => false,
            },
        }
    }

    fn metadata_hash(&self) -> Result<MetadataHashValue, ErrorCode> {
        match self {
            Self::Root => Ok(number(identity("/"))),
            Self::Devices(name) => Ok(number(identity(&format!("/dev/{name}")))),
            Self::Device(device) => Ok(number(identity(&format!("/dev/{device:?}")))),
            Self::Scratch(opened) => opened.metadata_hash(),
            Self::Directory { path, .. } => {
                let path = path.borrow().clone();
                layer::with(|workspace| Ok(number(workspace.number_of_path(&path, ".", true)?)))
            }
            Self::Project { identity, .. } | Self::File { identity, .. } => Ok(number(*identity)),
        }
    }

    fn metadata_hash_at(&self, flags: PathFlags, path: String) -> Result<MetadataHashValue, ErrorCode> {
        match self.route(&path)? {
            Route::Root => Ok(number(identity("/"))),
            Route::Scratch { directory, path } => directory.metadata_hash_at(flags, path),
            Route::Tmp { path } => scratch(|tmp| tmp.metadata_hash_at(flags, path)),
            Route::Devices(name) => device(&name)?.metadata_hash(),
            Route::Workspace { base, path } => {
                layer::with(|workspace| Ok(number(workspace.number_of_path(&base, path, follows(flags))?)))
            }
        }
    }
}

/// What is at a path below `/dev`.
fn device(path: &str) -> Result<Handle, ErrorCode> {
    let names: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    match names.join("/").as_str() {
        "" => Ok(Handle::Devices("")),
        "fd" => Ok(Handle::Devices("fd")),
        name => Device::named(name).map(Handle::Device).ok_or(ErrorCode::NoEntry),
    }
}

/// Two paths of `/tmp`; anything else is on two devices.
fn in_scratch(
    from: &Route<'_>,
    to: &Route<'_>,
    work: impl FnOnce(&host::Descriptor, &str, &host::Descriptor, &str) -> Result<(), ErrorCode>,
) -> Result<(), ErrorCode> {
    match (from, to) {
        (Route::Scratch { directory, path }, Route::Scratch { directory: to, path: new }) => {
            work(directory, path, to, new)
        }
        (Route::Tmp { path }, Route::Tmp { path: new }) => scratch(|tmp| work(tmp, path, tmp, new)),
        (Route::Tmp { path }, Route::Scratch { directory, path: new }) => {
            scratch(|tmp| work(tmp, path, directory, new))
        }
        (Route::Scratch { directory, path }, Route::Tmp { path: new }) => {
            scratch(|tmp| work(directory, path, tmp, new))
        }
        (Route::Root | Route::Devices(_), _) | (_, Route::Root | Route::Devices(_)) => Err(ErrorCode::NotPermitted),
        _ => Err(ErrorCode::CrossDevice),
    }
}
