//! Operations on files, one after the other, with the answer to each: as programs do them, through the standard library.
//!
//! The same code runs natively. On a folder of the machine it is the plain model that the workspace is compared with.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One operation. Paths are relative to a root that is given for all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Opens a file and keeps it under a number. Flags: `r`ead, `w`rite, `a`ppend, `t`runcate, `c`reate, `x` create new.
    Open {
        path: String,
        flags: String,
        handle: u32,
    },
    Close {
        handle: u32,
    },
    ReadFrom {
        handle: u32,
        at: u64,
    },
    WriteTo {
        handle: u32,
        at: u64,
        text: String,
    },
    /// Where the handle stands, which is the end for one that was opened to append.
    Put {
        handle: u32,
        text: String,
    },
    SetLength {
        handle: u32,
        bytes: u64,
    },
    StatOf {
        handle: u32,
    },
    TouchOf {
        handle: u32,
        seconds: u64,
    },
    Sync {
        handle: u32,
    },
    SyncData {
        handle: u32,
    },

    /// The whole file.
    Read {
        path: String,
    },
    /// The beginning of a file, which may have no end.
    Head {
        path: String,
        bytes: u64,
    },
    /// Replaces the whole file.
    Write {
        path: String,
        text: String,
    },
    /// The same, with a text that is repeated.
    Fill {
        path: String,
        text: String,
        times: u64,
    },
    Create {
        path: String,
        text: String,
    },
    Append {
        path: String,
        text: String,
    },
    /// Writes in the middle.
    Patch {
        path: String,
        at: u64,
        text: String,
    },
    Truncate {
        path: String,
        bytes: u64,
    },
    Copy {
        from: String,
        to: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Link {
        from: String,
        to: String,
    },
    Symlink {
        target: String,
        path: String,
    },
    Readlink {
        path: String,
    },
    Unlink {
        path: String,
    },
    Mkdir {
        path: String,
    },
    Rmdir {
        path: String,
    },
    RemoveTree {
        path: String,
    },
    /// What a link leads to.
    Stat {
        path: String,
    },
    /// The link itself.
    Lstat {
        path: String,
    },
    /// Sets the time of the last change, in seconds since 1970.
    Touch {
        path: String,
        seconds: u64,
    },
    List {
        path: String,
    },
    /// Everything below, with content.
    Tree {
        path: String,
    },
    /// Waits until something is there.
    Await {
        path: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Ok(Value),
    /// The error's name: `ENOENT`.
    Error(String),
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok(_))
    }
}

/// Times before this, in seconds since 1970, were set by a step; later ones depend on when it ran.
const SET_SECONDS_MAX: u64 = 1_500_000_000;

/// Contents up to this size are shown as they are, larger ones as a number.
const SHOWN_BYTES_MAX: usize = 200;

/// How long `await` waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does steps. Handles stay open as long as it lives.
pub struct Runner {
    root: String,
    handles: HashMap<u32, File>,
}

impl Runner {
    /// `root` stands in front of every path, with a slash in between.
    pub fn new(root: &str) -> Self {
        Self { root: root.to_owned(), handles: HashMap::new() }
    }

    pub fn answer(&mut self, step: &Step) -> Answer {
        match self.step(step) {
            Ok(value) => Answer::Ok(value),
            Err(error) => Answer::Error(name(&error)),
        }
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }

    fn handle(&mut self, handle: u32) -> io::Result<&mut File> {
        self.handles.get_mut(&handle).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn step(&mut self, step: &Step) -> io::Result<Value> {
        let done = |()| Value::Null;
        match step {
            Step::Open { path, flags, handle } => {
                let has = |flag| flags.contains(flag);
                let mut options = OpenOptions::new();
                options.read(has('r')).write(has('w')).append(has('a')).truncate(has('t')).create(has('c'));
                let file = options.create_new(has('x')).open(self.path(path))?;
                self.handles.insert(*handle, file);
                Ok(Value::Null)
            }
            Step::Close { handle } => {
                self.handle(*handle)?;
                self.handles.remove(handle);
                Ok(done(()))
            }
            Step::ReadFrom { handle, at } => {
                let (file, mut bytes) = (self.handle(*handle)?, Vec::new());
                file.seek(SeekFrom::Start(*at))?;
                file.read_to_end(&mut bytes)?;
                Ok(content(&bytes))
            }
            Step::WriteTo { handle, at, text } => {
                let file = self.handle(*handle)?;
                file.seek(SeekFrom::Start(*at))?;
                file.write_all(text.as_bytes()).map(done)
            }
            Step::Put { handle, text } => self.handle(*handle)?.write_all(text.as_bytes()).map(done),
            Step::SetLength { handle, bytes } => self.handle(*handle)?.set_len(*bytes).map(done),
            Step::StatOf { handle } => Ok(stat(&self.handle(*handle)?.metadata()?)),
            Step::TouchOf { handle, seconds } => touch(self.handle(*handle)?, *seconds).map(done),
            Step::Sync { handle } => self.handle(*handle)?.sync_all().map(done),
            Step::SyncData { handle } => self.handle(*handle)?.sync_data().map(done),

            Step::Read { path } => Ok(content(&fs::read(self.path(path))?)),
            Step::Head { path, bytes } => {
                let mut head = Vec::new();
                File::open(self.path(path))?.take(*bytes).read_to_end(&mut head)?;
                Ok(content(&head))
            }
            Step::Write { path, text } => fs::write(self.path(path), text).map(done),
            Step::Fill { path, text, times } => fs::write(self.path(path), text.repeat(*times as usize)).map(done),
            Step::Create { path, text } => File::create_new(self.path(path))?.write_all(text.as_bytes()).map(done),
            Step::Append { path, text } => {
                OpenOptions::new().append(true).open(self.path(path))?.write_all(text.as_bytes()).map(done)
            }
            Step::Patch { path, at, text } => {
                let mut file = OpenOptions::new().read(true).write(true).open(self.path(path))?;
                file.seek(SeekFrom::Start(*at))?;
                file.write_all(text.as_bytes()).map(done)
            }
            Step::Truncate { path, bytes } => {
                OpenOptions::new().write(true).open(self.path(path))?.set_len(*bytes).map(done)
            }
            Step::Copy { from, to } => fs::copy(self.path(from), self.path(to)).map(Value::from),
            Step::Rename { from, to } => fs::rename(self.path(from), self.path(to)).map(done),
            Step::Link { from, to } => fs::hard_link(self.path(from), self.path(to)).map(done),
            Step::Symlink { target, path } => symlink(target, &self.path(path)).map(done),
            Step::Readlink { path } => Ok(fs::read_link(self.path(path))?.to_string_lossy().into()),
            Step::Unlink { path } => fs::remove_file(self.path(path)).map(done),
            Step::Mkdir { path } => fs::create_dir(self.path(path)).map(done),
            Step::Rmdir { path } => fs::remove_dir(self.path(path)).map(done),
            Step::RemoveTree { path } => fs::remove_dir_all(self.path(path)).map(done),
            Step::Stat { path } => Ok(stat(&fs::metadata(self.path(path))?)),
            Step::Lstat { path } => Ok(stat(&fs::symlink_metadata(self.path(path))?)),
            Step::Touch { path, seconds } => touch(&File::open(self.path(path))?, *seconds).map(done),
            Step::List { path } => Ok(list(&self.path(path))?.into()),
            Step::Tree { path } => {
                let mut tree = BTreeMap::new();
                walk(&self.path(path), "", &mut tree)?;
                Ok(json!(tree))
            }
            Step::Await { path } => {
                let (path, start) = (self.path(path), Instant::now());
                while fs::symlink_metadata(&path).is_err() {
                    if start.elapsed() > PATIENCE {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(Value::Null)
            }
        }
    }
}

/// A text as it is if it is short, else how long it is and a number that stands for it.
fn content(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.len() <= SHOWN_BYTES_MAX => text.into(),
        _ => {
            let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            format!("{} bytes, {:016x}", bytes.len(), bytes.iter().fold(0xcbf2_9ce4_8422_2325, fnv)).into()
        }
    }
}

fn kind(file_type: fs::FileType) -> &'static str {
    match file_type {
        file_type if file_type.is_dir() => "directory",
        file_type if file_type.is_symlink() => "symlink",
        file_type if file_type.is_file() => "file",
        _ => "other",
    }
}

/// Of directories only that they are one: sizes and times of those follow from what is in them, each system in its way.
fn stat(data: &fs::Metadata) -> Value {
    if !data.is_file() {
        return json!({ "type": kind(data.file_type()) });
    }
    let since = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let set = since.map(|since| since.as_secs()).filter(|seconds| *seconds < SET_SECONDS_MAX);
    json!({ "type": "file", "size": data.len(), "modified": set })
}

fn touch(file: &File, seconds: u64) -> io::Result<()> {
    let time: SystemTime = UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time))
}

fn list(path: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
        names.push(format!("{}{slash}", entry.file_name().to_string_lossy()));
    }
    names.sort();
    Ok(names)
}

/// Everything below a directory, by path.
pub fn walk(root: &str, path: &str, tree: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(format!("{root}/{path}"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if path.is_empty() { name } else { format!("{path}/{name}") };
        let full = format!("{root}/{path}");
        let what = match kind(entry.file_type()?) {
            "directory" => "directory".to_owned(),
            "symlink" => {
                fs::read_link(&full).map_or_else(|error| name_of(&error), |target| format!("-> {}", target.display()))
            }
            "file" => match fs::read(&full) {
                Ok(bytes) => format!("file {}", content(&bytes)),
                Err(error) => name_of(&error),
            },
            other => other.to_owned(),
        };
        let is_directory = what == "directory";
        tree.insert(path.clone(), what);
        if is_directory {
            walk(root, &path, tree)?;
        }
    }
    Ok(())
}

fn name_of(error: &io::Error) -> String {
    format!("error {}", name(error))
}

#[cfg(unix)]
fn symlink(target: &str, path: &str) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// The standard library's is not stable for this target.
#[cfg(target_family = "wasm")]
fn symlink(target: &str, path: &str) -> io::Result<()> {
    let (target, path) = (std::ffi::CString::new(target)?, std::ffi::CString::new(path)?);
    // SAFETY: both are texts with a zero at their end, which the call does not keep.
    match unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The error by its name, which is the same on every system, as its number is not.
fn name(error: &io::Error) -> String {
    let Some(number) = error.raw_os_error() else { return format!("{:?}", error.kind()) };
    let names = [
        (libc::EACCES, "EACCES"),
        (libc::EBADF, "EBADF"),
        (libc::EBUSY, "EBUSY"),
        (libc::EEXIST, "EEXIST"),
        (libc::EILSEQ, "EILSEQ"),
        (libc::EINVAL, "EINVAL"),
        (libc::EIO, "EIO"),
        (libc::EISDIR, "EISDIR"),
        (libc::ELOOP, "ELOOP"),
        (libc::ENAMETOOLONG, "ENAMETOOLONG"),
        (libc::ENOENT, "ENOENT"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::ENOTDIR, "ENOTDIR"),
        (libc::ENOTEMPTY, "ENOTEMPTY"),
        (libc::ENOTSUP, "ENOTSUP"),
        (libc::EOVERFLOW, "EOVERFLOW"),
        (libc::EPERM, "EPERM"),
        (libc::EPIPE, "EPIPE"),
        (libc::EROFS, "EROFS"),
        (libc::ESPIPE, "ESPIPE"),
        (libc::EXDEV, "EXDEV"),
    ];
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("error {number}"),
    }
}
