//! Opening and looking at paths of the workspace.

use crate::change::modified_of;
use crate::descriptor::{Handle, directory_stat, follows, plain, with_time};
use crate::index::{Content, identity};
use crate::layer::Workspace;
use crate::resolve::{Located, State};
use crate::wasi::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, OpenFlags, PathFlags,
};

/// Tries to open a path that others create and remove at the same time.
const TRIES: u32 = 8;

impl Workspace {
    /// Opens a path below a directory of the workspace.
    pub fn open_path(
        &mut self,
        base: &str,
        path_flags: PathFlags,
        path: &str,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Handle, ErrorCode> {
        let exclusive = open.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE);
        if open.contains(OpenFlags::DIRECTORY)
            && open.intersects(OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE)
        {
            return Err(ErrorCode::Invalid);
        }
        let write = flags.contains(DescriptorFlags::WRITE) || open.contains(OpenFlags::TRUNCATE);
        let follow = follows(path_flags) && !exclusive;
        if !write && open.is_empty() {
            return self.open_to_read(base, path, follow, flags);
        }
        for _ in 0..TRIES {
            let located = self.resolve(base, path, follow)?;
            if exclusive && !matches!(located.state, State::Absent | State::Hidden) {
                return Err(ErrorCode::Exist);
            }
            match &located.state {
                State::Hidden if open.contains(OpenFlags::CREATE) => return Err(ErrorCode::NotPermitted),
                State::Hidden | State::Project => return Err(ErrorCode::NoEntry),
                State::Absent if !open.contains(OpenFlags::CREATE) => return Err(ErrorCode::NoEntry),
                State::Absent if located.wants_directory => return Err(ErrorCode::IsDirectory),
                State::Absent => {
                    if let Some((data, opened)) = self.create_file(&located.path, flags)? {
                        let State::File { identity, .. } = self.state(&located.path) else { continue };
                        return Ok(Handle::File { opened, identity, data });
                    }
                }
                State::Link { .. } => return Err(ErrorCode::Loop),
                State::Directory { .. } if write || open.contains(OpenFlags::CREATE) => {
                    return Err(ErrorCode::IsDirectory);
                }
                State::Directory { .. } => {
                    return Ok(Handle::Directory { path: self.handle(located.path), flags });
                }
                State::File { .. } if located.wants_directory || open.contains(OpenFlags::DIRECTORY) => {
                    return Err(ErrorCode::NotDirectory);
                }
                State::File { content, identity, .. } => {
                    let (content, identity) = (content.clone(), *identity);
                    if !write {
                        return self.open_file(located, &content, identity, OpenFlags::empty(), flags);
                    }
                    self.may_write(&located.path)?;
                    match content {
                        Content::Data(_) => {
                            self.note_written(&located.path)?;
                            let open = open & OpenFlags::TRUNCATE;
                            match self.open_file(located, &content, identity, open, flags) {
                                // Replaced meanwhile.
                                Err(ErrorCode::NoEntry) => self.reload()?,
                                other => return other,
                            }
                        }
                        // The next round finds it in the layer.
                        Content::Project(_) => {
                            self.make_writable(&located.path, !open.contains(OpenFlags::TRUNCATE))?;
                        }
                    }
                }
            }
        }
        Err(ErrorCode::Busy)
    }

    /// The common case: one call to the host where the layer has nothing to say.
    fn open_to_read(
        &mut self,
        base: &str,
        path: &str,
        follow: bool,
        flags: DescriptorFlags,
    ) -> Result<Handle, ErrorCode> {
        for _ in 0..TRIES {
            let (mut walk, mut located) = self.walk(base, path)?;
            if follow || located.wants_directory {
                located = self.settle(&mut walk, located)?;
            }
            while located.state == State::Project {
                match self.is_openable(&located.path)? {
                    Some(true) => {}
                    None if follow || located.wants_directory => {
                        located = self.through(&mut walk, &located)?;
                        continue;
                    }
                    None => return Err(ErrorCode::Loop),
                    Some(false) => return Err(ErrorCode::NotPermitted),
                }
                match self.project.open_at(PathFlags::empty(), &located.path, OpenFlags::empty(), flags) {
                    Ok(opened) => {
                        if located.wants_directory && opened.get_type()? != DescriptorType::Directory {
                            return Err(ErrorCode::NotDirectory);
                        }
                        let identity = identity(&located.path);
                        return Ok(Handle::Project { opened, path: self.handle(located.path), identity });
                    }
                    Err(ErrorCode::Loop) if follow || located.wants_directory => {
                        located = self.through(&mut walk, &located)?;
                    }
                    Err(error) => return Err(error),
                }
            }
            match &located.state {
                State::Absent | State::Hidden | State::Project => return Err(ErrorCode::NoEntry),
                State::Link { .. } => return Err(ErrorCode::Loop),
                State::Directory { .. } => return Ok(Handle::Directory { path: self.handle(located.path), flags }),
                State::File { .. } if located.wants_directory => return Err(ErrorCode::NotDirectory),
                State::File { content, identity, .. } => {
                    let (content, identity) = (content.clone(), *identity);
                    match self.open_file(located, &content, identity, OpenFlags::empty(), flags) {
                        Err(ErrorCode::NoEntry) if matches!(content, Content::Data(_)) => self.reload()?,
                        other => return other,
                    }
                }
            }
        }
        Err(ErrorCode::NoEntry)
    }

    fn open_file(
        &mut self,
        located: Located,
        content: &Content,
        identity: u64,
        open: OpenFlags,
        flags: DescriptorFlags,
    ) -> Result<Handle, ErrorCode> {
        Ok(match content {
            Content::Data(data) => {
                let opened = self.open_data(*data, open, flags)?;
                Handle::File { opened, identity, data: *data }
            }
            Content::Project(from) => {
                if self.is_openable(from)? != Some(true) {
                    return Err(ErrorCode::NotPermitted);
                }
                let opened = self.project.open_at(PathFlags::empty(), from, open, flags)?;
                Handle::Project { opened, path: self.handle(located.path), identity }
            }
        })
    }

    /// What is at a path, and its number.
    pub fn stat_path(&mut self, base: &str, path: &str, follow: bool) -> Result<(DescriptorStat, u64), ErrorCode> {
        for _ in 0..TRIES {
            let (mut walk, mut located) = self.walk(base, path)?;
            if follow || located.wants_directory {
                located = self.settle(&mut walk, located)?;
            }
            while located.state == State::Project {
                let stat = self.project.stat_at(PathFlags::empty(), &located.path)?;
                match stat.type_ {
                    DescriptorType::SymbolicLink if follow || located.wants_directory => {
                        located = self.through(&mut walk, &located)?;
                    }
                    DescriptorType::Directory => {
                        let number = identity(&located.path);
                        // Most walks go on below it.
                        self.set_real(located.path);
                        return Ok((stat, number));
                    }
                    _ if located.wants_directory => return Err(ErrorCode::NotDirectory),
                    _ => return Ok((stat, identity(&located.path))),
                }
            }
            match &located.state {
                State::Absent | State::Hidden | State::Project => return Err(ErrorCode::NoEntry),
                State::Link { target, identity, modified_ns } => {
                    let stat = plain(DescriptorType::SymbolicLink, target.len() as u64);
                    return Ok((with_time(stat, *modified_ns), *identity));
                }
                State::Directory { merged, identity, modified_ns } => {
                    let stat = self.stat_directory(&located.path, *merged, *modified_ns)?;
                    return Ok((stat, *identity));
                }
                State::File { .. } if located.wants_directory => return Err(ErrorCode::NotDirectory),
                State::File { content, identity, .. } => {
                    let (content, identity) = (content.clone(), *identity);
                    match self.stat_content(&content) {
                        Ok(mut stat) => {
                            stat.link_count = self.link_count(&content);
                            return Ok((stat, identity));
                        }
                        // Replaced meanwhile.
                        Err(ErrorCode::NoEntry) if matches!(content, Content::Data(_)) => self.reload()?,
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        Err(ErrorCode::NoEntry)
    }

    fn stat_directory(&mut self, path: &str, merged: bool, modified_ns: u64) -> Result<DescriptorStat, ErrorCode> {
        let stat = if merged {
            match self.project.stat_at(PathFlags::empty(), crate::change::here(path)) {
                Ok(stat) if stat.type_ == DescriptorType::Directory => stat,
                Ok(_) | Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => directory_stat(),
                Err(error) => return Err(error),
            }
        } else {
            directory_stat()
        };
        let modified_ns = if modified_ns > 0 { modified_ns } else { modified_of(&stat) };
        Ok(with_time(stat, modified_ns))
    }

    pub fn link_count(&self, content: &Content) -> u64 {
        match content {
            Content::Data(data) => u64::from(self.index.uses(*data).max(1)),
            Content::Project(_) => 1,
        }
    }

    /// The number of what is at a path. Programs ask for it after each look at a file: that look is remembered.
    pub fn number_of_path(&mut self, base: &str, path: &str, follow: bool) -> Result<u64, ErrorCode> {
        if let Some(recent) = &mut self.recent
            && (recent.base == base && recent.path == path && recent.follow == follow)
            // A second question is a second look.
            && let Some(number) = recent.number.take()
        {
            return Ok(number);
        }
        let (mut walk, mut located) = self.walk(base, path)?;
        if follow || located.wants_directory {
            located = self.settle(&mut walk, located)?;
        }
        match located.state {
            State::Link { identity, .. } | State::Directory { identity, .. } => Ok(identity),
            State::File { content: Content::Data(_), identity, .. } if !located.wants_directory => Ok(identity),
            _ => Ok(self.stat_path(base, path, follow)?.1),
        }
    }
}
