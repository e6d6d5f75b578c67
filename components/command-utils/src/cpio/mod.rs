//! cpio.

mod archive;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use archive::{Entry, FILE, FOLDER, Form, LINK, Reader, TRAILER, Writer};
use globset::{Glob, GlobSet, GlobSetBuilder};
use lexopt::{Arg, Parser};

const DONE: i32 = 0;
const FAILURE: i32 = 2;

const BLOCK: u64 = 512;

/// Of a list of files, one name.
const NAME_BYTES_MAX: u64 = 64 << 10;

/// Of a link's target in an archive.
const TARGET_BYTES_MAX: u64 = 64 << 10;

const HELP: &str = "\
Usage: cpio -o [-H FORM] [-0Lv] [-O FILE] <NAMES >ARCHIVE
       cpio -i [-dmtuv] [-I FILE] [PATTERN...] <ARCHIVE
       cpio -p [-0dLmuv] FOLDER <NAMES
 -o, --create         -i, --extract       -p, --pass-through   -t, --list
 -H, --format=newc|crc|odc (-c: odc)      -D, --directory=FOLDER
 -F, --file=FILE (or -I, -O)              -A is not supported
 -d, --make-directories    -m, --preserve-modification-time    -u, --unconditional
 -f, --nonmatching    -0, --null    -L, --dereference    -v, --verbose    --quiet
 --no-absolute-filenames
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Create,
    Extract,
    Pass,
}

struct Options {
    act: Act,
    lists: bool,
    form: Form,
    file: Option<String>,
    makes_folders: bool,
    keeps_times: bool,
    replaces: bool,
    verbose: bool,
    quiet: bool,
    zero_ended: bool,
    follows: bool,
    others: bool,
    strips_root: bool,
    patterns: Vec<String>,
}

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match command_kit::options("cpio", HELP, FAILURE, parse(arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut all = All { options: &options, failed: false };
    let done = match options.act {
        Act::Create => all.create(),
        Act::Extract => all.extract(),
        Act::Pass => all.pass(),
    };
    match done {
        Ok(bytes) => {
            if !options.quiet {
                let blocks = bytes.div_ceil(BLOCK);
                eprintln!("{blocks} block{}", if blocks == 1 { "" } else { "s" });
            }
            if all.failed { FAILURE } else { DONE }
        }
        Err(error) => {
            eprintln!("cpio: {}", crate::reason(&error));
            FAILURE
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options = Options {
        act: Act::Create,
        lists: false,
        form: Form::New,
        file: None,
        makes_folders: false,
        keeps_times: false,
        replaces: false,
        verbose: false,
        quiet: false,
        zero_ended: false,
        follows: false,
        others: false,
        strips_root: false,
        patterns: Vec::new(),
    };
    let mut act = None;
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Value(word) => {
                options.patterns.push(crate::text(word)?);
                continue;
            }
            Arg::Short(letter) => letter.to_string(),
            Arg::Long(name) => name.to_owned(),
        };
        let mut value = || crate::value(&mut parser);
        let mut acts = |one: Act| match act.replace(one) {
            Some(other) if other != one => Err("-o, -i and -p do not go together"),
            _ => Ok(()),
        };
        match name.as_str() {
            "o" | "create" => acts(Act::Create)?,
            "i" | "extract" => acts(Act::Extract)?,
            "p" | "pass-through" => acts(Act::Pass)?,
            "t" | "list" => options.lists = true,
            "H" | "format" => {
                options.form = match value()?.to_ascii_lowercase().as_str() {
                    "newc" => Form::New,
                    "crc" => Form::Crc,
                    "odc" => Form::Old,
                    other => {
                        return Err(format!(
                            "the form of archive '{other}' is not supported in this sandbox: newc, crc, odc"
                        ));
                    }
                }
            }
            "c" => options.form = Form::Old,
            "F" | "I" | "O" | "file" => options.file = Some(value()?),
            "D" | "directory" => {
                let folder = value()?;
                std::env::set_current_dir(&folder).map_err(|error| format!("{folder}: {}", crate::reason(&error)))?;
            }
            "d" | "make-directories" => options.makes_folders = true,
            "m" | "preserve-modification-time" => options.keeps_times = true,
            "u" | "unconditional" => options.replaces = true,
            "v" | "verbose" => options.verbose = true,
            "quiet" => options.quiet = true,
            "0" | "null" => options.zero_ended = true,
            "L" | "dereference" => options.follows = true,
            "f" | "nonmatching" => options.others = true,
            "no-absolute-filenames" => options.strips_root = true,
            // Nothing is kept of owners here, archives may be of any size, and nothing is done with the times of reading.
            "no-preserve-owner" | "a" | "reset-access-time" | "B" | "absolute-filenames" | "sparse" => {}
            "C" | "io-size" | "block-size" => drop(value()?),
            "help" | "h" => return Ok(None),
            other => return Err(crate::unsupported(other)),
        }
    }
    options.act = match act {
        Some(act) => act,
        None if options.lists => Act::Extract,
        None => return Err("You must specify one of -oipt options.".to_owned()),
    };
    match (options.act, options.patterns.len()) {
        (Act::Create, 1..) => Err("too many arguments".to_owned()),
        (Act::Pass, 0 | 2..) => Err("-p takes one folder".to_owned()),
        _ => Ok(Some(options)),
    }
}

struct All<'a> {
    options: &'a Options,
    failed: bool,
}

/// The names that are given on stdin.
struct Names<R>(R, u8);

impl<R: BufRead> Iterator for Names<R> {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut name = Vec::new();
            if let Err(error) = self.0.by_ref().take(NAME_BYTES_MAX).read_until(self.1, &mut name) {
                return Some(Err(error));
            }
            if name.is_empty() {
                return None;
            }
            if name.last() == Some(&self.1) {
                name.pop();
            } else if name.len() as u64 == NAME_BYTES_MAX {
                return Some(Err(io::Error::other("a name is too long")));
            }
            if !name.is_empty() {
                return Some(String::from_utf8(name).map_err(|_| io::Error::other("a name is no text")));
            }
        }
    }
}

impl All<'_> {
    fn fail(&mut self, path: &str, error: &io::Error) {
        eprintln!("cpio: {path}: {}", crate::reason(error));
        self.failed = true;
    }

    fn names(&self) -> Names<impl BufRead + use<>> {
        Names(io::stdin().lock(), if self.options.zero_ended { 0 } else { b'\n' })
    }

    fn data(&self, name: &str) -> io::Result<Metadata> {
        if self.options.follows { fs::metadata(name) } else { fs::symlink_metadata(name) }
    }

    fn create(&mut self) -> io::Result<u64> {
        let to: Box<dyn Write> = match self.options.file.as_deref() {
            None | Some("-") => Box::new(io::stdout()),
            Some(path) => Box::new(File::create(path)?),
        };
        let mut writer = Writer::new(BufWriter::with_capacity(64 << 10, to), self.options.form);
        for (number, name) in self.names().enumerate() {
            let name = name?;
            // What cannot be read is said and left out; what cannot be written ends it.
            let (entry, content) = match self.entry(&name, number) {
                Ok(found) => found,
                Err(error) => {
                    self.fail(&name, &error);
                    continue;
                }
            };
            writer.entry(&entry, content)?;
            self.show(&name);
        }
        writer.end()
    }

    fn show(&self, name: &str) {
        if self.options.verbose {
            eprintln!("{name}");
        }
    }

    fn entry(&self, name: &str, number: usize) -> io::Result<(Entry, Box<dyn Read>)> {
        let data = self.data(name)?;
        let modified =
            data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |time| time.as_secs());
        let bits = command_kit::modes::shown(Path::new(name), data.file_type());
        let (mode, links, size, content): (_, _, _, Box<dyn Read>) = if data.is_dir() {
            (FOLDER | bits, 2, 0, Box::new(io::empty()))
        } else if data.is_symlink() {
            let target = fs::read_link(name)?.into_os_string().into_encoded_bytes();
            (LINK | bits, 1, target.len() as u64, Box::new(io::Cursor::new(target)))
        } else {
            (FILE | bits, 1, data.len(), Box::new(File::open(name)?))
        };
        let mut sum = 0_u32;
        if self.options.form == Form::Crc && mode & FILE == FILE && !data.is_symlink() {
            for byte in BufReader::new(File::open(name)?).bytes() {
                sum = sum.wrapping_add(u32::from(byte?));
            }
        }
        let inode = number as u32 + 1;
        let entry = Entry { name: name.to_owned(), mode, modified, links, inode, size, sum, form: self.options.form };
        Ok((entry, content))
    }

    fn patterns(&self) -> io::Result<Option<GlobSet>> {
        if self.options.patterns.is_empty() {
            return Ok(None);
        }
        let mut set = GlobSetBuilder::new();
        for pattern in &self.options.patterns {
            set.add(Glob::new(pattern).map_err(io::Error::other)?);
        }
        set.build().map(Some).map_err(io::Error::other)
    }

    fn extract(&mut self) -> io::Result<u64> {
        let source: Box<dyn Read> = match self.options.file.as_deref() {
            None | Some("-") => Box::new(io::stdin()),
            Some(path) => Box::new(File::open(path)?),
        };
        let mut reader = Reader::new(BufReader::with_capacity(64 << 10, source));
        let patterns = self.patterns()?;
        let mut to = BufWriter::new(io::stdout());
        // Of several names of one file only one has the bytes: the last, as a rule.
        let mut twins: HashMap<u32, Vec<PathBuf>> = HashMap::new();
        while let Some(entry) = reader.next()? {
            if entry.name == TRAILER {
                twins.clear();
                continue;
            }
            if patterns.as_ref().is_some_and(|patterns| patterns.is_match(&entry.name) == self.options.others) {
                continue;
            }
            if self.options.lists {
                match self.options.verbose {
                    true => writeln!(to, "{}", long(&entry, &mut reader)?)?,
                    false => writeln!(to, "{}", entry.name)?,
                }
                continue;
            }
            match self.place(&entry, &mut reader, &mut twins) {
                Ok(()) => self.show(&entry.name),
                // What is broken in the archive ends it.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Err(error) => self.fail(&entry.name, &error),
            }
        }
        to.flush()?;
        Ok(reader.read)
    }

    fn parents(&self, path: &Path) -> io::Result<()> {
        match path.parent().filter(|_| self.options.makes_folders) {
            Some(folder) => fs::create_dir_all(folder),
            None => Ok(()),
        }
    }

    /// Whether something may be put there; what is older makes room.
    fn makes_room(&self, path: &Path, modified: u64) -> io::Result<()> {
        let Ok(data) = fs::symlink_metadata(path) else { return Ok(()) };
        let there = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        if !self.options.replaces && there.is_some_and(|there| there.as_secs() >= modified) {
            return Err(io::Error::other("not created: newer or same age version exists"));
        }
        if data.is_dir() { Err(io::Error::other("a folder is in its place")) } else { fs::remove_file(path) }
    }

    fn place(&self, entry: &Entry, content: &mut impl Read, twins: &mut HashMap<u32, Vec<PathBuf>>) -> io::Result<()> {
        let name = if self.options.strips_root { entry.name.trim_start_matches('/') } else { &entry.name };
        let path = Path::new(name);
        if entry.kind() == FOLDER {
            if fs::metadata(path).is_ok_and(|data| data.is_dir()) {
                return Ok(());
            }
            self.parents(path)?;
            return fs::create_dir(path);
        }
        self.makes_room(path, entry.modified)?;
        self.parents(path)?;
        match entry.kind() {
            FILE => {
                let mut file = BufWriter::with_capacity(64 << 10, File::create(path)?);
                let copied = io::copy(content, &mut file)?;
                if entry.links > 1 {
                    let known = twins.entry(entry.inode).or_default();
                    file.flush()?;
                    match known.first() {
                        Some(twin) if copied == 0 => drop(io::copy(&mut File::open(twin)?, &mut file)?),
                        _ => known.iter().try_for_each(|twin| fs::copy(path, twin).map(drop))?,
                    }
                    known.push(path.to_owned());
                }
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                self.date(&file, entry.modified)?;
                drop(file);
                // As elsewhere, bits that cannot be set are no reason to fail.
                let _ = command_kit::modes::set(path, entry.mode & 0o777);
                Ok(())
            }
            LINK => {
                let mut target = Vec::new();
                content.take(TARGET_BYTES_MAX).read_to_end(&mut target)?;
                let target =
                    String::from_utf8(target).map_err(|_| io::Error::other("where the link leads is no text"))?;
                command_kit::links::create(Path::new(&target), path)
            }
            _ => Err(io::Error::other("is neither a file, a folder nor a link, and there are no others here")),
        }
    }

    fn date(&self, file: &File, modified: u64) -> io::Result<()> {
        if !self.options.keeps_times {
            return Ok(());
        }
        let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(modified));
        file.set_modified(time.ok_or_else(|| io::Error::other("its time is none"))?)
    }

    fn pass(&mut self) -> io::Result<u64> {
        let folder = PathBuf::from(&self.options.patterns[0]);
        fs::create_dir_all(&folder)?;
        let mut bytes = 0;
        for (number, name) in self.names().enumerate() {
            let name = name?;
            let passed = self.entry(&name, number).and_then(|(entry, mut content)| {
                bytes += entry.size;
                let target = folder.join(name.trim_start_matches('/'));
                let target = target.to_str().ok_or_else(|| io::Error::other("a name is no text"))?.to_owned();
                self.place(&Entry { name: target, ..entry }, &mut content, &mut HashMap::new())
            });
            match passed {
                Ok(()) => self.show(&name),
                Err(error) => self.fail(&name, &error),
            }
        }
        Ok(bytes)
    }
}

/// A line as `ls -l` has it.
fn long(entry: &Entry, content: &mut impl Read) -> io::Result<String> {
    let kind = match entry.kind() {
        FOLDER => 'd',
        LINK => 'l',
        _ => '-',
    };
    let bit = |at: u32, letter: char| if entry.mode >> at & 1 == 1 { letter } else { '-' };
    let bits: String = (0..9).rev().map(|at| bit(at, ['x', 'w', 'r'][at as usize % 3])).collect();
    let time = jiff::Timestamp::from_second(i64::try_from(entry.modified).unwrap_or_default()).unwrap_or_default();
    let time = jiff::fmt::strtime::format("%b %e  %Y", &time.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
    let mut line = format!("{kind}{bits} {:3} 0        0        {:8} {time} {}", entry.links, entry.size, entry.name);
    if kind == 'l' {
        let mut target = Vec::new();
        content.take(TARGET_BYTES_MAX).read_to_end(&mut target)?;
        line.push_str(&format!(" -> {}", String::from_utf8_lossy(&target)));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        for (words, why) in [
            (&[][..], "one of -oipt"),
            (&["-o", "-i"], "do not go together"),
            (&["-o", "x"], "too many"),
            (&["-p"], "one folder"),
            (&["-i", "--frob"], "'--frob' is not supported"),
            (&["-o", "-H", "bin"], "'bin' is not supported"),
        ] {
            let Err(error) = parse(words.iter().map(OsString::from).collect()) else { panic!("{words:?}") };
            assert!(error.contains(why), "{words:?}: {error}");
        }
        assert!(parse(vec!["-t".into()]).unwrap().is_some_and(|options| options.act == Act::Extract));
    }

    #[test]
    fn names_may_end_in_zeros() {
        let names = |text: &str, end| Names(text.as_bytes(), end).map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(names("a\n\nb c\nd", b'\n'), ["a", "b c", "d"]);
        assert_eq!(names("a\nb\0c\0", 0), ["a\nb", "c"]);
    }
}
