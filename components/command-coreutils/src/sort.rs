//! What uutils' sort does in threads, which there are none of here: checking and merging.
//!
//! Files that are sorted are merged by sorting them again. Lines are in order if a stable sort leaves them where they are.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};

/// Letters of options with a value, and long ones.
const SHORT_WITH_VALUE: &str = "kotST";
const LONG_WITH_VALUE: &[&str] = &[
    "--key",
    "--output",
    "--field-separator",
    "--buffer-size",
    "--temporary-directory",
    "--batch-size",
    "--compress-program",
    "--files0-from",
    "--parallel",
    "--random-source",
    "--sort",
];

const IN_ORDER: i32 = 0;
const DISORDER: i32 = 1;
const FAILURE: i32 = 2;

/// A command line without what sort must not see.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    options: Vec<OsString>,
    files: Vec<OsString>,
    check: Option<Check>,
    has_zero: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Says which line it is.
    Told,
    Silent,
}

fn read(arguments: &[OsString]) -> Line {
    let mut line = Line::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--" {
            line.files.extend(arguments.cloned());
            break;
        }
        match &*text {
            "--check" | "--check=diagnose-first" => line.check = Some(Check::Told),
            "--check=quiet" | "--check=silent" | "--check-silent" => line.check = Some(Check::Silent),
            "--merge" => {}
            long if long.starts_with("--") => {
                line.has_zero |= long == "--zero-terminated";
                line.options.push(argument.clone());
                if LONG_WITH_VALUE.contains(&long) {
                    line.options.extend(arguments.next().cloned());
                }
            }
            short if short.starts_with('-') && short.len() > 1 => {
                let mut rest = String::from("-");
                let mut letters = short[1..].char_indices();
                while let Some((at, letter)) = letters.next() {
                    match letter {
                        'c' => line.check = Some(Check::Told),
                        'C' => line.check = Some(Check::Silent),
                        'm' => {}
                        letter if SHORT_WITH_VALUE.contains(letter) => {
                            rest.push_str(&short[1 + at..]);
                            let has_value = letters.next().is_some();
                            line.options.push(std::mem::take(&mut rest).into());
                            if !has_value {
                                line.options.extend(arguments.next().cloned());
                            }
                            break;
                        }
                        letter => {
                            line.has_zero |= letter == 'z';
                            rest.push(letter);
                        }
                    }
                }
                if rest.len() > 1 {
                    line.options.push(rest.into());
                }
            }
            _ => line.files.push(argument.clone()),
        }
    }
    line
}

/// sort. `arguments` begin with its name.
pub fn run(arguments: Vec<OsString>) -> i32 {
    let line = read(&arguments[1..]);
    let Some(check) = line.check else {
        let all = [OsString::from("sort")].into_iter().chain(line.options).chain(["--".into()]).chain(line.files);
        return uu_sort::uumain(all.collect::<Vec<_>>().into_iter());
    };
    if line.files.len() > 1 {
        eprintln!("sort: extra operand '{}' not allowed with -c", line.files[1].to_string_lossy());
        return FAILURE;
    }
    let name = line.files.first().map_or("-".to_owned(), |file| file.to_string_lossy().into_owned());
    match first_disorder(&name, &line) {
        Ok(None) => IN_ORDER,
        Ok(Some((number, text))) => {
            if check == Check::Told {
                eprintln!("sort: {name}:{number}: disorder: {text}");
            }
            DISORDER
        }
        Err(error) => {
            let error = error.to_string();
            let error = error.split_once(" (os error ").map_or(&*error, |(text, _)| text);
            eprintln!("sort: cannot read: {name}: {error}");
            FAILURE
        }
    }
}

/// The first line that should stand before the one above it, from 1.
fn first_disorder(name: &str, line: &Line) -> io::Result<Option<(usize, String)>> {
    let mut bytes = Vec::new();
    match name {
        "-" => io::stdin().lock().read_to_end(&mut bytes)?,
        name => fs::File::open(name)?.read_to_end(&mut bytes)?,
    };
    let end = if line.has_zero { 0 } else { b'\n' };
    if bytes.last().is_some_and(|last| *last != end) {
        bytes.push(end);
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == end).collect();
    let files = Files::new();
    if files.keeps(&lines, line)? {
        return Ok(None);
    }
    // In order up to `good` lines, not up to `bad`.
    let (mut good, mut bad) = (1, lines.len());
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if files.keeps(&lines[..middle], line)? {
            good = middle;
        } else {
            bad = middle;
        }
    }
    let text = String::from_utf8_lossy(&lines[bad - 1][..lines[bad - 1].len() - 1]).into_owned();
    Ok(Some((bad, text)))
}

/// Where lines are sorted.
struct Files {
    from: String,
    to: String,
}

impl Files {
    fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = |end: &str| std::env::temp_dir().join(format!(".sort-{since}-{end}")).to_string_lossy().into_owned();
        Self { from: name("from"), to: name("to") }
    }

    /// Whether sorting leaves the lines as they are.
    fn keeps(&self, lines: &[&[u8]], line: &Line) -> io::Result<bool> {
        let bytes = lines.concat();
        fs::write(&self.from, &bytes)?;
        let all = [OsString::from("sort"), "-s".into(), "-o".into(), (&self.to).into()].into_iter();
        let all: Vec<OsString> = all.chain(line.options.iter().cloned()).chain([(&self.from).into()]).collect();
        if uu_sort::uumain(all.into_iter()) != 0 {
            return Err(io::Error::other("its lines cannot be sorted"));
        }
        Ok(fs::read(&self.to)? == bytes)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in [&self.from, &self.to] {
            // There may be none.
            let _ = fs::remove_file(file);
        }
    }
}
