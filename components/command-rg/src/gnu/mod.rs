//! grep, egrep and fgrep, with GNU's options, over the crates that ripgrep is made of.
//!
//! Trees are walked in the order of names, so that the same tree gives the same lines under every host.

mod matcher;
mod options;
mod output;
mod pattern;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use grep::searcher::{BinaryDetection, Searcher, SearcherBuilder};

use options::{Directories, Options, Parsed};
use output::{Output, Report};

const FOUND: i32 = 0;
const NOT_FOUND: i32 = 1;
pub const FAILURE: i32 = 2;

/// `name` is grep, egrep or fgrep.
pub fn run(name: &str, arguments: Vec<std::ffi::OsString>) -> i32 {
    let options = match options::parse(name, arguments) {
        Ok(Parsed::Options(options)) => options,
        Ok(Parsed::Text(text)) => {
            print!("{text}");
            return FOUND;
        }
        Err(message) => {
            eprintln!("{name}: {message}");
            return FAILURE;
        }
    };
    let matcher = match matcher::build(&options) {
        Ok(matcher) => matcher,
        Err(message) => {
            eprintln!("{name}: {message}");
            return FAILURE;
        }
    };
    let mut grep = Grep {
        name,
        searcher: searcher(&options),
        matcher,
        output: Output::new(&options, BufWriter::with_capacity(64 << 10, io::stdout().lock())),
        options: &options,
        is_found: false,
        has_failed: false,
    };
    grep.all();
    // Whoever reads may have had enough: the host ends a writer to such a pipe by itself.
    let flushed = grep.output.flush();
    if let Err(error) = flushed {
        eprintln!("{name}: write error: {error}");
        return FAILURE;
    }
    match (grep.is_found, grep.has_failed) {
        (true, true) if options.quiet => FOUND,
        (_, true) => FAILURE,
        (true, false) => FOUND,
        (false, false) => NOT_FOUND,
    }
}

fn searcher(options: &Options) -> Searcher {
    let mut searcher = SearcherBuilder::new();
    let binary = match options.text || options.null_data {
        true => BinaryDetection::none(),
        false => BinaryDetection::convert(0),
    };
    // Sinks count what is selected themselves where only a number or a name is asked for.
    let shows_lines = options.shows_lines();
    searcher
        .binary_detection(binary)
        .line_terminator(grep::matcher::LineTerminator::byte(if options.null_data { 0 } else { b'\n' }))
        .invert_match(options.invert)
        .max_matches(options.matches_max)
        .line_number(options.line_number && shows_lines)
        .before_context(if shows_lines { options.before } else { 0 })
        .after_context(if shows_lines { options.after } else { 0 })
        .bom_sniffing(false);
    searcher.build()
}

struct Grep<'a, W> {
    name: &'a str,
    searcher: Searcher,
    matcher: matcher::AnyMatcher,
    output: Output<'a, W>,
    options: &'a Options,
    is_found: bool,
    has_failed: bool,
}

impl<W: Write> Grep<'_, W> {
    fn all(&mut self) {
        let options = self.options;
        for path in &options.paths {
            if self.is_done() {
                return;
            }
            match path {
                None => self.search(None, io::stdin().lock()),
                Some(path) => self.top(path),
            }
        }
    }

    /// The first line that is found is enough.
    fn is_done(&self) -> bool {
        self.options.quiet && self.is_found
    }

    /// One that was named: links are followed.
    fn top(&mut self, path: &Path) {
        let data = match fs::metadata(here(path)) {
            Ok(data) => data,
            Err(error) => return self.failed(path, &error),
        };
        if !data.is_dir() {
            if self.options.takes_file(path) {
                self.file(path);
            }
            return;
        }
        match self.options.directories {
            Directories::Recurse => {
                if self.options.takes_folder(path, true) {
                    self.folder(path);
                }
            }
            Directories::Skip => {}
            Directories::Read => self.failed(path, "Is a directory"),
        }
    }

    fn folder(&mut self, path: &Path) {
        let entries = fs::read_dir(here(path)).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.failed(path, &error),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if self.is_done() {
                return;
            }
            // `grep -r x` in the current directory shows no `./`.
            let path = match path.as_os_str().is_empty() {
                true => PathBuf::from(entry.file_name()),
                false => path.join(entry.file_name()),
            };
            let mut kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) => {
                    self.failed(&path, &error);
                    continue;
                }
            };
            if kind.is_symlink() {
                if !self.options.follows_links {
                    continue;
                }
                match fs::metadata(&path) {
                    Ok(data) => kind = data.file_type(),
                    Err(error) => {
                        self.failed(&path, &error);
                        continue;
                    }
                }
            }
            if kind.is_dir() {
                if self.options.takes_folder(&path, false) {
                    self.folder(&path);
                }
            } else if kind.is_file() && self.options.takes_file(&path) {
                self.file(&path);
            }
        }
    }

    fn file(&mut self, path: &Path) {
        match File::open(path) {
            Ok(file) => self.search(Some(path), file),
            Err(error) => self.failed(path, &error),
        }
    }

    fn search(&mut self, path: Option<&Path>, from: impl io::Read) {
        if self.options.matches_max == Some(0) {
            return;
        }
        let mut report = Report::new(&mut self.output, &self.matcher, path);
        let result = self.searcher.search_reader(&self.matcher, from, &mut report);
        let is_found = report.is_found();
        let result = result.and_then(|()| report.end());
        self.is_found |= is_found;
        if let Err(error) = result {
            match path {
                Some(path) => self.failed(path, &error),
                None => self.failed(Path::new(output::STDIN), &error),
            }
        }
    }

    fn failed(&mut self, path: &Path, why: &(impl std::fmt::Display + ?Sized)) {
        self.has_failed = true;
        if !self.options.no_messages {
            // What is found comes before what fails later, as people see it.
            let _ = self.output.flush();
            eprintln!("{}: {}: {}", self.name, path.display(), without_number(&why.to_string()));
        }
    }
}

/// The empty path is where grep was started.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// std shows `No such file or directory (os error 44)`.
fn without_number(error: &str) -> &str {
    error.split_once(" (os error ").map_or(error, |(text, _)| text)
}
