//! One side of a change: what is, was or will be at a path.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::index::{Base, Content, Digest};
use crate::layer::{CHUNK, Workspace, hex};
use crate::resolve::State;
use crate::wardian::host::modes;
use crate::wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    Absent,
    File {
        digest: Digest,
        size: u64,
        mode: Option<u16>,
    },
    Link {
        target: String,
    },
    Directory,
    /// A pipe, a socket or a device, which is nobody's to change.
    Other,
}

impl Side {
    pub fn of_base(base: &Base) -> Self {
        match base {
            Base::Absent => Self::Absent,
            Base::File { digest, size, mode } => Self::File { digest: *digest, size: *size, mode: *mode },
            Base::Link { target } => Self::Link { target: target.clone() },
            Base::Directory => Self::Directory,
        }
    }

    pub fn to_base(&self) -> Base {
        match self {
            Self::File { digest, size, mode } => Base::File { digest: *digest, size: *size, mode: *mode },
            Self::Link { target } => Base::Link { target: target.clone() },
            Self::Directory => Base::Directory,
            Self::Absent | Self::Other => Base::Absent,
        }
    }

    /// The same content and type, whatever the permission bits.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { digest: one, .. }, Self::File { digest: other, .. }) => one == other,
            (one, other) => one == other,
        }
    }

    /// The same in everything that is known of both.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File { digest: one, mode: one_mode, .. }, Self::File { digest: other, mode: other_mode, .. }) => {
                one == other && (one_mode.is_none() || other_mode.is_none() || one_mode == other_mode)
            }
            (one, other) => one == other,
        }
    }

    pub fn mode(&self) -> Option<u16> {
        match self {
            Self::File { mode, .. } => *mode,
            _ => None,
        }
    }

    /// Lowercase hex; empty where there is no content.
    pub fn digest(&self) -> String {
        match self {
            Self::File { digest, .. } => hex(digest),
            Self::Link { target } => hex(&digest_of(target.as_bytes())),
            Self::Absent | Self::Directory | Self::Other => String::new(),
        }
    }

    pub fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } => *size,
            Self::Link { target } => target.len() as u64,
            _ => 0,
        }
    }
}

pub fn digest_of(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Reads a file for its digest, and copies it if there is somewhere to copy it to.
pub fn digest_file(file: &Descriptor, copy_to: Option<&Descriptor>) -> Result<(Digest, u64), ErrorCode> {
    let (mut hash, mut at) = (Sha256::new(), 0);
    loop {
        let (bytes, end) = file.read(CHUNK as u64, at)?;
        hash.update(&bytes);
        if let Some(copy) = copy_to {
            crate::layer::write_all(copy, &bytes, at)?;
        }
        at += bytes.len() as u64;
        // A host may give less than was asked for at any time; only nothing is the end.
        if end || bytes.is_empty() {
            return Ok((hash.finalize().into(), at));
        }
    }
}

impl Workspace {
    /// What the project has at a path now. `expected` saves reading a file that cannot be it, having another size: its
    /// digest is then zeros.
    pub fn project_side(&mut self, path: &str, expected: Option<&Side>) -> Result<Side, ErrorCode> {
        let stat = match self.project.stat_at(PathFlags::empty(), path) {
            Ok(stat) => stat,
            Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => return Ok(Side::Absent),
            Err(error) => return Err(error),
        };
        Ok(match stat.type_ {
            DescriptorType::Directory => Side::Directory,
            DescriptorType::SymbolicLink => match self.project.readlink_at(path) {
                Ok(target) => Side::Link { target },
                // Absolute: the host does not say where to.
                Err(ErrorCode::NotPermitted) => Side::Other,
                Err(error) => return Err(error),
            },
            DescriptorType::RegularFile => {
                let file = self.project.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)?;
                let mode = modes::get(&file)?.map(|mode| mode as u16);
                match expected {
                    Some(Side::File { size, .. }) if *size != stat.size => {
                        Side::File { digest: [0; 32], size: stat.size, mode }
                    }
                    _ => {
                        let (digest, size) = digest_file(&file, None)?;
                        Side::File { digest, size, mode }
                    }
                }
            }
            _ => Side::Other,
        })
    }

    /// What the workspace has at a path. None: what the project has. `known` may know a file's digest and size already.
    pub fn own_side(
        &mut self,
        path: &str,
        known: impl Fn(&Content) -> Option<(Digest, u64)>,
    ) -> Result<Option<(Side, Option<Content>)>, ErrorCode> {
        Ok(Some(match self.state(path) {
            State::Project | State::Hidden => return Ok(None),
            State::Absent => (Side::Absent, None),
            State::Link { target, .. } => (Side::Link { target }, None),
            State::Directory { merged: true, .. } => return Ok(None),
            State::Directory { .. } => (Side::Directory, None),
            State::File { content, mode, .. } => {
                let found = match known(&content) {
                    Some(found) => Ok(found),
                    None => self.open_content(&content).and_then(|file| digest_file(&file, None)),
                };
                match found {
                    Ok((digest, size)) => (Side::File { digest, size, mode }, Some(content)),
                    // Moved here, and since removed from the project.
                    Err(ErrorCode::NoEntry) => (Side::Absent, None),
                    Err(error) => return Err(error),
                }
            }
        }))
    }

    /// A whole file of the project.
    pub fn project_bytes(&mut self, path: &str) -> Result<Vec<u8>, ErrorCode> {
        crate::layer::read_from(&self.open_content(&Content::Project(path.to_owned()))?, 0)
    }

    /// A whole file of the workspace.
    pub fn content_bytes(&mut self, content: &Content) -> Result<Vec<u8>, ErrorCode> {
        crate::layer::read_from(&self.open_content(content)?, 0)
    }
}
