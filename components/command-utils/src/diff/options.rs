//! diff's command line.

use std::ffi::OsString;

use globset::{Glob, GlobSet, GlobSetBuilder};
use lexopt::{Arg, Parser, ValueExt};
use regex::bytes::Regex;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Normal,
    Unified(usize),
    Context(usize),
    SideBySide,
    /// Every line, as `lines` says.
    Lines,
    Brief,
}

/// What is printed for lines of the first file alone, of the second alone, and of both.
#[derive(Debug, Default)]
pub struct LineFormats {
    pub old: Option<String>,
    pub new: Option<String>,
    pub unchanged: Option<String>,
}

#[derive(Debug)]
pub struct Options {
    pub lines: LineFormats,
    /// What a line looks like that a hunk is shown to be in.
    pub function_line: Option<Regex>,
    pub format: Format,
    pub paths: [String; 2],
    pub labels: Vec<String>,
    pub recursive: bool,
    /// A file that is missing is an empty one, on either side.
    pub new_file: bool,
    /// Only on the first.
    pub first_new_file: bool,
    pub report_identical: bool,
    pub ignore_case: bool,
    pub ignore_blank_lines: bool,
    pub space: Space,
    pub strip_carriage_return: bool,
    pub text: bool,
    pub show_function: bool,
    pub suppress_common: bool,
    pub left_column: bool,
    pub expand_tabs: bool,
    pub initial_tab: bool,
    pub width: usize,
    pub color: bool,
    /// The options as they were typed: they are shown where folders are compared.
    pub typed: Vec<String>,
    exclude: Option<GlobSet>,
}

/// Which white space does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    Counts,
    TrailingIgnored,
    AmountIgnored,
    Ignored,
}

pub enum Parsed {
    Options(Box<Options>),
    Text(String),
}

const HELP: &str = "\
Usage: diff [OPTION]... FILES
Compares two files line by line, or two folders file by file.

  -q, -s, -c, -C NUM, -u, -U NUM, -y, -W NUM, --left-column, --suppress-common-lines
  -p, -F REGEX, --label=LABEL, --old-line-format=F, --new-line-format=F, --unchanged-line-format=F, --line-format=F
  -t, -T, -r, -N, --unidirectional-new-file, -x PAT, -X FILE
  -i, -E, -Z, -b, -w, -B, -a, --strip-trailing-cr, --color[=WHEN]

Ends with 0 if they are the same, 1 if they differ, 2 if something fails.
";

const LONG: &[&str] = &[
    "brief",
    "color",
    "context",
    "exclude",
    "exclude-from",
    "expand-tabs",
    "help",
    "ignore-all-space",
    "ignore-blank-lines",
    "ignore-case",
    "ignore-space-change",
    "ignore-trailing-space",
    "initial-tab",
    "label",
    "left-column",
    "line-format",
    "minimal",
    "new-file",
    "new-line-format",
    "normal",
    "old-line-format",
    "recursive",
    "report-identical-files",
    "show-c-function",
    "show-function-line",
    "side-by-side",
    "speed-large-files",
    "strip-trailing-cr",
    "suppress-common-lines",
    "text",
    "unchanged-line-format",
    "unidirectional-new-file",
    "unified",
    "version",
    "width",
];

const CONTEXT_LINES: usize = 3;

impl Options {
    pub fn leaves_out(&self, name: &str) -> bool {
        self.exclude.as_ref().is_some_and(|set| set.is_match(name))
    }
}

/// # Errors
/// What is wrong, as diff says it.
pub fn parse(arguments: Vec<OsString>) -> Result<Parsed, String> {
    let mut parser = Parser::from_args(arguments.clone());
    let mut options = Options {
        lines: LineFormats::default(),
        function_line: None,
        format: Format::Normal,
        paths: [String::new(), String::new()],
        labels: Vec::new(),
        recursive: false,
        new_file: false,
        first_new_file: false,
        report_identical: false,
        ignore_case: false,
        ignore_blank_lines: false,
        space: Space::Counts,
        strip_carriage_return: false,
        text: false,
        show_function: false,
        suppress_common: false,
        left_column: false,
        expand_tabs: false,
        initial_tab: false,
        width: 130,
        color: false,
        typed: Vec::new(),
        exclude: None,
    };
    let (mut operands, mut exclude, mut digits) = (Vec::new(), Vec::new(), String::new());
    loop {
        let argument = parser.next().map_err(|error| usage(&error.to_string()))?;
        let Some(argument) = argument else { break };
        let option = match argument {
            Arg::Value(value) => {
                operands.push(value.string().map_err(|_| "a file's name is no text".to_owned())?);
                continue;
            }
            Arg::Short(digit) if digit.is_ascii_digit() => {
                // `-5`, as it once was: the lines of context.
                digits.push(digit);
                let lines = number(&digits)?;
                options.format = match options.format {
                    Format::Context(_) => Format::Context(lines),
                    _ => Format::Unified(lines),
                };
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
            "normal" => options.format = Format::Normal,
            "q" | "brief" => options.format = Format::Brief,
            "s" | "report-identical-files" => options.report_identical = true,
            "u" => options.format = Format::Unified(lines_of(options.format)),
            "c" => options.format = Format::Context(lines_of(options.format)),
            "U" => options.format = Format::Unified(number(&value()?)?),
            "C" => options.format = Format::Context(number(&value()?)?),
            "unified" | "context" => {
                let lines = match parser.optional_value() {
                    Some(lines) => number(&lines.to_string_lossy())?,
                    None => lines_of(options.format),
                };
                let is_unified = option == "unified";
                options.format = if is_unified { Format::Unified(lines) } else { Format::Context(lines) };
            }
            "y" | "side-by-side" => options.format = Format::SideBySide,
            "W" | "width" => options.width = number(&value()?)?.max(1),
            "left-column" => options.left_column = true,
            "suppress-common-lines" => options.suppress_common = true,
            "p" | "show-c-function" => options.show_function = true,
            "F" | "show-function-line" => {
                let pattern = value()?;
                let regex = Regex::new(&from_basic(&pattern));
                options.function_line = Some(regex.map_err(|_| format!("{pattern}: Invalid regular expression"))?);
            }
            "old-line-format" | "new-line-format" | "unchanged-line-format" | "line-format" => {
                let form = value()?;
                super::format::check_line(&form).map_err(|error| usage(&error))?;
                options.format = Format::Lines;
                let lines = &mut options.lines;
                match option.as_str() {
                    "old-line-format" => lines.old = Some(form),
                    "new-line-format" => lines.new = Some(form),
                    "unchanged-line-format" => lines.unchanged = Some(form),
                    _ => {
                        *lines = LineFormats { old: Some(form.clone()), new: Some(form.clone()), unchanged: Some(form) }
                    }
                }
            }
            "label" | "L" => options.labels.push(value()?),
            "t" | "expand-tabs" => options.expand_tabs = true,
            "T" | "initial-tab" => options.initial_tab = true,
            "r" | "recursive" => options.recursive = true,
            "N" | "new-file" => options.new_file = true,
            "P" | "unidirectional-new-file" => options.first_new_file = true,
            "x" | "exclude" => exclude.push(value()?),
            "X" | "exclude-from" => {
                let path = value()?;
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
                exclude.extend(text.lines().map(str::to_owned));
            }
            "i" | "ignore-case" => options.ignore_case = true,
            "Z" | "ignore-trailing-space" if options.space == Space::Counts => options.space = Space::TrailingIgnored,
            "Z" | "ignore-trailing-space" => {}
            "b" | "ignore-space-change" if options.space != Space::Ignored => options.space = Space::AmountIgnored,
            "b" | "ignore-space-change" => {}
            "w" | "ignore-all-space" => options.space = Space::Ignored,
            "B" | "ignore-blank-lines" => options.ignore_blank_lines = true,
            "a" | "text" => options.text = true,
            "strip-trailing-cr" => options.strip_carriage_return = true,
            // What is found is small, and found fast, anyhow.
            "d" | "minimal" | "H" | "speed-large-files" => {}
            "color" => {
                let when = parser.optional_value().map(|value| value.to_string_lossy().into_owned());
                options.color = match when.as_deref() {
                    Some("always") => true,
                    None | Some("auto" | "never") => false,
                    Some(other) => return Err(usage(&format!("invalid color '{other}'"))),
                };
            }
            "v" | "version" => return Ok(Parsed::Text(format!("diff (wardian) {}\n", env!("CARGO_PKG_VERSION")))),
            "help" => return Ok(Parsed::Text(HELP.to_owned())),
            other => return Err(usage(&format!("invalid option -- '{other}'"))),
        }
    }
    let operands: [String; 2] = operands.try_into().map_err(|operands: Vec<String>| match operands.get(2) {
        Some(extra) => usage(&format!("extra operand '{extra}'")),
        None => usage(&format!("missing operand after '{}'", operands.last().map_or("diff", String::as_str))),
    })?;
    options.typed = arguments
        .iter()
        .map(|argument| argument.to_string_lossy().into_owned())
        .filter(|argument| argument.starts_with('-') && argument != "-" && argument != "--")
        .collect();
    options.paths = operands;
    if !exclude.is_empty() {
        let mut set = GlobSetBuilder::new();
        for pattern in &exclude {
            set.add(Glob::new(pattern).map_err(|error| format!("{pattern}: {error}"))?);
        }
        options.exclude = Some(set.build().map_err(|error| error.to_string())?);
    }
    Ok(Parsed::Options(Box::new(options)))
}

/// POSIX's basic expressions: groups, alternatives and most repetitions with a backslash.
fn from_basic(pattern: &str) -> String {
    let (mut out, mut chars, mut in_bracket) = (String::new(), pattern.chars().peekable(), false);
    while let Some(c) = chars.next() {
        match c {
            '[' if !in_bracket => {
                in_bracket = true;
                out.push('[');
                out.extend(chars.next_if_eq(&'^'));
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if in_bracket => {
                in_bracket = false;
                out.push(']');
            }
            '\\' if in_bracket => out.push_str("\\\\"),
            '\\' => match chars.next() {
                Some(c @ ('(' | ')' | '|' | '{' | '}' | '+' | '?')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push_str("\\\\"),
            },
            '(' | ')' | '|' | '{' | '}' | '+' | '?' if !in_bracket => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out
}

/// `-u` after `-U 5` keeps the five.
fn lines_of(format: Format) -> usize {
    match format {
        Format::Unified(lines) | Format::Context(lines) => lines,
        _ => CONTEXT_LINES,
    }
}

fn number(text: &str) -> Result<usize, String> {
    let number = text.parse::<usize>().map_err(|_| usage(&format!("invalid number '{text}'")))?;
    Ok(number.min(1 << 30))
}

fn full(name: &str) -> Result<&'static str, String> {
    if let Some(exact) = LONG.iter().find(|long| **long == name) {
        return Ok(exact);
    }
    let mut meant = LONG.iter().filter(|long| long.starts_with(name));
    match (meant.next(), meant.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(usage(&format!("option '--{name}' is ambiguous"))),
        (None, _) => Err(usage(&format!("unrecognized option '--{name}'"))),
    }
}

fn usage(message: &str) -> String {
    format!("{message}\ndiff: Try 'diff --help' for more information.")
}
