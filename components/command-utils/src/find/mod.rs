//! find, with GNU's expressions. Folders are walked in the order of names.

mod execute;
mod expression;
mod print;

use std::cell::OnceCell;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use execute::Batch;
use expression::{Bits, Execute, Expression, Follows, Options};

const DONE: i32 = 0;
const FAILURE: i32 = 1;

/// Folders in each other.
const DEPTH_MAX: usize = 1000;

const HELP: &str = "\
Usage: find [-H] [-L] [-P] [path...] [expression]

operators: ( EXPR )  ! EXPR  -not EXPR  EXPR -a EXPR  EXPR -o EXPR  EXPR , EXPR
options: -depth -maxdepth N -mindepth N -daystart -follow -regextype TYPE -xdev
tests: -name -iname -path -ipath -regex -iregex -lname -type -size -empty -mtime -mmin -newer -newermt
       -readable -writable -executable -perm -user -group -samefile -true -false
actions: -print -print0 -printf FORMAT -ls -fprint FILE -fprint0 -fprintf -fls -delete -prune -quit
         -exec COMMAND ; -exec COMMAND {} + -execdir -ok -okdir
";

pub fn run(arguments: Vec<std::ffi::OsString>) -> i32 {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if words.iter().any(|word| matches!(word.as_str(), "-help" | "--help")) {
        print!("{HELP}");
        return DONE;
    }
    if words.iter().any(|word| matches!(word.as_str(), "-version" | "--version")) {
        println!("find (wardian) {}", env!("CARGO_PKG_VERSION"));
        return DONE;
    }
    let now = SystemTime::now();
    let parsed = match expression::parse(&words, now) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("find: {message}");
            return FAILURE;
        }
    };
    let files = parsed.options.files.iter().map(|path| match path.as_str() {
        "/dev/stdout" => Ok(Box::new(io::stdout()) as Box<dyn Write>),
        "/dev/stderr" => Ok(Box::new(io::stderr()) as Box<dyn Write>),
        path => match File::create(path) {
            Ok(file) => Ok(Box::new(BufWriter::new(file)) as Box<dyn Write>),
            Err(error) => Err(format!("‘{path}’: {}", crate::reason(&error))),
        },
    });
    let files = match files.collect::<Result<Vec<_>, String>>() {
        Ok(files) => files,
        Err(message) => {
            eprintln!("find: {message}");
            return FAILURE;
        }
    };
    let mut find = Find {
        files,
        options: &parsed.options,
        expression: &parsed.expression,
        now,
        to: BufWriter::with_capacity(64 << 10, io::stdout()),
        status: DONE,
        batches: (0..parsed.options.batches).map(|_| Batch::default()).collect(),
        above: Vec::new(),
    };
    let result = find.all();
    let flushed = result.and_then(|_| find.files.iter_mut().try_for_each(|file| file.flush()));
    match flushed.and_then(|()| find.to.flush()) {
        Ok(()) => find.status,
        Err(error) => {
            eprintln!("find: write error: {}", crate::reason(&error));
            FAILURE
        }
    }
}

struct Find<'a, W: Write> {
    options: &'a Options,
    expression: &'a Expression,
    now: SystemTime,
    to: W,
    /// Of `-fprint` and the like.
    files: Vec<Box<dyn Write>>,
    status: i32,
    /// Of each `-exec … +`.
    batches: Vec<Batch<'a>>,
    /// The folders that are being walked, where links are followed.
    above: Vec<PathBuf>,
}

/// What was found. What is not asked for is not looked up.
pub struct Entry {
    shown: String,
    depth: usize,
    kind: FileType,
    root: usize,
    follows: bool,
    data: OnceCell<Option<Metadata>>,
}

impl Entry {
    fn path(&self) -> &Path {
        Path::new(&self.shown)
    }

    /// Its last part; a root's is as it was typed.
    fn name(&self) -> &str {
        let trimmed = self.shown.trim_end_matches('/');
        if trimmed.is_empty() {
            return &self.shown[..self.shown.len().min(1)];
        }
        trimmed.rsplit('/').next().unwrap_or(trimmed)
    }

    fn data(&self) -> Option<&Metadata> {
        let read = || {
            let link = || fs::symlink_metadata(self.path()).ok();
            if self.follows { fs::metadata(self.path()).ok().or_else(link) } else { link() }
        };
        self.data.get_or_init(read).as_ref()
    }

    fn letter(&self) -> char {
        letter(self.kind)
    }

    /// Of what a link leads to; of the link, where that is nothing.
    fn target_letter(&self) -> char {
        let target = || fs::metadata(self.path()).map_or(self.kind, |data| data.file_type());
        letter(if self.kind.is_symlink() { target() } else { self.kind })
    }
}

/// What an expression says of an entry.
#[derive(Default)]
struct Verdict {
    prune: bool,
    quit: bool,
}

impl<'a, W: Write> Find<'a, W> {
    fn all(&mut self) -> io::Result<()> {
        for root in &self.options.roots {
            let follows = self.options.follows != Follows::Never;
            let link = || fs::symlink_metadata(root);
            let data = if follows { fs::metadata(root).or_else(|_| link()) } else { link() };
            let data = match data {
                Ok(data) => data,
                Err(error) => {
                    self.failed(&format!("‘{root}’"), &error)?;
                    continue;
                }
            };
            let entry = Entry {
                shown: root.clone(),
                depth: 0,
                kind: data.file_type(),
                root: root.len(),
                follows,
                data: OnceCell::from(Some(data)),
            };
            if self.entry(&entry)? {
                break;
            }
        }
        for number in 0..self.batches.len() {
            self.to.flush()?;
            if !self.batches[number].end() {
                self.status = FAILURE;
            }
        }
        Ok(())
    }

    fn failed(&mut self, what: &str, error: &io::Error) -> io::Result<()> {
        self.to.flush()?;
        eprintln!("find: {what}: {}", crate::reason(error));
        self.status = FAILURE;
        Ok(())
    }

    /// True: that was enough.
    fn entry(&mut self, entry: &Entry) -> io::Result<bool> {
        let mut verdict = Verdict::default();
        let counts = entry.depth >= self.options.depth_min;
        if counts && !self.options.depth_first {
            self.holds(self.expression, entry, &mut verdict)?;
        }
        if verdict.quit {
            return Ok(true);
        }
        let goes_in = entry.kind.is_dir() && self.options.depth_max.is_none_or(|max| entry.depth < max);
        if goes_in && !verdict.prune && self.folder(entry)? {
            return Ok(true);
        }
        if counts && self.options.depth_first {
            self.holds(self.expression, entry, &mut verdict)?;
        }
        Ok(verdict.quit)
    }

    fn folder(&mut self, folder: &Entry) -> io::Result<bool> {
        if folder.depth >= DEPTH_MAX {
            let error = io::Error::other(format!("folders are nested deeper than {DEPTH_MAX}"));
            self.failed(&format!("‘{}’", folder.shown), &error)?;
            return Ok(false);
        }
        let follows = self.options.follows == Follows::Always;
        if follows {
            let real = fs::canonicalize(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
            if self.above.contains(&real) {
                let error = io::Error::other("File system loop detected");
                self.failed(&format!("‘{}’", folder.shown), &error)?;
                return Ok(false);
            }
            self.above.push(real);
        }
        let is_done = self.inside(folder, follows);
        if follows {
            self.above.pop();
        }
        is_done
    }

    fn inside(&mut self, folder: &Entry, follows: bool) -> io::Result<bool> {
        let listed = fs::read_dir(folder.path()).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                self.failed(&format!("‘{}’", folder.shown), &error)?;
                return Ok(false);
            }
        };
        listed.sort_by_key(fs::DirEntry::file_name);
        let separator = if folder.shown.ends_with('/') { "" } else { "/" };
        for item in listed {
            let shown = format!("{}{separator}{}", folder.shown, item.file_name().to_string_lossy());
            let kind = match item.file_type() {
                // A link that leads nowhere is a link.
                Ok(kind) if kind.is_symlink() && follows => fs::metadata(&shown).map_or(kind, |data| data.file_type()),
                Ok(kind) => kind,
                Err(error) => {
                    self.failed(&format!("‘{shown}’"), &error)?;
                    continue;
                }
            };
            let entry =
                Entry { shown, depth: folder.depth + 1, kind, root: folder.root, follows, data: OnceCell::new() };
            if self.entry(&entry)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holds(&mut self, expression: &'a Expression, entry: &Entry, verdict: &mut Verdict) -> io::Result<bool> {
        if verdict.quit {
            return Ok(false);
        }
        Ok(match expression {
            Expression::And(one, two) => self.holds(one, entry, verdict)? && self.holds(two, entry, verdict)?,
            Expression::Or(one, two) => self.holds(one, entry, verdict)? || self.holds(two, entry, verdict)?,
            Expression::List(one, two) => {
                self.holds(one, entry, verdict)?;
                self.holds(two, entry, verdict)?
            }
            Expression::Not(one) => !self.holds(one, entry, verdict)?,
            Expression::True | Expression::Owned => true,
            Expression::False => false,
            Expression::Name(glob) => glob.is_match(entry.name()),
            Expression::Path(glob) => glob.is_match(&entry.shown),
            Expression::Regex(regex) => regex.is_match(entry.shown.as_bytes()),
            Expression::LinkName(glob) => {
                entry.kind.is_symlink() && fs::read_link(entry.path()).is_ok_and(|target| glob.is_match(target))
            }
            Expression::Type(letters, false) => letters.contains(entry.letter()),
            Expression::Type(letters, true) => letters.contains(entry.target_letter()),
            Expression::Size(number, unit) => number.holds(entry.data().map_or(0, Metadata::len).div_ceil(*unit)),
            Expression::Empty => match entry.kind.is_dir() {
                true => fs::read_dir(entry.path()).is_ok_and(|mut entries| entries.next().is_none()),
                false => entry.kind.is_file() && entry.data().is_some_and(|data| data.len() == 0),
            },
            Expression::Age(number, unit) => {
                let age = modified(entry).map_or(0, |time| self.now.duration_since(time).unwrap_or_default().as_secs());
                // `-mmin -5` means within five minutes, and not within four and what has begun of the fifth.
                match number {
                    expression::Number::Less(than) => age < than * unit,
                    _ => number.holds(age / unit),
                }
            }
            Expression::NewerThan(time) => modified(entry).is_some_and(|modified| modified > *time),
            Expression::Prune => {
                verdict.prune = true;
                true
            }
            Expression::Quit => {
                verdict.quit = true;
                true
            }
            Expression::Print => {
                writeln!(self.to, "{}", entry.shown)?;
                true
            }
            Expression::Print0 => {
                write!(self.to, "{}\0", entry.shown)?;
                true
            }
            Expression::Printf(form) => {
                print::printf(form, entry, &mut self.to)?;
                true
            }
            Expression::List1 => {
                print::list(entry, &mut self.to)?;
                true
            }
            Expression::Permission(bits, mode) => {
                let has = permission(entry);
                match bits {
                    Bits::Exactly => has == *mode,
                    Bits::All => has & mode == *mode,
                    Bits::Any => *mode == 0 || has & mode != 0,
                }
            }
            Expression::Allows(bits) => fs::metadata(entry.path())
                .is_ok_and(|data| command_kit::modes::shown(entry.path(), data.file_type()) & bits != 0),
            Expression::Same(file) => fs::canonicalize(entry.path()).is_ok_and(|real| real == *file),
            Expression::ToFile(number, printed) => {
                let to = &mut self.files[*number];
                match &**printed {
                    Expression::Print => writeln!(to, "{}", entry.shown)?,
                    Expression::Print0 => write!(to, "{}\0", entry.shown)?,
                    Expression::Printf(form) => print::printf(form, entry, to)?,
                    _ => print::list(entry, to)?,
                }
                true
            }
            Expression::Delete => self.delete(entry)?,
            Expression::Execute(execute) => self.execute(execute, entry)?,
        })
    }

    fn delete(&mut self, entry: &Entry) -> io::Result<bool> {
        // Nobody can mean the folder that they are in.
        if entry.shown == "." {
            return Ok(true);
        }
        let removed = if entry.kind.is_dir() { fs::remove_dir(entry.path()) } else { fs::remove_file(entry.path()) };
        match removed {
            Ok(()) => Ok(true),
            Err(error) => {
                self.failed(&format!("cannot delete ‘{}’", entry.shown), &error)?;
                Ok(false)
            }
        }
    }

    fn execute(&mut self, execute: &'a Execute, entry: &Entry) -> io::Result<bool> {
        let (folder, file) = if execute.in_folder {
            let parent = entry.path().parent().filter(|parent| !parent.as_os_str().is_empty());
            let name = if entry.name() == "." { ".".to_owned() } else { format!("./{}", entry.name()) };
            (Some(parent.unwrap_or(Path::new(".")).to_owned()), name)
        } else {
            (None, entry.shown.clone())
        };
        // What was printed comes before what the command prints.
        if !execute.is_batch {
            self.to.flush()?;
            if execute.asks && !agrees(&execute.words[0], &entry.shown)? {
                return Ok(false);
            }
            let words = execute.words.iter().map(|word| word.replace("{}", &file)).collect();
            return Ok(execute::run(words, folder.as_deref()));
        }
        if self.batches[execute.number].is_other(folder.as_deref()) {
            self.to.flush()?;
            if !self.batches[execute.number].end() {
                self.status = FAILURE;
            }
        }
        if self.batches[execute.number].add(&execute.words, folder, file) {
            self.to.flush()?;
            if !self.batches[execute.number].end() {
                self.status = FAILURE;
            }
        }
        Ok(true)
    }
}

/// Whether the next line of stdin begins with a yes.
fn agrees(command: &str, file: &str) -> io::Result<bool> {
    eprint!("< {command} ... {file} > ? ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}

/// As `stat` and `ls` have it.
pub fn permission(entry: &Entry) -> u32 {
    command_kit::modes::shown(entry.path(), entry.kind)
}

fn letter(kind: FileType) -> char {
    match kind {
        kind if kind.is_dir() => 'd',
        kind if kind.is_symlink() => 'l',
        _ => 'f',
    }
}

fn modified(entry: &Entry) -> Option<SystemTime> {
    entry.data()?.modified().ok()
}
