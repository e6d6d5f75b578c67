//! The layer on disk, and turns among those who write to it.
//!
//! `/upper` holds `log` (what was changed, in steps), `data/N` (bytes of files) and `objects/SHA-256` (what the project had
//! where text was changed, for merging, and what commits replaced, for undoing). The log decides: bytes that no step names
//! are remains of a process that died.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use sha2::{Digest as _, Sha256};

use crate::index::{Base, Content, Digest, Index, Op, is_within, join, split};
use crate::log;
use crate::resolve::State;
use crate::rules::{IGNORE_BYTES_MAX, IGNORE_FILE, Rules};
use crate::wardian::host::modes;
use crate::wardian::host::turns::{self, Turn};
use crate::wasi::clocks::wall_clock;
use crate::wasi::filesystem::preopens;
use crate::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp, OpenFlags, PathFlags,
};

/// Bytes that pass through this component at once.
pub const CHUNK: usize = 256 << 10;

/// Files up to this size are kept as the project had them, so that changes of both sides can be merged.
pub const BASE_BYTES_MAX: u64 = 4 << 20;

/// Times that a step is prepared anew because another instance was faster; after that it is prepared in its own turn.
const TRIES: u32 = 4;

const LOG: &str = "log";
const DATA: &str = "data";
pub const OBJECTS: &str = "objects";

/// Paths hash as fast as they can: nobody gains anything by making them collide but a slower call of their own.
type HashSet<T> = std::collections::HashSet<T, foldhash::fast::FixedState>;

/// What a path was when it was looked at last.
#[derive(Default)]
pub struct Recent {
    pub base: String,
    pub path: String,
    pub follow: bool,
    /// Until it was asked for.
    pub number: Option<u64>,
    /// A file of the project.
    pub is_file: bool,
}

/// All of this instance.
pub struct Workspace {
    pub project: Descriptor,
    pub tmp: Option<Descriptor>,
    layer: Option<Layer>,
    pub index: Index,
    pub writable: bool,
    rules: Rules,
    /// Directories of the project that were seen to be directories, not links.
    real: HashSet<String>,
    /// Directories of the project that were listed to their end, and what in them is neither file nor directory nor link.
    listed: HashSet<String>,
    odd: HashSet<String>,
    /// Files that this instance has recorded as written.
    written: HashSet<String>,
    /// What the last call found, for the one that asks for its number next.
    pub recent: Option<Recent>,
    /// Paths of open directories and files: they move when what they name is moved.
    handles: Vec<Weak<RefCell<String>>>,
}

struct Layer {
    upper: Descriptor,
    log: Option<Descriptor>,
    data: Option<Descriptor>,
    /// Bytes of the log that the index has.
    at: u64,
    /// The log has bytes after that: a torn record.
    torn: bool,
    /// Turns that had ended when the log was read last; none: never read.
    seen: Option<u64>,
}

/// A file of the project, copied.
pub struct Copied {
    pub data: u32,
    pub base: Base,
}

thread_local! {
    static WORKSPACE: RefCell<Option<Workspace>> = const { RefCell::new(None) };
    static REFUSED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Why there is no workspace, if it is for the project's own rules.
pub fn refused() -> Option<String> {
    REFUSED.with(|refused| refused.borrow().clone())
}

/// Runs `work` on the one workspace of this instance.
///
/// # Errors
/// `no-entry` if the host lent no project; whatever `work` fails with.
pub fn with<R>(work: impl FnOnce(&mut Workspace) -> Result<R, ErrorCode>) -> Result<R, ErrorCode> {
    WORKSPACE.with(|workspace| {
        // A component is never entered while it waits for its host.
        let mut workspace = workspace.try_borrow_mut().map_err(|_| ErrorCode::Deadlock)?;
        if workspace.is_none() {
            *workspace = Workspace::open()?;
        }
        work(workspace.as_mut().ok_or(ErrorCode::NoEntry)?)
    })
}

impl Workspace {
    fn open() -> Result<Option<Self>, ErrorCode> {
        let (mut project, mut upper, mut tmp) = (None, None, None);
        for (descriptor, name) in preopens::get_directories() {
            match name.as_str() {
                "/project" => project = Some(descriptor),
                "/upper" => upper = Some(descriptor),
                "/tmp" => tmp = Some(descriptor),
                _ => {}
            }
        }
        let Some(project) = project else { return Ok(None) };
        let writable = match &upper {
            Some(upper) => upper.get_flags()?.contains(DescriptorFlags::MUTATE_DIRECTORY),
            None => false,
        };
        // What cannot be kept is not begun with: nothing is seen rather than too much.
        let refuse = |reason| {
            REFUSED.with(|refused| *refused.borrow_mut() = Some(reason));
            ErrorCode::NotPermitted
        };
        let ignore_file = read_small(&project, IGNORE_FILE, IGNORE_BYTES_MAX).map_err(|error| match error {
            ErrorCode::Loop => refuse("it is a link, and has to be a file".to_owned()),
            error => refuse(format!("it cannot be read ({})", error.message())),
        })?;
        let rules = Rules::parse(&ignore_file).map_err(refuse)?;
        let layer = upper.map(|upper| Layer { upper, log: None, data: None, at: 0, torn: false, seen: None });
        Ok(Some(Self {
            project,
            tmp,
            layer,
            index: Index::new(),
            writable,
            rules,
            real: HashSet::default(),
            listed: HashSet::default(),
            odd: HashSet::default(),
            written: HashSet::default(),
            recent: None,
            handles: Vec::new(),
        }))
    }

    pub fn upper(&self) -> Option<&Descriptor> {
        self.layer.as_ref().map(|layer| &layer.upper)
    }

    /// Bytes of the log that were read: grows with each step.
    pub fn position(&self) -> u64 {
        self.layer.as_ref().map_or(0, |layer| layer.at)
    }

    // --- rules ---

    /// Whether programs must not see it, wherever in the path the reason is. None: it is not known whether it is a directory.
    pub fn is_hidden(&self, path: &str, is_directory: Option<bool>) -> bool {
        self.rules.is_hidden(path, is_directory)
    }

    /// The same for a path whose directory is known not to be hidden.
    pub fn is_hidden_entry(&self, path: &str, is_directory: Option<bool>) -> bool {
        self.rules.is_hidden_entry(path, is_directory)
    }

    /// Whether the project hides more than every project does.
    pub fn has_own_rules(&self) -> bool {
        self.rules.has_own()
    }

    /// Whether programs may see but not change it.
    pub fn is_read_only(&self, path: &str) -> bool {
        self.rules.is_read_only(path)
    }

    /// Fails where programs must not write.
    pub fn may_write(&self, path: &str) -> Result<(), ErrorCode> {
        if !self.writable {
            return Err(ErrorCode::ReadOnly);
        }
        if self.is_hidden(path, None) || self.is_read_only(path) {
            return Err(ErrorCode::NotPermitted);
        }
        Ok(())
    }

    // --- what is known of the project ---

    /// Notes what was found at a path, for the call that asks for its number next.
    pub fn set_recent(&mut self, base: &str, path: &str, follow: bool, number: u64, is_file: bool) {
        let recent = self.recent.get_or_insert_default();
        // In place: this is done for each entry of each directory.
        recent.base.clear();
        recent.base.push_str(base);
        recent.path.clear();
        recent.path.push_str(path);
        (recent.follow, recent.number, recent.is_file) = (follow, Some(number), is_file);
    }

    pub fn is_real(&self, directory: &str) -> bool {
        self.real.contains(directory)
    }

    pub fn set_real(&mut self, directory: String) {
        self.real.insert(directory);
    }

    /// Notes that an entry of the project is something that could keep who opens it waiting.
    pub fn set_odd(&mut self, path: String) {
        self.odd.insert(path);
    }

    /// Notes that all entries of a directory of the project were seen.
    pub fn set_listed(&mut self, directory: String) {
        self.listed.insert(directory);
    }

    /// Whether opening a path of the project waits for nobody: a pipe would wait for its other end. None: it is a link.
    pub fn is_openable(&mut self, path: &str) -> Result<Option<bool>, ErrorCode> {
        let looked_at = |recent: &Recent| recent.is_file && recent.path == path && recent.base.is_empty();
        if self.recent.as_ref().is_some_and(looked_at) || self.is_real(path) {
            return Ok(Some(true));
        }
        // A link among them is found out by opening it.
        if self.listed.contains(split(path).0) && !self.odd.contains(path) {
            return Ok(Some(true));
        }
        Ok(match self.project.stat_at(PathFlags::empty(), path)?.type_ {
            DescriptorType::RegularFile | DescriptorType::Directory => Some(true),
            DescriptorType::SymbolicLink => None,
            _ => Some(false),
        })
    }

    // --- handles ---

    /// A path that follows what it names.
    pub fn handle(&mut self, path: String) -> Rc<RefCell<String>> {
        if self.handles.len() >= 1024 && self.handles.len().is_power_of_two() {
            self.handles.retain(|handle| handle.strong_count() > 0);
        }
        let handle = Rc::new(RefCell::new(path));
        self.handles.push(Rc::downgrade(&handle));
        handle
    }

    fn move_handles(&mut self, from: &str, to: &str) {
        for handle in self.handles.iter().filter_map(Weak::upgrade) {
            let mut path = handle.borrow_mut();
            if is_within(&path, from) {
                *path = format!("{to}{}", path.get(from.len()..).unwrap_or_default());
            }
        }
    }

    // --- the log ---

    fn apply(&mut self, ops: &[Op]) {
        self.recent = None;
        for op in ops {
            if let Op::Move { from, to } | Op::Moved { from, to } = op {
                self.move_handles(from, to);
            }
            self.index.apply(op);
        }
    }

    /// Takes over what other instances did since the last look.
    pub fn refresh(&mut self) -> Result<(), ErrorCode> {
        let Some(layer) = &self.layer else { return Ok(()) };
        if layer.seen == Some(turns::ended()) {
            return Ok(());
        }
        self.reload()
    }

    /// Reads what the log has more than the index.
    pub fn reload(&mut self) -> Result<(), ErrorCode> {
        let ended = turns::ended();
        let Some(layer) = &mut self.layer else { return Ok(()) };
        if layer.log.is_none() {
            let flags =
                if self.writable { DescriptorFlags::READ | DescriptorFlags::WRITE } else { DescriptorFlags::READ };
            match layer.upper.open_at(PathFlags::empty(), LOG, OpenFlags::empty(), flags) {
                Ok(log) => layer.log = Some(log),
                Err(ErrorCode::NoEntry) => {
                    layer.seen = Some(ended);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        let Some(log) = &layer.log else { return Ok(()) };
        let bytes = read_from(log, layer.at)?;
        let mut start = 0;
        if layer.at == 0 {
            if !bytes.starts_with(log::MAGIC) {
                // A file that was just being made has less than that.
                return if log::MAGIC.starts_with(&bytes) { Ok(()) } else { Err(ErrorCode::NotRecoverable) };
            }
            start = log::MAGIC.len();
        }
        let mut records = Vec::new();
        let used = start + log::decode(bytes.get(start..).unwrap_or_default(), |ops| records.push(ops));
        layer.at += used as u64;
        layer.torn = used < bytes.len();
        layer.seen = Some(ended);
        for ops in &records {
            self.apply(ops);
        }
        // Whoever wrote the step has removed their bytes, or the next cleaning will.
        self.index.unused.clear();
        Ok(())
    }

    /// Operations since a position of the log, and the position to go on from.
    pub fn since(&mut self, position: u64) -> Result<(Vec<Op>, u64), ErrorCode> {
        self.refresh()?;
        let Some(Layer { log: Some(log), at, .. }) = &self.layer else { return Ok((Vec::new(), 0)) };
        // After the log was written anew, an old position means nothing: what is in it now is told as a whole.
        let from = if position > *at { 0 } else { position };
        if from == *at {
            return Ok((Vec::new(), from));
        }
        let mut bytes = read_from(log, from)?;
        bytes.truncate((at - from) as usize);
        let start = if from == 0 { log::MAGIC.len() } else { 0 };
        let mut ops = Vec::new();
        log::decode(bytes.get(start..).unwrap_or_default(), |record| ops.extend(record));
        Ok((ops, *at))
    }

    /// Prepares a step with `prepare`, and takes it if nobody else took one meanwhile; otherwise prepares it again. An empty
    /// step changes nothing.
    pub fn step<R>(
        &mut self,
        mut prepare: impl FnMut(&mut Self) -> Result<(Vec<Op>, R), ErrorCode>,
    ) -> Result<R, ErrorCode> {
        for _ in 0..TRIES {
            self.refresh()?;
            let position = self.position();
            let (ops, result) = prepare(self)?;
            if ops.is_empty() {
                return Ok(result);
            }
            let turn = turns::take().ok_or(ErrorCode::Busy)?;
            self.refresh()?;
            if self.position() == position {
                self.append(turn, &ops)?;
                return Ok(result);
            }
        }
        let turn = turns::take().ok_or(ErrorCode::Busy)?;
        self.refresh()?;
        let (ops, result) = prepare(self)?;
        if !ops.is_empty() {
            self.append(turn, &ops)?;
        }
        Ok(result)
    }

    fn append(&mut self, turn: Turn, ops: &[Op]) -> Result<(), ErrorCode> {
        let record = log::encode(ops).ok_or(ErrorCode::Overflow)?;
        let layer = self.layer.as_mut().ok_or(ErrorCode::ReadOnly)?;
        if layer.log.is_none() {
            let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
            layer.log = Some(layer.upper.open_at(PathFlags::empty(), LOG, OpenFlags::CREATE, flags)?);
        }
        let log = layer.log.as_ref().ok_or(ErrorCode::Io)?;
        let mut at = layer.at;
        let written = (|| {
            if layer.torn {
                log.set_size(at)?;
            }
            if at == 0 {
                write_all(log, log::MAGIC, 0)?;
                at = log::MAGIC.len() as u64;
            }
            write_all(log, &record, at)
        })();
        if let Err(error) = written {
            // What was half written is no record; without it the next one stands where it should.
            let _ = log.set_size(layer.at);
            return Err(error);
        }
        layer.at = at + record.len() as u64;
        layer.torn = false;
        drop(turn);
        layer.seen = layer.seen.map(|ended| ended + 1);
        self.apply(ops);
        for data in std::mem::take(&mut self.index.unused) {
            if let Some(layer) = &self.layer
                && self.index.uses(data) == 0
            {
                // If it stays, the next cleaning finds it.
                let _ = layer.upper.unlink_file_at(&data_path(data));
            }
        }
        Ok(())
    }

    /// Records that a file of the layer is written to, once.
    pub fn note_written(&mut self, path: &str) -> Result<(), ErrorCode> {
        if self.written.contains(path) {
            return Ok(());
        }
        self.step(|_| Ok((vec![Op::Written(path.to_owned())], ())))?;
        self.written.insert(path.to_owned());
        Ok(())
    }

    /// Makes sure that the steps so far survive a power failure.
    pub fn sync_log(&self) -> Result<(), ErrorCode> {
        match &self.layer {
            Some(Layer { log: Some(log), upper, .. }) => {
                log.sync()?;
                upper.sync()
            }
            _ => Ok(()),
        }
    }

    /// Writes the log anew with what the index has, and removes bytes that nothing names. Only while no other instance
    /// works on the layer.
    pub fn clean(&mut self) -> Result<(), ErrorCode> {
        self.refresh()?;
        let Some(layer) = &self.layer else { return Ok(()) };
        if layer.log.is_none() {
            return Ok(());
        }
        let ops = self.index.snapshot();
        let record = log::encode(&ops).ok_or(ErrorCode::Overflow)?;
        let bytes = [log::MAGIC, &record].concat();
        if layer.at > 2 * bytes.len() as u64 + CHUNK as u64 {
            replace(&layer.upper, LOG, &bytes)?;
            let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
            let log = layer.upper.open_at(PathFlags::empty(), LOG, OpenFlags::empty(), flags)?;
            if let Some(layer) = &mut self.layer {
                (layer.log, layer.at, layer.torn) = (Some(log), bytes.len() as u64, false);
            }
        }
        let Some(layer) = &self.layer else { return Ok(()) };
        for name in list(&layer.upper, DATA)? {
            if name.parse().map_or(true, |data| self.index.uses(data) == 0) {
                layer.upper.unlink_file_at(&join(DATA, &name))?;
            }
        }
        Ok(())
    }

    // --- bytes ---

    /// Opens a file of the layer.
    pub fn open_data(&mut self, data: u32, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
        self.data_directory()?.open_at(PathFlags::empty(), &data.to_string(), open, flags)
    }

    /// The directory of the layer's files.
    pub fn data_directory(&mut self) -> Result<&Descriptor, ErrorCode> {
        let layer = self.layer.as_mut().ok_or(ErrorCode::ReadOnly)?;
        if layer.data.is_none() {
            let flags = if self.writable {
                DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY
            } else {
                DescriptorFlags::READ
            };
            let mut opened = layer.upper.open_at(PathFlags::empty(), DATA, OpenFlags::DIRECTORY, flags);
            if matches!(opened, Err(ErrorCode::NoEntry)) && self.writable {
                create_directory(&layer.upper, DATA)?;
                opened = layer.upper.open_at(PathFlags::empty(), DATA, OpenFlags::DIRECTORY, flags);
            }
            layer.data = Some(opened?);
        }
        layer.data.as_ref().ok_or(ErrorCode::Io)
    }

    /// A new, empty file of the layer.
    pub fn create_data(&mut self, flags: DescriptorFlags) -> Result<(u32, Descriptor), ErrorCode> {
        let mut data = self.index.next_data;
        let directory = self.data_directory()?;
        loop {
            let open = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
            match directory.open_at(PathFlags::empty(), &data.to_string(), open, flags) {
                Ok(file) => {
                    self.index.next_data = data.saturating_add(1);
                    return Ok((data, file));
                }
                // Another instance's, which is not in the log yet, or was left by one that died.
                Err(ErrorCode::Exist) if data < u32::MAX => data += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a file of the project once, for its digest; `copy` also copies it into the layer, with its times.
    pub fn take_base(&mut self, path: &str, copy: bool) -> Result<(Base, Option<u32>), ErrorCode> {
        let stat = match self.project.stat_at(PathFlags::empty(), path) {
            Ok(stat) => stat,
            Err(ErrorCode::NoEntry | ErrorCode::NotDirectory) => return Ok((Base::Absent, None)),
            Err(error) => return Err(error),
        };
        match stat.type_ {
            DescriptorType::Directory => return Ok((Base::Directory, None)),
            DescriptorType::SymbolicLink => return Ok((Base::Link { target: self.project.readlink_at(path)? }, None)),
            DescriptorType::RegularFile => {}
            // Opening a pipe would wait for its other end.
            _ => return Err(ErrorCode::NotPermitted),
        }
        let file = self.project.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)?;
        let mode = modes::get(&file)?.map(|mode| mode as u16);
        let target = if copy { Some(self.create_data(DescriptorFlags::WRITE)?) } else { None };
        let mut hash = Sha256::new();
        let mut kept = Vec::new();
        let mut size = 0;
        loop {
            let (bytes, end) = file.read(CHUNK as u64, size)?;
            hash.update(&bytes);
            if let Some((_, target)) = &target {
                write_all(target, &bytes, size)?;
            }
            size += bytes.len() as u64;
            if size <= BASE_BYTES_MAX {
                kept.extend_from_slice(&bytes);
            }
            if end || bytes.is_empty() {
                break;
            }
        }
        let digest: Digest = hash.finalize().into();
        if size <= BASE_BYTES_MAX {
            self.keep(&digest, &kept)?;
        }
        if let Some((_, target)) = &target {
            target.set_times(timestamp(stat.data_access_timestamp), timestamp(stat.data_modification_timestamp))?;
        }
        Ok((Base::File { digest, size, mode }, target.map(|(data, _)| data)))
    }

    /// The operation that records what the project has at a path, if nothing was recorded before.
    pub fn base_op(&mut self, path: &str) -> Result<Option<Op>, ErrorCode> {
        if self.index.bases.contains_key(path) || !self.is_project_visible(split(path).0) {
            return Ok(None);
        }
        Ok(Some(Op::Base(path.to_owned(), self.take_base(path, false)?.0)))
    }

    /// Whether what the project has in a directory can be seen through the layer.
    fn is_project_visible(&self, directory: &str) -> bool {
        match self.state(directory) {
            State::Project => true,
            State::Directory { merged, .. } => merged,
            _ => false,
        }
    }

    /// Keeps content under its digest.
    pub fn keep(&self, digest: &Digest, bytes: &[u8]) -> Result<(), ErrorCode> {
        let upper = self.upper().ok_or(ErrorCode::ReadOnly)?;
        let path = join(OBJECTS, &hex(digest));
        match upper.stat_at(PathFlags::empty(), &path) {
            Ok(stat) if stat.size == bytes.len() as u64 => return Ok(()),
            _ => create_directory(upper, OBJECTS)?,
        }
        let open = OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let file = upper.open_at(PathFlags::empty(), &path, open, DescriptorFlags::WRITE)?;
        write_all(&file, bytes, 0)
    }

    /// Content that was kept, if it is whole.
    pub fn kept(&self, digest: &Digest) -> Option<Vec<u8>> {
        let upper = self.upper()?;
        let path = join(OBJECTS, &hex(digest));
        let file = upper.open_at(PathFlags::empty(), &path, OpenFlags::empty(), DescriptorFlags::READ).ok()?;
        let bytes = read_from(&file, 0).ok()?;
        let found: Digest = Sha256::digest(&bytes).into();
        (found == *digest).then_some(bytes)
    }

    /// Opens a file's bytes for reading, wherever they are.
    pub fn open_content(&mut self, content: &Content) -> Result<Descriptor, ErrorCode> {
        match content {
            Content::Data(data) => self.open_data(*data, OpenFlags::empty(), DescriptorFlags::READ),
            Content::Project(path) => {
                self.project.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ)
            }
        }
    }

    /// A file as programs see it, if it is one and has at most `bytes_max` bytes.
    pub fn small_file(&mut self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        let State::File { content, .. } = self.settled(path)? else { return Ok(None) };
        let bytes = read_up_to(&self.open_content(&content)?, 0, bytes_max + 1)?;
        Ok((bytes.len() <= bytes_max).then_some(bytes))
    }

    /// Where a file's bytes are described.
    pub fn stat_content(&mut self, content: &Content) -> Result<DescriptorStat, ErrorCode> {
        match content {
            Content::Data(data) => self.data_directory()?.stat_at(PathFlags::empty(), &data.to_string()),
            Content::Project(path) => self.project.stat_at(PathFlags::empty(), path),
        }
    }

    /// Copies a file that is the project's into the layer. Returns the operations that say so; there are none if another
    /// instance was faster. `keep_bytes` is false where they are cut off at once.
    pub fn copy_up(&mut self, path: &str, copied: &mut Option<Copied>, keep_bytes: bool) -> Result<Vec<Op>, ErrorCode> {
        let (from, identity, mode) = match self.state(path) {
            State::Project => (path.to_owned(), crate::index::identity(path), None),
            State::File { content: Content::Project(from), identity, mode } => (from, identity, mode),
            _ => return Ok(Vec::new()),
        };
        if copied.is_none() {
            let (base, data) = self.take_base(&from, keep_bytes)?;
            let data = match (data, &base) {
                (Some(data), _) => data,
                (None, Base::File { .. }) => self.create_data(DescriptorFlags::WRITE)?.0,
                _ => return Err(ErrorCode::NoEntry),
            };
            *copied = Some(Copied { data, base });
        }
        let Some(Copied { data, base }) = copied else { return Err(ErrorCode::Io) };
        let mode = mode.or(match base {
            Base::File { mode, .. } => *mode,
            _ => None,
        });
        Ok(vec![
            Op::Base(from, base.clone()),
            Op::File { path: path.to_owned(), content: Content::Data(*data), identity, mode },
        ])
    }

    /// Permission bits that a new file at this path takes over: those of the file that it replaces. Programs cannot set any
    /// themselves, and one that replaces a script does not mean to make it no script.
    pub fn inherited_mode(&self, path: &str) -> Option<u16> {
        match (self.state(path), self.index.bases.get(path)) {
            (State::File { mode: Some(mode), .. }, _) => Some(mode),
            (_, Some(Base::File { mode, .. })) => *mode,
            _ => None,
        }
    }
}

// --- small things ---

pub fn data_path(data: u32) -> String {
    format!("{DATA}/{data}")
}

/// Lowercase hex.
pub fn hex(digest: &Digest) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let now = wall_clock::now();
    now.seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(now.nanoseconds))
}

fn timestamp(time: Option<crate::wasi::filesystem::types::Datetime>) -> NewTimestamp {
    time.map_or(NewTimestamp::NoChange, NewTimestamp::Timestamp)
}

/// Reads to the end.
pub fn read_from(file: &Descriptor, at: u64) -> Result<Vec<u8>, ErrorCode> {
    read_up_to(file, at, usize::MAX)
}

/// Reads to the end, or until there are `bytes_max` bytes.
pub fn read_up_to(file: &Descriptor, at: u64, bytes_max: usize) -> Result<Vec<u8>, ErrorCode> {
    let mut all: Vec<u8> = Vec::new();
    while all.len() < bytes_max {
        let wanted = CHUNK.min(bytes_max - all.len());
        let (bytes, end) = file.read(wanted as u64, at + all.len() as u64)?;
        // A host may give less than was asked for at any time; only nothing is the end.
        let last = end || bytes.is_empty();
        if all.is_empty() {
            all = bytes;
        } else {
            all.extend_from_slice(&bytes);
        }
        if last {
            break;
        }
    }
    Ok(all)
}

/// A small file, or nothing where there is none. A larger one is cut at `bytes_max`.
fn read_small(directory: &Descriptor, name: &str, bytes_max: usize) -> Result<Vec<u8>, ErrorCode> {
    match directory.open_at(PathFlags::empty(), name, OpenFlags::empty(), DescriptorFlags::READ) {
        Ok(file) => read_up_to(&file, 0, bytes_max + 1),
        Err(ErrorCode::NoEntry) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Writes everything, in pieces.
pub fn write_all(file: &Descriptor, bytes: &[u8], mut at: u64) -> Result<(), ErrorCode> {
    for mut piece in bytes.chunks(CHUNK) {
        while !piece.is_empty() {
            let written = file.write(piece, at)?;
            if written == 0 {
                return Err(ErrorCode::InsufficientSpace);
            }
            at += written;
            piece = piece.get(written as usize..).unwrap_or_default();
        }
    }
    Ok(())
}

/// Replaces a file as a whole, durably.
pub fn replace(directory: &Descriptor, name: &str, bytes: &[u8]) -> Result<(), ErrorCode> {
    let fresh = format!("{name}.new");
    let open = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file = directory.open_at(PathFlags::empty(), &fresh, open, DescriptorFlags::WRITE)?;
    write_all(&file, bytes, 0)?;
    file.sync()?;
    directory.rename_at(&fresh, directory, name)?;
    directory.sync()
}

/// Creates a directory unless it is there.
pub fn create_directory(parent: &Descriptor, name: &str) -> Result<(), ErrorCode> {
    match parent.create_directory_at(name) {
        Ok(()) | Err(ErrorCode::Exist) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Names in a directory; none where it does not exist.
pub fn list(parent: &Descriptor, name: &str) -> Result<Vec<String>, ErrorCode> {
    let directory = match parent.open_at(PathFlags::empty(), name, OpenFlags::DIRECTORY, DescriptorFlags::READ) {
        Ok(directory) => directory,
        Err(ErrorCode::NoEntry) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let stream = directory.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = stream.read_directory_entry()? {
        names.push(entry.name);
    }
    Ok(names)
}
