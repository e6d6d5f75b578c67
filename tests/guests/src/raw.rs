//! `wasi:filesystem` without a standard library in between, which checks and rewrites paths before anybody sees them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use bindings::wasi::filesystem::preopens;
use bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package wardian:guests;
            world files {
                import wasi:filesystem/types@0.2.6;
                import wasi:filesystem/preopens@0.2.6;
            }
        ",
        path: ["../../wit/wasi-io", "../../wit/wasi-clocks", "../../wit/wasi-filesystem"],
        world: "wardian:guests/files",
        generate_all,
    });
}

/// One call. `base` and `to` are numbers of open directories; 0 is the root that the host gave.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Call {
    /// `open`: `c`reate, `d`irectory, `x` exclusive, `t`runcate. `flags`: `r`ead, `w`rite, `m`utate.
    Open {
        #[serde(default)]
        base: u32,
        path: String,
        #[serde(default)]
        follow: bool,
        #[serde(default)]
        open: String,
        #[serde(default)]
        flags: String,
        handle: u32,
    },
    Read {
        handle: u32,
        at: u64,
        bytes: u64,
    },
    Write {
        handle: u32,
        at: u64,
        text: String,
    },
    SetSize {
        handle: u32,
        bytes: u64,
    },
    Flags {
        handle: u32,
    },
    Type {
        handle: u32,
    },
    Stat {
        handle: u32,
    },
    Hash {
        handle: u32,
    },
    Advise {
        handle: u32,
    },
    Sync {
        handle: u32,
    },
    SetTimes {
        handle: u32,
    },
    List {
        handle: u32,
    },
    Same {
        handle: u32,
        to: u32,
    },
    StatAt {
        #[serde(default)]
        base: u32,
        path: String,
        #[serde(default)]
        follow: bool,
    },
    HashAt {
        #[serde(default)]
        base: u32,
        path: String,
        #[serde(default)]
        follow: bool,
    },
    SetTimesAt {
        #[serde(default)]
        base: u32,
        path: String,
        #[serde(default)]
        follow: bool,
    },
    Mkdir {
        #[serde(default)]
        base: u32,
        path: String,
    },
    Rmdir {
        #[serde(default)]
        base: u32,
        path: String,
    },
    Unlink {
        #[serde(default)]
        base: u32,
        path: String,
    },
    Readlink {
        #[serde(default)]
        base: u32,
        path: String,
    },
    Symlink {
        #[serde(default)]
        base: u32,
        target: String,
        path: String,
    },
    Rename {
        #[serde(default)]
        base: u32,
        path: String,
        #[serde(default)]
        to: u32,
        new: String,
    },
    Link {
        #[serde(default)]
        base: u32,
        path: String,
        #[serde(default)]
        follow: bool,
        #[serde(default)]
        to: u32,
        new: String,
    },
}

/// Runs calls. Each is answered with `{"ok": …}` or `{"error": "no-entry"}`.
pub fn run(calls: &[Call]) -> Vec<Value> {
    let mut open = HashMap::new();
    if let Some((root, _)) = preopens::get_directories().into_iter().next() {
        open.insert(0, root);
    }
    let answer = |call| match call_one(&mut open, call) {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error.name() }),
    };
    calls.iter().map(answer).collect()
}

fn path_flags(follow: bool) -> PathFlags {
    if follow { PathFlags::SYMLINK_FOLLOW } else { PathFlags::empty() }
}

fn hash(value: bindings::wasi::filesystem::types::MetadataHashValue) -> Value {
    format!("{:x}{:016x}", value.upper, value.lower).into()
}

fn call_one(open: &mut HashMap<u32, Descriptor>, call: &Call) -> Result<Value, ErrorCode> {
    let at = |handle: &u32| open.get(handle).ok_or(ErrorCode::BadDescriptor);
    let done = |()| Value::Null;
    match call {
        Call::Open { base, path, follow, open: how, flags, handle } => {
            let pick = |text: &str, known: &[(char, OpenFlags)]| {
                known.iter().filter(|(flag, _)| text.contains(*flag)).fold(OpenFlags::empty(), |all, one| all | one.1)
            };
            let how = pick(
                how,
                &[
                    ('c', OpenFlags::CREATE),
                    ('d', OpenFlags::DIRECTORY),
                    ('x', OpenFlags::EXCLUSIVE),
                    ('t', OpenFlags::TRUNCATE),
                ],
            );
            let known =
                [('r', DescriptorFlags::READ), ('w', DescriptorFlags::WRITE), ('m', DescriptorFlags::MUTATE_DIRECTORY)];
            let flags = known
                .iter()
                .filter(|(flag, _)| flags.contains(*flag))
                .fold(DescriptorFlags::empty(), |all, one| all | one.1);
            let opened = at(base)?.open_at(path_flags(*follow), path, how, flags)?;
            open.insert(*handle, opened);
            Ok(Value::Null)
        }
        Call::Read { handle, at: offset, bytes } => {
            let (bytes, _) = at(handle)?.read(*bytes, *offset)?;
            Ok(String::from_utf8_lossy(&bytes).into())
        }
        Call::Write { handle, at: offset, text } => at(handle)?.write(text.as_bytes(), *offset).map(Value::from),
        Call::SetSize { handle, bytes } => at(handle)?.set_size(*bytes).map(done),
        Call::Flags { handle } => {
            let flags = at(handle)?.get_flags()?;
            let known =
                [("r", DescriptorFlags::READ), ("w", DescriptorFlags::WRITE), ("m", DescriptorFlags::MUTATE_DIRECTORY)];
            Ok(known.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(name, _)| *name).collect::<String>().into())
        }
        Call::Type { handle } => Ok(format!("{:?}", at(handle)?.get_type()?).into()),
        Call::Stat { handle } => Ok(stat(&at(handle)?.stat()?)),
        Call::Hash { handle } => at(handle)?.metadata_hash().map(hash),
        Call::Advise { handle } => {
            at(handle)?.advise(0, 1, bindings::wasi::filesystem::types::Advice::WillNeed).map(done)
        }
        Call::Sync { handle } => at(handle)?.sync().map(done),
        Call::SetTimes { handle } => at(handle)?.set_times(NewTimestamp::Now, NewTimestamp::Now).map(done),
        Call::List { handle } => {
            let stream = at(handle)?.read_directory()?;
            let mut names = Vec::new();
            while let Some(entry) = stream.read_directory_entry()? {
                names.push(entry.name);
            }
            names.sort();
            Ok(names.into())
        }
        Call::Same { handle, to } => Ok(at(handle)?.is_same_object(at(to)?).into()),
        Call::StatAt { base, path, follow } => Ok(stat(&at(base)?.stat_at(path_flags(*follow), path)?)),
        Call::HashAt { base, path, follow } => at(base)?.metadata_hash_at(path_flags(*follow), path).map(hash),
        Call::SetTimesAt { base, path, follow } => {
            at(base)?.set_times_at(path_flags(*follow), path, NewTimestamp::Now, NewTimestamp::Now).map(done)
        }
        Call::Mkdir { base, path } => at(base)?.create_directory_at(path).map(done),
        Call::Rmdir { base, path } => at(base)?.remove_directory_at(path).map(done),
        Call::Unlink { base, path } => at(base)?.unlink_file_at(path).map(done),
        Call::Readlink { base, path } => at(base)?.readlink_at(path).map(Value::from),
        Call::Symlink { base, target, path } => at(base)?.symlink_at(target, path).map(done),
        Call::Rename { base, path, to, new } => at(base)?.rename_at(path, at(to)?, new).map(done),
        Call::Link { base, path, follow, to, new } => {
            at(base)?.link_at(path_flags(*follow), path, at(to)?, new).map(done)
        }
    }
}

fn stat(stat: &bindings::wasi::filesystem::types::DescriptorStat) -> Value {
    json!({ "type": format!("{:?}", stat.type_), "size": stat.size, "links": stat.link_count })
}
