//! `unzip`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use globset::GlobSet;
use lexopt::{Arg, Parser};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::{CANNOT_READ, DONE, NOTHING_UNPACKED, WARNING, archive_name, from_zip, patterns};

const USAGE: i32 = 10;

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Act {
    #[default]
    Unpack,
    List,
    Print,
    Test,
}

/// What to do with a file that is there.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Present {
    #[default]
    Refuse,
    Replace,
    Keep,
}

#[derive(Default)]
struct Options {
    act: Act,
    present: Present,
    quiet: bool,
    junk_paths: bool,
    folder: PathBuf,
    archive: String,
    /// None: all.
    chosen: Option<GlobSet>,
    excluded: GlobSet,
}

const HELP: &str = "\
Usage: unzip [-l | -p | -t] [-o | -n] [-q] [-j] ARCHIVE [PATTERN...] [-x PATTERN...] [-d DIR]
Takes files out of an archive.
 -l  lists them               -p  to stdout              -t  only looks whether they are whole
 -o  replaces what is there   -n  leaves what is there   -j  without the names of directories
";

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match command_kit::options("unzip", HELP, USAGE, parse(arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    unpack(&options).unwrap_or_else(|message| {
        eprintln!("unzip: {message}");
        CANNOT_READ
    })
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let (mut positional, mut excluded, mut is_excluding) = (Vec::new(), Vec::new(), false);
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Value(value) if is_excluding => excluded.push(crate::text(value)?),
            Arg::Value(value) => positional.push(crate::text(value)?),
            Arg::Short('l') => options.act = Act::List,
            Arg::Short('p') => options.act = Act::Print,
            Arg::Short('t') => options.act = Act::Test,
            Arg::Short('o') => options.present = Present::Replace,
            Arg::Short('n') => options.present = Present::Keep,
            Arg::Short('q') => options.quiet = true,
            Arg::Short('j') => options.junk_paths = true,
            Arg::Short('x') => is_excluding = true,
            Arg::Short('d') => {
                options.folder = PathBuf::from(crate::value(&mut parser)?);
                is_excluding = false;
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected().to_string()),
        }
    }
    options.excluded = patterns(&excluded)?;
    let mut positional = positional.into_iter();
    options.archive = positional.next().ok_or("no archive is named")?;
    let chosen: Vec<String> = positional.collect();
    options.chosen = if chosen.is_empty() { None } else { Some(patterns(&chosen)?) };
    Ok(Some(options))
}

fn unpack(options: &Options) -> Result<i32, String> {
    let named =
        if Path::new(&options.archive).exists() { options.archive.clone() } else { archive_name(&options.archive) };
    let file = File::open(&named).map_err(|error| format!("{named}: {}", crate::reason(&error)))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| format!("{named}: {error}"))?;
    let is_listed = options.act == Act::List;
    if options.act != Act::Print && !options.quiet {
        println!("Archive:  {named}");
    }
    if is_listed {
        println!("  Length      Date    Time    Name\n---------  ---------- -----   ----");
    }
    let (mut status, mut files, mut bytes) = (DONE, 0_u64, 0_u64);
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).map_err(|error| format!("{named}: {error}"))?;
        let name = file.name().map_err(|error| format!("{named}: {error}"))?.into_owned();
        let is_chosen = options.chosen.as_ref().is_none_or(|chosen| chosen.is_match(&name));
        if !is_chosen || options.excluded.is_match(&name) {
            continue;
        }
        files += 1;
        bytes += file.size();
        if is_listed {
            let time = file.last_modified().unwrap_or_default();
            let (day, clock) = ((time.year(), time.month(), time.day()), (time.hour(), time.minute()));
            println!(
                "{:>9}  {:04}-{:02}-{:02} {:02}:{:02}   {name}",
                file.size(),
                day.0,
                day.1,
                day.2,
                clock.0,
                clock.1
            );
        } else if let Err(error) = one(&mut file, &name, options) {
            eprintln!("unzip: {name}: {}", crate::reason(&error));
            status = WARNING;
        }
    }
    if is_listed {
        println!(
            "---------                     -------\n{bytes:>9}                     {files} file{}",
            if files == 1 { "" } else { "s" }
        );
    }
    if files == 0 && options.chosen.is_some() {
        eprintln!("unzip: {named}: no file in it has such a name");
        return Ok(NOTHING_UNPACKED);
    }
    Ok(status)
}

fn one(file: &mut ZipFile<'_, BufReader<File>>, name: &str, options: &Options) -> io::Result<()> {
    match options.act {
        Act::Print => {
            let mut out = io::stdout().lock();
            io::copy(file, &mut out)?;
            return out.flush();
        }
        Act::Test => {
            io::copy(file, &mut io::sink())?;
            if !options.quiet {
                println!("    testing: {name}   OK");
            }
            return Ok(());
        }
        Act::Unpack | Act::List => {}
    }
    let Some(inside) = file.enclosed_name() else {
        return Err(io::Error::other("its name leads out of the folder: it is left out"));
    };
    let inside = match (options.junk_paths, inside.file_name()) {
        (true, Some(name)) => PathBuf::from(name),
        _ => inside,
    };
    let path = options.folder.join(inside);
    if file.is_dir() {
        return if options.junk_paths { Ok(()) } else { fs::create_dir_all(path) };
    }
    if file.is_symlink() {
        return Err(io::Error::other("it is a link: it is left out"));
    }
    if fs::symlink_metadata(&path).is_ok() {
        match options.present {
            Present::Keep => return Ok(()),
            Present::Refuse => return Err(io::Error::other("it is there: -o replaces it, -n leaves it")),
            Present::Replace => fs::remove_file(&path)?,
        }
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let (time, mode) = (file.last_modified().and_then(from_zip), file.unix_mode());
    let mut target = File::create(&path)?;
    if let Err(error) = io::copy(file, &mut target) {
        // Half a file is worse than none.
        drop(target);
        let _ = fs::remove_file(&path);
        return Err(error);
    }
    if let Some(time) = time {
        let _ = target.set_modified(time);
    }
    drop(target);
    if let Some(mode) = mode.map(|mode| mode & 0o777).filter(|mode| *mode != 0) {
        // As elsewhere, bits that cannot be set are no reason to fail.
        let _ = command_kit::modes::set(&path, mode);
    }
    if !options.quiet {
        println!("  inflating: {}", path.display());
    }
    Ok(())
}
