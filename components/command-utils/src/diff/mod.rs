//! diff: files line by line, folders file by file, with GNU's options and forms.

mod format;
mod lines;
mod options;
mod side;

use std::fs::{self, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use format::Pair;
use lines::Lines;
use options::{Format, Options, Parsed};

const SAME: i32 = 0;
const DIFFERENT: i32 = 1;
pub const FAILURE: i32 = 2;

/// Bytes at the beginning of a file among which a zero byte means that it is no text.
const BINARY_WINDOW_BYTES: usize = 32 << 10;

pub fn run(arguments: Vec<std::ffi::OsString>) -> i32 {
    let options = match options::parse(arguments) {
        Ok(Parsed::Options(options)) => options,
        Ok(Parsed::Text(text)) => {
            print!("{text}");
            return SAME;
        }
        Err(message) => return fail(&message),
    };
    let mut diff =
        Diff { options: &options, to: BufWriter::with_capacity(64 << 10, io::stdout().lock()), status: SAME };
    let shown = diff.top().and_then(|()| diff.to.flush());
    match shown {
        Ok(()) => diff.status,
        Err(error) => fail(&format!("write error: {}", crate::reason(&error))),
    }
}

fn fail(message: &str) -> i32 {
    eprintln!("diff: {message}");
    FAILURE
}

struct Diff<'a, W: Write> {
    options: &'a Options,
    to: W,
    status: i32,
}

/// One side of a comparison.
struct Side {
    shown: String,
    /// None: it is not there, and counts as empty.
    data: Option<Metadata>,
}

impl Side {
    fn path(&self) -> &Path {
        Path::new(&self.shown)
    }

    fn is_folder(&self) -> bool {
        self.data.as_ref().is_some_and(Metadata::is_dir)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match (&*self.shown, &self.data) {
            ("-", _) => io::stdin().lock().read_to_end(&mut bytes)?,
            (_, None) => 0,
            (path, Some(_)) => fs::File::open(path)?.read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }

    fn header(&self, label: Option<&String>) -> String {
        if let Some(label) = label {
            return label.clone();
        }
        let time = match &self.data {
            Some(data) => data.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            None if self.shown == "-" => SystemTime::now(),
            None => SystemTime::UNIX_EPOCH,
        };
        // The sandbox knows no zone but UTC.
        let time = jiff::Timestamp::try_from(time).unwrap_or_default();
        let shown =
            if self.shown.contains(['\t', '"', '\\', '\n']) { format!("{:?}", self.shown) } else { self.shown.clone() };
        format!("{shown}\t{}", time.strftime("%Y-%m-%d %H:%M:%S.%9f +0000"))
    }
}

impl<W: Write> Diff<'_, W> {
    fn worse(&mut self, status: i32) {
        self.status = self.status.max(status);
    }

    fn failed(&mut self, path: &str, error: &io::Error) -> io::Result<()> {
        self.to.flush()?;
        fail(&format!("{path}: {}", crate::reason(error)));
        self.worse(FAILURE);
        Ok(())
    }

    fn top(&mut self) -> io::Result<()> {
        let mut sides = Vec::new();
        let mut missing = Vec::new();
        for path in &self.options.paths {
            let data = match &**path {
                "-" => None,
                path => match fs::metadata(path) {
                    Ok(data) => Some(data),
                    Err(error) => {
                        missing.push((path.to_owned(), error));
                        None
                    }
                },
            };
            sides.push(Side { shown: path.clone(), data });
        }
        let stands_for_empty =
            |missing: &str| self.options.new_file || (self.options.first_new_file && missing == self.options.paths[0]);
        if missing.len() == 2 || missing.iter().any(|(path, _)| !stands_for_empty(path)) {
            for (path, error) in &missing {
                self.failed(path, error)?;
            }
            return Ok(());
        }
        let [mut before, mut after]: [Side; 2] = sides.try_into().unwrap_or_else(|_| unreachable!("there are two"));
        // A file and a folder: the file of that name in it.
        if before.is_folder() && !after.is_folder() {
            match self.inside(&before, &after) {
                Ok(inside) => before = inside,
                Err((path, error)) => return self.failed(&path, &error),
            }
        } else if after.is_folder() && !before.is_folder() {
            match self.inside(&after, &before) {
                Ok(inside) => after = inside,
                Err((path, error)) => return self.failed(&path, &error),
            }
        }
        if before.is_folder() && after.is_folder() {
            self.folders(&before, &after)
        } else {
            self.files(&before, &after, false)
        }
    }

    fn inside(&self, folder: &Side, file: &Side) -> Result<Side, (String, io::Error)> {
        let name = file.path().file_name().map(PathBuf::from).unwrap_or_default();
        let shown = join(&folder.shown, &name.to_string_lossy());
        match fs::metadata(&shown) {
            Ok(data) => Ok(Side { shown, data: Some(data) }),
            Err(_) if self.options.new_file => Ok(Side { shown, data: None }),
            Err(error) => Err((shown, error)),
        }
    }

    fn folders(&mut self, before: &Side, after: &Side) -> io::Result<()> {
        let mut names = Vec::new();
        for side in [before, after] {
            let listed = match &side.data {
                None => Ok(Vec::new()),
                Some(_) => fs::read_dir(side.path()).and_then(|entries| {
                    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
                }),
            };
            let listed: Vec<String> = match listed {
                Ok(listed) => listed,
                Err(error) => return self.failed(&side.shown, &error),
            };
            names.extend(listed);
        }
        names.sort_unstable();
        names.dedup();
        for name in names.iter().filter(|name| !self.options.leaves_out(name)) {
            let [one, two] = [before, after].map(|side| {
                let shown = join(&side.shown, name);
                let data = side.data.as_ref().and_then(|_| fs::metadata(&shown).ok());
                Side { shown, data }
            });
            let is_only_in = match (&one.data, &two.data) {
                (Some(_), None) if !self.options.new_file => Some(before),
                (None, Some(_)) if !self.options.new_file && !self.options.first_new_file => Some(after),
                _ => None,
            };
            if let Some(only) = is_only_in {
                self.worse(DIFFERENT);
                writeln!(self.to, "Only in {}: {name}", only.shown)?;
            } else if (one.is_folder() || one.data.is_none()) && (two.is_folder() || two.data.is_none()) {
                match self.options.recursive {
                    true => self.folders(&one, &two)?,
                    false => writeln!(self.to, "Common subdirectories: {} and {}", one.shown, two.shown)?,
                }
            } else if one.is_folder() || two.is_folder() {
                self.worse(DIFFERENT);
                let kind = |side: &Side| match &side.data {
                    Some(data) if data.is_dir() => "a directory",
                    Some(data) if data.len() == 0 => "a regular empty file",
                    _ => "a regular file",
                };
                let (kinds, shown) = ((kind(&one), kind(&two)), (&one.shown, &two.shown));
                writeln!(self.to, "File {} is {} while file {} is {}", shown.0, kinds.0, shown.1, kinds.1)?;
            } else {
                self.files(&one, &two, true)?;
            }
        }
        Ok(())
    }

    fn files(&mut self, before: &Side, after: &Side, is_in_folders: bool) -> io::Result<()> {
        // One stdin, which is what it is.
        if before.shown == "-" && after.shown == "-" {
            return self.identical(before, after);
        }
        let read = [before, after].map(|side| side.read().map_err(|error| (side.shown.clone(), error)));
        let [one, two] = match read {
            [Ok(one), Ok(two)] => [one, two],
            [one, two] => {
                for (path, error) in [one.err(), two.err()].into_iter().flatten() {
                    self.failed(&path, &error)?;
                }
                return Ok(());
            }
        };
        let options = self.options;
        // Side by side, what is the same is shown as well.
        let shows_all = matches!(options.format, Format::SideBySide | Format::Lines);
        if one == two && !shows_all {
            return self.identical(before, after);
        }
        let is_binary = |bytes: &[u8]| !options.text && bytes[..bytes.len().min(BINARY_WINDOW_BYTES)].contains(&0);
        if is_binary(&one) || is_binary(&two) {
            self.worse(if options.format == Format::Brief { DIFFERENT } else { FAILURE });
            let what = if options.format == Format::Brief { "Files" } else { "Binary files" };
            return writeln!(self.to, "{what} {} and {} differ", before.shown, after.shown);
        }
        let (one, two) = (Lines::new(&one), Lines::new(&two));
        let changes = lines::changes(&one, &two, options);
        if changes.is_empty() && !shows_all {
            return self.identical(before, after);
        }
        if !changes.is_empty() {
            self.worse(DIFFERENT);
        }
        if options.format == Format::Brief {
            return writeln!(self.to, "Files {} and {} differ", before.shown, after.shown);
        }
        if is_in_folders {
            let words = options.typed.iter().chain([&before.shown, &after.shown]);
            let words: Vec<String> = words.map(|word| quoted(word)).collect();
            writeln!(self.to, "diff {}", words.join(" "))?;
        }
        let headers = [before.header(options.labels.first()), after.header(options.labels.get(1))];
        format::show(&Pair { before: one, after: two, headers }, &changes, options, &mut self.to)
    }

    fn identical(&mut self, before: &Side, after: &Side) -> io::Result<()> {
        if self.options.report_identical {
            writeln!(self.to, "Files {} and {} are identical", before.shown, after.shown)?;
        }
        Ok(())
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.ends_with('/') { format!("{folder}{name}") } else { format!("{folder}/{name}") }
}

/// As a shell would have to be given it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=+:,@%^".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
