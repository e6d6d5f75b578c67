//! patch: applies differences in unified form.

mod parse;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser, ValueExt};

use parse::{FilePatch, Hunk, Kind};

const DONE: i32 = 0;
const REJECTED: i32 = 1;
const FAILURE: i32 = 2;

/// Lines of context that need not match, at each end.
const FUZZ_MAX: usize = 2;

const HELP: &str = "\
Usage: patch [OPTION]... [ORIGFILE [PATCHFILE]]
Applies a patch in unified form, from stdin or a file.

  -pNUM, -i PATCHFILE, -R, -N, -s, -d DIR, -b, -o FILE, -F NUM, -E, -u, -f, -t, --dry-run

Ends with 0 if all hunks were applied, 1 if some were not, 2 if something fails.
";

#[derive(Default)]
struct Options {
    strip: Option<usize>,
    input: Option<String>,
    folder: Option<PathBuf>,
    output: Option<String>,
    file: Option<String>,
    reverse: bool,
    quiet: bool,
    dry_run: bool,
    backup: bool,
    fuzz: Option<usize>,
}

pub fn run(arguments: Vec<OsString>) -> i32 {
    let result = match parse_options(arguments) {
        Ok(Some(options)) => apply_all(&options),
        Ok(None) => {
            print!("{HELP}");
            return DONE;
        }
        Err(message) => Err(format!("{message}\npatch: Try 'patch --help' for more information.")),
    };
    result.unwrap_or_else(|message| {
        eprintln!("patch: **** {message}");
        FAILURE
    })
}

fn parse_options(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options::default();
    let mut operands = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('p') | Arg::Long("strip") => options.strip = Some(number(&crate::value(&mut parser)?)?),
            Arg::Short('i') | Arg::Long("input") => options.input = Some(crate::value(&mut parser)?),
            Arg::Short('d') | Arg::Long("directory") => options.folder = Some(crate::value(&mut parser)?.into()),
            Arg::Short('o') | Arg::Long("output") => options.output = Some(crate::value(&mut parser)?),
            Arg::Short('F') | Arg::Long("fuzz") => options.fuzz = Some(number(&crate::value(&mut parser)?)?),
            Arg::Short('R') | Arg::Long("reverse") => options.reverse = true,
            Arg::Short('s') | Arg::Long("quiet" | "silent") => options.quiet = true,
            Arg::Short('b') | Arg::Long("backup") => options.backup = true,
            Arg::Long("dry-run") => options.dry_run = true,
            // Nobody is asked, and a file that becomes empty by its patch is removed, in any case.
            Arg::Short('N' | 'f' | 't' | 'E' | 'u') => {}
            Arg::Long("forward" | "force" | "batch" | "remove-empty-files" | "unified" | "no-backup-if-mismatch") => {}
            Arg::Long("help") => return Ok(None),
            Arg::Value(path) => operands.push(path.string().map_err(|_| "a file's name is no text")?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let mut operands = operands.into_iter();
    options.file = operands.next();
    options.input = operands.next().or(options.input);
    match operands.next() {
        Some(extra) => Err(format!("{extra}: extra operand")),
        None => Ok(Some(options)),
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn apply_all(options: &Options) -> Result<i32, String> {
    let told = |path: &str, error: &io::Error| format!("Can't open patch file {path} : {}", crate::reason(error));
    let mut patch = Vec::new();
    match options.input.as_deref() {
        None | Some("-") => drop(io::stdin().lock().read_to_end(&mut patch).map_err(|error| told("-", &error))?),
        Some(path) => patch = fs::read(path).map_err(|error| told(path, &error))?,
    }
    if let Some(folder) = &options.folder {
        let changed = std::env::set_current_dir(folder);
        changed
            .map_err(|error| format!("Can't change to directory {} : {}", folder.display(), crate::reason(&error)))?;
    }
    let files = parse::parse(&patch)?;
    if files.iter().all(|file| file.hunks.is_empty()) {
        return Err("Only garbage was found in the patch input.".to_owned());
    }
    let mut status = DONE;
    for file in files {
        let file = if options.reverse { file.reversed() } else { file };
        status = status.max(apply(&file, options)?);
    }
    Ok(status)
}

/// A name without its first folders; without a number of them, without all.
fn stripped(name: &str, strip: Option<usize>) -> String {
    match strip {
        None => name.rsplit('/').next().unwrap_or(name).to_owned(),
        Some(count) => name.splitn(count + 1, '/').last().unwrap_or(name).to_owned(),
    }
}

/// The file that is meant: of two, the one that is there.
fn target(file: &FilePatch, options: &Options) -> Option<String> {
    if let Some(file) = &options.file {
        return Some(file.clone());
    }
    let names: Vec<String> =
        [&file.old, &file.new].into_iter().flatten().map(|name| stripped(name, options.strip)).collect();
    names.iter().find(|name| Path::new(name).exists()).or(names.last()).cloned()
}

fn apply(file: &FilePatch, options: &Options) -> Result<i32, String> {
    let Some(target) = target(file, options) else { return Err("a patch names no file".to_owned()) };
    let is_inside = Path::new(&target).components().all(|part| !matches!(part, std::path::Component::ParentDir));
    if options.file.is_none() && (!is_inside || target.starts_with('/')) {
        return Err(format!("{target}: a patch may not leave the folder that it is applied in"));
    }
    let before = match fs::read(&target) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.old.is_none() => Vec::new(),
        Err(error) => return Err(format!("can't find file to patch: {target}: {}", crate::reason(&error))),
    };
    if !options.quiet {
        println!("{} file {target}", if options.dry_run { "checking" } else { "patching" });
    }
    let mut lines: Vec<Vec<u8>> = before.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let is_applied = |hunk: &Hunk| {
        let wanted = hunk.side(Kind::Old);
        !wanted.is_empty() && place(&lines, &wanted, hunk.new_start.saturating_sub(1)).is_some()
    };
    let first = file.hunks.first();
    let fits = first.is_some_and(|hunk| find(&lines, hunk, 0, options.fuzz.unwrap_or(FUZZ_MAX)).is_some());
    if !fits && first.is_some_and(is_applied) {
        println!("Reversed (or previously applied) patch detected!  Skipping patch.");
        reject(&target, file, &file.hunks.iter().collect::<Vec<_>>(), "ignored", options)?;
        return Ok(REJECTED);
    }
    let mut rejected = Vec::new();
    // How far what follows has moved: by what earlier hunks added, and by where they were found.
    let (mut grown, mut moved) = (0_isize, 0_isize);
    for (number, hunk) in file.hunks.iter().enumerate() {
        let number = number + 1;
        let Some(found) = find(&lines, hunk, grown + moved, options.fuzz.unwrap_or(FUZZ_MAX)) else {
            println!("Hunk #{number} FAILED at {}.", hunk.old_start);
            rejected.push(hunk);
            continue;
        };
        let (old, new) = (hunk.side(Kind::New), hunk.side(Kind::Old));
        let body = |side: &[&[u8]]| -> Vec<Vec<u8>> {
            side[found.top..side.len() - found.bottom].iter().map(|line| line.to_vec()).collect()
        };
        let start = found.at + found.top;
        lines.splice(start..start + body(&old).len(), body(&new));
        let offset = found.at as isize - (first_line(hunk) as isize + grown);
        if (offset != 0 || found.fuzz > 0) && !options.quiet {
            let mut text = format!("Hunk #{number} succeeded at {}", found.at + 1);
            if found.fuzz > 0 {
                text.push_str(&format!(" with fuzz {}", found.fuzz));
            }
            if offset != 0 {
                text.push_str(&format!(" (offset {offset} line{})", if offset.abs() == 1 { "" } else { "s" }));
            }
            println!("{text}.");
        }
        moved = offset;
        grown += new.len() as isize - old.len() as isize;
    }
    let written = || -> io::Result<()> {
        if options.dry_run {
            return Ok(());
        }
        let to = options.output.as_ref().unwrap_or(&target);
        if options.backup && Path::new(to).exists() {
            fs::copy(to, format!("{to}.orig"))?;
        }
        if lines.is_empty() && file.new.is_none() && rejected.is_empty() {
            return fs::remove_file(to);
        }
        if let Some(parent) = Path::new(to).parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        fs::write(to, lines.concat())
    };
    written().map_err(|error| format!("{target}: {}", crate::reason(&error)))?;
    if rejected.is_empty() {
        return Ok(DONE);
    }
    reject(&target, file, &rejected, "FAILED", options)?;
    Ok(REJECTED)
}

/// Writes down what was not applied.
fn reject(target: &str, file: &FilePatch, hunks: &[&Hunk], what: &str, options: &Options) -> Result<(), String> {
    let all = file.hunks.len();
    let s = if all == 1 { "" } else { "s" };
    let rejects = format!("{target}.rej");
    if options.dry_run {
        println!("{} out of {all} hunk{s} {what}", hunks.len());
        return Ok(());
    }
    println!("{} out of {all} hunk{s} {what} -- saving rejects to file {rejects}", hunks.len());
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "/dev/null".to_owned());
    let mut text = format!("--- {}\n+++ {}\n", name(&file.old), name(&file.new)).into_bytes();
    for hunk in hunks {
        let (old, new) = (hunk.side(Kind::New).len(), hunk.side(Kind::Old).len());
        text.extend(format!("@@ -{},{old} +{},{new} @@\n", hunk.old_start, hunk.new_start).into_bytes());
        for line in &hunk.lines {
            text.push(match line.kind {
                Kind::Same => b' ',
                Kind::Old => b'-',
                Kind::New => b'+',
            });
            text.extend(&line.text);
            if line.text.last() != Some(&b'\n') {
                text.extend(b"\n\\ No newline at end of file\n");
            }
        }
    }
    fs::write(&rejects, text).map_err(|error| format!("{rejects}: {}", crate::reason(&error)))
}

struct Found {
    /// Where the whole hunk begins, from 0.
    at: usize,
    fuzz: usize,
    /// Lines of context at each end that were not looked at.
    top: usize,
    bottom: usize,
}

/// Where a hunk begins by its own word, from 0.
fn first_line(hunk: &Hunk) -> usize {
    let is_nothing = hunk.side(Kind::New).is_empty();
    if is_nothing { hunk.old_start } else { hunk.old_start.saturating_sub(1) }
}

fn find(lines: &[Vec<u8>], hunk: &Hunk, moved: isize, fuzz_max: usize) -> Option<Found> {
    let old = hunk.side(Kind::New);
    let wanted = first_line(hunk).saturating_add_signed(moved);
    if old.is_empty() {
        return (wanted <= lines.len()).then_some(Found { at: wanted, fuzz: 0, top: 0, bottom: 0 });
    }
    let context = |mut lines: Box<dyn Iterator<Item = &parse::Line> + '_>| {
        lines.by_ref().take_while(|line| line.kind == Kind::Same).count()
    };
    let top = context(Box::new(hunk.lines.iter()));
    let bottom = context(Box::new(hunk.lines.iter().rev()));
    for fuzz in 0..=fuzz_max.min(top.max(bottom)) {
        // The end with less context gives less of it up.
        let most = top.max(bottom) - fuzz;
        let (top, bottom) = (top.saturating_sub(most), bottom.saturating_sub(most));
        if top + bottom >= old.len() {
            return None;
        }
        let middle = &old[top..old.len() - bottom];
        if let Some(at) = place(lines, middle, wanted + top) {
            return at.checked_sub(top).map(|at| Found { at, fuzz, top, bottom });
        }
    }
    None
}

/// The place nearest to the wanted one that has these lines.
fn place(lines: &[Vec<u8>], wanted: &[&[u8]], near: usize) -> Option<usize> {
    let last = lines.len().checked_sub(wanted.len())?;
    let fits = |at: usize| lines[at..at + wanted.len()].iter().zip(wanted).all(|(line, wanted)| line == wanted);
    (0..=lines.len().max(near)).find_map(|distance| {
        let after = near.checked_add(distance).filter(|at| *at <= last && fits(*at));
        after.or_else(|| near.checked_sub(distance).filter(|at| *at <= last && fits(*at)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunk(text: &str) -> Hunk {
        parse::parse(format!("--- a\n+++ b\n{text}").as_bytes()).unwrap().remove(0).hunks.remove(0)
    }

    fn lines(text: &str) -> Vec<Vec<u8>> {
        text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn names_lose_their_first_folders() {
        assert_eq!(stripped("a/b/c", None), "c");
        assert_eq!(stripped("a/b/c", Some(0)), "a/b/c");
        assert_eq!(stripped("a/b/c", Some(1)), "b/c");
    }

    #[test]
    fn a_hunk_is_found_where_it_moved_to() {
        let hunk = hunk("@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        let found = find(&lines("new\nnew\na\nb\nc\n"), &hunk, 0, 2).unwrap();
        assert_eq!((found.at, found.fuzz), (2, 0));
        let found = find(&lines("a\nb\nother\n"), &hunk, 0, 2).unwrap();
        assert_eq!((found.at, found.fuzz, found.top, found.bottom), (0, 1, 1, 1));
        assert!(find(&lines("a\nq\nc\n"), &hunk, 0, 2).is_none());
        assert!(find(&[], &hunk, 0, 2).is_none());
    }
}
