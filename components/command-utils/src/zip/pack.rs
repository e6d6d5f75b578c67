//! `zip`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use globset::GlobSet;
use lexopt::{Arg, Parser};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{BROKEN, CANNOT_WRITE, DONE, NOTHING_PACKED, WARNING, archive_name, patterns, to_zip};

const USAGE: i32 = 16;

#[derive(Default)]
struct Options {
    recursive: bool,
    quiet: bool,
    /// Without the directories in its name.
    junk_paths: bool,
    level: Option<i64>,
    excluded: GlobSet,
    archive: String,
    paths: Vec<String>,
}

/// What comes into an archive.
struct Entry {
    path: String,
    name: String,
}

const HELP: &str = "\
Usage: zip [-r] [-q] [-j] [-0 … -9] ARCHIVE FILE... [-x PATTERN...]
Puts files into an archive, which is made if there is none.
 -r  with what is in directories   -j  without the names of directories
 -x  but not what a pattern takes  -q  without a word
";

pub fn run(arguments: Vec<OsString>) -> i32 {
    command_kit::options("zip", HELP, USAGE, parse(arguments)).map_or_else(|status| status, |options| pack(&options))
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let (mut positional, mut excluded, mut is_excluding) = (Vec::new(), Vec::new(), false);
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Value(value) if is_excluding => excluded.push(crate::text(value)?),
            Arg::Value(value) => positional.push(crate::text(value)?),
            Arg::Short('r') | Arg::Long("recurse-paths") => options.recursive = true,
            Arg::Short('q') | Arg::Long("quiet") => options.quiet = true,
            Arg::Short('j') | Arg::Long("junk-paths") => options.junk_paths = true,
            Arg::Short('x') | Arg::Long("exclude") => is_excluding = true,
            Arg::Short(digit) if digit.is_ascii_digit() => options.level = digit.to_digit(10).map(i64::from),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected().to_string()),
        }
    }
    options.excluded = patterns(&excluded)?;
    let mut positional = positional.into_iter();
    options.archive = archive_name(&positional.next().ok_or("no archive is named")?);
    options.paths = positional.collect();
    if options.paths.is_empty() { Err("no file is named".to_owned()) } else { Ok(Some(options)) }
}

fn pack(options: &Options) -> i32 {
    let mut found = Found { options, entries: Vec::new(), status: DONE };
    for path in &options.paths {
        found.add(path, false);
    }
    let Found { entries, status, .. } = found;
    if entries.is_empty() {
        eprintln!("zip error: nothing to do ({})", options.archive);
        return NOTHING_PACKED;
    }
    let old = match File::open(&options.archive) {
        Ok(file) => match ZipArchive::new(BufReader::new(file)) {
            Ok(archive) => Some(archive),
            Err(error) => {
                eprintln!("zip error: {}: {error}", options.archive);
                return BROKEN;
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            eprintln!("zip error: {}: {}", options.archive, crate::reason(&error));
            return CANNOT_WRITE;
        }
    };
    // The old one is there until the new one is whole.
    let new = format!("{}.new", options.archive);
    let written = write(&new, old, &entries, options).and_then(|()| Ok(fs::rename(&new, &options.archive)?));
    if let Err(error) = written {
        let _ = fs::remove_file(&new);
        eprintln!("zip error: {}: {error}", options.archive);
        return CANNOT_WRITE;
    }
    status
}

/// What is found below the paths that are named.
struct Found<'a> {
    options: &'a Options,
    entries: Vec<Entry>,
    status: i32,
}

impl Found<'_> {
    fn left_out(&mut self, path: &str, why: &str) {
        eprintln!("zip warning: {path}: {why}");
        self.status = WARNING;
    }

    /// `is_below`: it was not named, but is in a directory that was.
    fn add(&mut self, path: &str, is_below: bool) {
        if let Err(error) = self.look(path, is_below) {
            self.left_out(path, &crate::reason(&error));
        }
    }

    /// In the order of names, so that the same files make the same archive.
    fn look(&mut self, path: &str, is_below: bool) -> io::Result<()> {
        let options = self.options;
        let is_directory = fs::metadata(path)?.is_dir();
        let name = path.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
        let name = if options.junk_paths { name.rsplit('/').next().unwrap_or(name) } else { name };
        let name = if is_directory { format!("{name}/") } else { name.to_owned() };
        let is_itself = path.trim_start_matches("./") == options.archive.trim_start_matches("./");
        if options.excluded.is_match(&name) || is_itself {
            return Ok(());
        }
        if is_directory && is_below && fs::symlink_metadata(path)?.is_symlink() {
            // It may lead to where it is in itself.
            self.left_out(path, "it is a link to a directory: name it to have what is in it");
            return Ok(());
        }
        if !is_directory || !(options.junk_paths || matches!(name.as_str(), "/" | "./")) {
            self.entries.push(Entry { path: path.to_owned(), name });
        }
        if !is_directory || !options.recursive {
            return Ok(());
        }
        let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        for name in names {
            match name.to_str() {
                Some(name) => self.add(&format!("{}/{name}", path.trim_end_matches('/')), true),
                None => self.left_out(&format!("{path}/{}", name.display()), "its name is no text"),
            }
        }
        Ok(())
    }
}

fn write(
    new: &str,
    old: Option<ZipArchive<BufReader<File>>>,
    entries: &[Entry],
    options: &Options,
) -> Result<(), zip::result::ZipError> {
    let mut writer = ZipWriter::new(BufWriter::new(File::create(new)?));
    let names: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let mut replaced = HashSet::new();
    if let Some(mut old) = old {
        for at in 0..old.len() {
            let file = old.by_index_raw(at)?;
            let name = file.name()?.into_owned();
            if names.contains(name.as_str()) {
                replaced.insert(name);
            } else {
                writer.raw_copy_file(file)?;
            }
        }
    }
    for Entry { path, name } in entries {
        let metadata = fs::metadata(path)?;
        let mode = command_kit::modes::get(Path::new(path), true).ok().flatten();
        let mut how = SimpleFileOptions::default().large_file(metadata.len() > u64::from(u32::MAX));
        if let Some(time) = metadata.modified().ok().and_then(to_zip) {
            how = how.last_modified_time(time);
        }
        if let Some(mode) = mode {
            how = how.unix_permissions(mode);
        }
        let verb = if replaced.contains(name) { "updating" } else { "  adding" };
        if metadata.is_dir() {
            writer.add_directory(name.as_str(), how)?;
        } else {
            how = match options.level {
                Some(0) => how.compression_method(CompressionMethod::Stored),
                level => how.compression_method(CompressionMethod::Deflated).compression_level(level),
            };
            writer.start_file(name.as_str(), how)?;
            io::copy(&mut File::open(path)?, &mut writer)?;
        }
        if !options.quiet {
            println!("{verb}: {name}");
        }
    }
    writer.finish()?.into_inner().map_err(|error| io::Error::from(error.error().kind()))?;
    Ok(())
}
