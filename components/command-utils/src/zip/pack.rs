//! `zip`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::Path;

use globset::GlobSet;
use lexopt::{Arg, Parser};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{BROKEN, CANNOT_WRITE, DONE, NOTHING_PACKED, WARNING, archive_name, patterns, text, to_zip};

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

pub fn run(arguments: Vec<OsString>) -> i32 {
    match parse(arguments) {
        Ok(Some(options)) => pack(&options),
        Ok(None) => {
            println!(
                "Usage: zip [-r] [-q] [-j] [-0 … -9] ARCHIVE FILE... [-x PATTERN...]\n\
                 Puts files into an archive, which is made if there is none.\n\
                 -r  with what is in directories   -j  without the names of directories\n\
                 -x  but not what a pattern takes  -q  without a word"
            );
            DONE
        }
        Err(message) => {
            eprintln!("zip: {message}\nTry 'zip --help' for more information.");
            USAGE
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let (mut positional, mut excluded, mut is_excluding) = (Vec::new(), Vec::new(), false);
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Value(value) if is_excluding => excluded.push(text(value)?),
            Arg::Value(value) => positional.push(text(value)?),
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
    let (mut entries, mut status) = (Vec::new(), DONE);
    for path in &options.paths {
        if let Err(error) = collect(path, options, &mut entries) {
            eprintln!("zip warning: {path}: {}", crate::reason(&error));
            status = WARNING;
        }
    }
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

/// In the order of names, so that the same files make the same archive.
fn collect(path: &str, options: &Options, entries: &mut Vec<Entry>) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    let name = path.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
    let name = if options.junk_paths { name.rsplit('/').next().unwrap_or(name) } else { name };
    let name = if metadata.is_dir() { format!("{name}/") } else { name.to_owned() };
    let plain = |path: &str| path.trim_start_matches("./").to_owned();
    let is_itself = plain(path) == plain(&options.archive);
    if options.excluded.is_match(&name) || is_itself {
        return Ok(());
    }
    if !metadata.is_dir() || !(options.junk_paths || matches!(name.as_str(), "/" | "./")) {
        entries.push(Entry { path: path.to_owned(), name });
    }
    if metadata.is_dir() && options.recursive {
        let mut below: Vec<String> = fs::read_dir(path)?
            .filter_map(|entry| Some(format!("{}/{}", path.trim_end_matches('/'), entry.ok()?.file_name().to_str()?)))
            .collect();
        below.sort_unstable();
        for path in below {
            collect(&path, options, entries)?;
        }
    }
    Ok(())
}

fn write(
    new: &str,
    old: Option<ZipArchive<BufReader<File>>>,
    entries: &[Entry],
    options: &Options,
) -> Result<(), zip::result::ZipError> {
    let mut writer = ZipWriter::new(BufWriter::new(File::create(new)?));
    let mut known = Vec::new();
    if let Some(mut old) = old {
        for at in 0..old.len() {
            let file = old.by_index_raw(at)?;
            let name = file.name()?.into_owned();
            let is_replaced = entries.iter().any(|entry| entry.name == name);
            known.push(name);
            if !is_replaced {
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
        let verb = if known.contains(name) { "updating" } else { "  adding" };
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
