//! grep's command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};
use lexopt::{Arg, Parser, ValueExt};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Fixed,
    Basic,
    Extended,
    Perl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directories {
    Read,
    Recurse,
    Skip,
}

/// What is shown of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Lines,
    Count,
    /// The names of files with a line that is selected.
    With,
    /// The names of files without one.
    Without,
}

#[derive(Debug)]
pub struct Options {
    pub syntax: Syntax,
    pub patterns: Vec<String>,
    /// None is stdin.
    pub paths: Vec<Option<PathBuf>>,
    pub directories: Directories,
    pub follows_links: bool,
    pub ignore_case: bool,
    pub invert: bool,
    pub word: bool,
    pub whole_line: bool,
    pub shown: Shown,
    pub only_matching: bool,
    pub quiet: bool,
    pub no_messages: bool,
    pub line_number: bool,
    pub byte_offset: bool,
    pub with_filename: bool,
    /// A zero byte after names.
    pub null: bool,
    /// Lines end with a zero byte.
    pub null_data: bool,
    pub text: bool,
    pub skips_binary: bool,
    pub initial_tab: bool,
    pub line_buffered: bool,
    pub color: bool,
    pub label: String,
    pub before: usize,
    pub after: usize,
    pub separator: Option<String>,
    pub matches_max: Option<u64>,
    files: Selection,
    folders: Selection,
}

/// Which names are taken.
#[derive(Debug, Default)]
struct Selection {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

pub enum Parsed {
    Options(Box<Options>),
    /// To be shown instead.
    Text(String),
}

impl Options {
    pub fn shows_lines(&self) -> bool {
        self.shown == Shown::Lines && !self.quiet
    }

    pub fn takes_file(&self, path: &Path) -> bool {
        self.files.takes(path)
    }

    pub fn takes_folder(&self, path: &Path, is_named: bool) -> bool {
        // `.` and `..` are no names.
        (is_named && path.file_name().is_none()) || self.folders.takes(path)
    }
}

impl Selection {
    fn takes(&self, path: &Path) -> bool {
        let has = |set: &GlobSet| path.file_name().is_some_and(|name| set.is_match(name)) || set.is_match(path);
        !self.exclude.as_ref().is_some_and(has) && self.include.as_ref().is_none_or(has)
    }
}

const HELP: &str = "\
Usage: grep [OPTION]... PATTERNS [FILE]...
Prints the lines of each FILE that match one of the PATTERNS, which lines separate.

  -E, -F, -G, -P   patterns are extended, fixed, basic (the default), Perl's
  -e PATTERNS, -f FILE, -i, -v, -w, -x, -z
  -m NUM, -b, -n, -H, -h, -o, -q, -s, -c, -l, -L, -T, -Z, --label=LABEL
  -a, -I, --binary-files=TYPE, -r, -R, -d ACTION
  --include=GLOB, --exclude=GLOB, --exclude-from=FILE, --exclude-dir=GLOB
  -A NUM, -B NUM, -C NUM, -NUM, --group-separator=SEP, --no-group-separator
  --color[=WHEN], --line-buffered, -U

Ends with 0 if a line is selected, 1 if none is, 2 if something fails.
";

/// By themselves, then those with a value. `--NAME` may be cut short where only one is meant.
const LONG: &[&str] = &[
    "after-context",
    "basic-regexp",
    "before-context",
    "binary",
    "binary-files",
    "byte-offset",
    "color",
    "colour",
    "context",
    "count",
    "dereference-recursive",
    "devices",
    "directories",
    "exclude",
    "exclude-dir",
    "exclude-from",
    "extended-regexp",
    "file",
    "files-with-matches",
    "files-without-match",
    "fixed-strings",
    "group-separator",
    "help",
    "ignore-case",
    "include",
    "initial-tab",
    "invert-match",
    "label",
    "line-buffered",
    "line-number",
    "line-regexp",
    "max-count",
    "no-filename",
    "no-group-separator",
    "no-ignore-case",
    "no-messages",
    "null",
    "null-data",
    "only-matching",
    "perl-regexp",
    "quiet",
    "recursive",
    "regexp",
    "silent",
    "text",
    "version",
    "with-filename",
    "word-regexp",
];

/// # Errors
/// What is wrong, as grep says it.
pub fn parse(name: &str, arguments: Vec<OsString>) -> Result<Parsed, String> {
    let mut parser = Parser::from_args(arguments);
    let mut options = defaults(name);
    let (mut patterns, mut operands): (Option<Vec<String>>, Vec<OsString>) = (None, Vec::new());
    let mut with_filename = None;
    let (mut context, mut digits) = ((None, None, None), String::new());
    let (mut include, mut exclude, mut exclude_dir) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let argument = parser.next().map_err(|error| usage(&error.to_string()))?;
        let Some(argument) = argument else { break };
        let option = match argument {
            Arg::Value(value) => {
                operands.push(value);
                continue;
            }
            Arg::Short(digit) if digit.is_ascii_digit() => {
                digits.push(digit);
                context.2 = Some(number("context length", &digits)?);
                continue;
            }
            Arg::Short(c) => c.to_string(),
            Arg::Long(name) => full(name)?.to_owned(),
        };
        digits.clear();
        let mut value = || -> Result<String, String> {
            let value = parser.value().map_err(|error| usage(&error.to_string()))?;
            value.string().map_err(|_| "an argument is no text".to_owned())
        };
        match option.as_str() {
            "E" | "extended-regexp" => options.syntax = Syntax::Extended,
            "F" | "fixed-strings" => options.syntax = Syntax::Fixed,
            "G" | "basic-regexp" => options.syntax = Syntax::Basic,
            "P" | "perl-regexp" => options.syntax = Syntax::Perl,
            "e" | "regexp" => lines(&value()?, patterns.get_or_insert_default()),
            "f" | "file" => {
                let path = value()?;
                let text = match path.as_str() {
                    "-" => std::io::read_to_string(std::io::stdin()),
                    path => std::fs::read_to_string(path),
                };
                let text = text.map_err(|error| format!("{path}: {}", super::without_number(&error.to_string())))?;
                let patterns = patterns.get_or_insert_default();
                if !text.is_empty() {
                    lines(text.strip_suffix('\n').unwrap_or(&text), patterns);
                }
            }
            "i" | "y" | "ignore-case" => options.ignore_case = true,
            "no-ignore-case" => options.ignore_case = false,
            "v" | "invert-match" => options.invert = true,
            "w" | "word-regexp" => options.word = true,
            "x" | "line-regexp" => options.whole_line = true,
            // Where names are asked for as well, they win.
            "c" | "count" if options.shown == Shown::Lines => options.shown = Shown::Count,
            "c" | "count" => {}
            "l" | "files-with-matches" => options.shown = Shown::With,
            "L" | "files-without-match" => options.shown = Shown::Without,
            "o" | "only-matching" => options.only_matching = true,
            "q" | "quiet" | "silent" => options.quiet = true,
            "s" | "no-messages" => options.no_messages = true,
            "n" | "line-number" => options.line_number = true,
            "b" | "byte-offset" => options.byte_offset = true,
            "H" | "with-filename" => with_filename = Some(true),
            "h" | "no-filename" => with_filename = Some(false),
            "Z" | "null" => options.null = true,
            "z" | "null-data" => options.null_data = true,
            "a" | "text" => (options.text, options.skips_binary) = (true, false),
            "I" => (options.text, options.skips_binary) = (false, true),
            "binary-files" => {
                (options.text, options.skips_binary) = match value()?.as_str() {
                    "binary" => (false, false),
                    "text" => (true, false),
                    "without-match" => (false, true),
                    _ => return Err("unknown binary-files type".to_owned()),
                }
            }
            "T" | "initial-tab" => options.initial_tab = true,
            "line-buffered" => options.line_buffered = true,
            // Nothing has carriage returns taken off here.
            "U" | "binary" => {}
            "r" | "recursive" => options.directories = Directories::Recurse,
            "R" | "dereference-recursive" => {
                options.directories = Directories::Recurse;
                options.follows_links = true;
            }
            "d" | "directories" => {
                options.directories = match value()?.as_str() {
                    "read" => Directories::Read,
                    "recurse" => Directories::Recurse,
                    "skip" => Directories::Skip,
                    other => return Err(format!("invalid argument ‘{other}’ for ‘--directories’")),
                }
            }
            // There are no devices to skip.
            "D" | "devices" => drop(value()?),
            "include" => include.push(value()?),
            "exclude" => exclude.push(value()?),
            "exclude-dir" => exclude_dir.push(value()?.trim_end_matches('/').to_owned()),
            "exclude-from" => {
                let path = value()?;
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{path}: {}", super::without_number(&error.to_string())))?;
                exclude.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
            }
            "m" | "max-count" => {
                let count: i64 = value()?.parse().map_err(|_| "invalid max count".to_owned())?;
                options.matches_max = u64::try_from(count).ok();
            }
            "A" | "after-context" => context.1 = Some(number("context length", &value()?)?),
            "B" | "before-context" => context.0 = Some(number("context length", &value()?)?),
            "C" | "context" => context.2 = Some(number("context length", &value()?)?),
            "group-separator" => options.separator = Some(value()?),
            "no-group-separator" => options.separator = None,
            "label" => options.label = value()?,
            "color" | "colour" => {
                let when = parser.optional_value().map(|value| value.to_string_lossy().into_owned());
                options.color = match when.as_deref() {
                    Some("always" | "yes" | "force") => true,
                    None | Some("auto" | "tty" | "if-tty" | "never" | "no" | "none") => false,
                    Some(other) => return Err(format!("invalid argument ‘{other}’ for ‘--color’")),
                };
            }
            "V" | "version" => {
                return Ok(Parsed::Text(format!(
                    "grep (wardian, GNU options over ripgrep's crates) {}\n",
                    env!("CARGO_PKG_VERSION")
                )));
            }
            "help" => return Ok(Parsed::Text(HELP.to_owned())),
            other => return Err(usage(&format!("invalid option -- '{other}'"))),
        }
    }
    let mut operands = operands.into_iter();
    options.patterns = match patterns {
        Some(patterns) => patterns,
        None => {
            let pattern = operands.next().ok_or_else(|| usage("no pattern is given"))?;
            let pattern = pattern.string().map_err(|_| "the pattern is no text".to_owned())?;
            let mut patterns = Vec::new();
            lines(&pattern, &mut patterns);
            patterns
        }
    };
    options.paths = operands.map(|path| (path != "-").then(|| PathBuf::from(path))).collect();
    let is_recursive = options.directories == Directories::Recurse;
    if options.paths.is_empty() {
        // The empty path is where it was started, and shows as nothing.
        options.paths.push(is_recursive.then(PathBuf::new));
    }
    options.with_filename = with_filename.unwrap_or(options.paths.len() > 1 || is_recursive);
    options.before = context.0.or(context.2).unwrap_or(0);
    options.after = context.1.or(context.2).unwrap_or(0);
    options.files = Selection { include: globs(&include)?, exclude: globs(&exclude)? };
    options.folders = Selection { include: None, exclude: globs(&exclude_dir)? };
    Ok(Parsed::Options(Box::new(options)))
}

fn defaults(name: &str) -> Options {
    Options {
        syntax: match name {
            "egrep" => Syntax::Extended,
            "fgrep" => Syntax::Fixed,
            _ => Syntax::Basic,
        },
        patterns: Vec::new(),
        paths: Vec::new(),
        directories: Directories::Read,
        follows_links: false,
        ignore_case: false,
        invert: false,
        word: false,
        whole_line: false,
        shown: Shown::Lines,
        only_matching: false,
        quiet: false,
        no_messages: false,
        line_number: false,
        byte_offset: false,
        with_filename: false,
        null: false,
        null_data: false,
        text: false,
        skips_binary: false,
        initial_tab: false,
        line_buffered: false,
        color: false,
        label: super::output::STDIN.to_owned(),
        before: 0,
        after: 0,
        separator: Some("--".to_owned()),
        matches_max: None,
        files: Selection::default(),
        folders: Selection::default(),
    }
}

fn lines(text: &str, patterns: &mut Vec<String>) {
    patterns.extend(text.split('\n').map(str::to_owned));
}

fn number(what: &str, text: &str) -> Result<usize, String> {
    // More than fits is as much as there is.
    match text.parse::<usize>() {
        Ok(number) => Ok(number.min(1 << 30)),
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(1 << 30),
        Err(_) => Err(format!("{text}: invalid {what} argument")),
    }
}

fn full(name: &str) -> Result<&'static str, String> {
    if let Some(exact) = LONG.iter().find(|long| **long == name) {
        return Ok(exact);
    }
    let mut meant = LONG.iter().filter(|long| long.starts_with(name) && **long != "colour");
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(usage(&format!("option '--{name}' is ambiguous"))),
        (None, _) => Err(usage(&format!("unrecognized option '--{name}'"))),
    }
}

fn usage(message: &str) -> String {
    format!("{message}\nUsage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.")
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>, String> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        // Alternatives in braces are the shell's, and are literal here.
        let literal = pattern.replace('{', "[{]").replace('}', "[}]");
        set.add(Glob::new(&literal).map_err(|error| format!("{pattern}: {error}"))?);
    }
    set.build().map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Options {
        match parse("grep", arguments.iter().map(OsString::from).collect()) {
            Ok(Parsed::Options(options)) => *options,
            Ok(Parsed::Text(text)) => panic!("{text}"),
            Err(message) => panic!("{message}"),
        }
    }

    #[test]
    fn options_may_stand_anywhere() {
        let options = parsed(&["-rn", "x", "src", "--include=*.rs", "-C2"]);
        assert_eq!((options.before, options.after, options.line_number), (2, 2, true));
        assert_eq!(options.paths, [Some(PathBuf::from("src"))]);
        assert!(options.takes_file(Path::new("src/a.rs")) && !options.takes_file(Path::new("src/a.c")));
    }

    #[test]
    fn a_number_is_context() {
        let options = parsed(&["-12", "-A", "1", "x"]);
        assert_eq!((options.before, options.after), (12, 1));
    }

    #[test]
    fn folders_are_left_out_by_name() {
        let options = parsed(&["-r", "--exclude-dir=.git", "--exclude-dir", "target/", "x"]);
        assert!(!options.takes_folder(Path::new("a/.git"), false));
        assert!(!options.takes_folder(Path::new("target"), false));
        assert!(options.takes_folder(Path::new("."), true));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (arguments, why) in [
            (vec!["--nothing", "x"], "unrecognized option '--nothing'"),
            (vec!["--no", "x"], "option '--no' is ambiguous"),
            (vec!["-k", "x"], "invalid option -- 'k'"),
            (vec![], "no pattern is given"),
            (vec!["-A", "x", "y"], "x: invalid context length argument"),
        ] {
            let arguments = arguments.into_iter().map(OsString::from).collect();
            let Err(message) = parse("grep", arguments) else { panic!("{why}") };
            assert!(message.starts_with(why), "{message}");
        }
    }

    #[test]
    fn a_long_option_may_be_cut_short() {
        assert!(parsed(&["--ignore", "x"]).ignore_case);
    }
}
