//! cmp: where two files first differ.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

use lexopt::{Arg, Parser, ValueExt};

const SAME: i32 = 0;
const DIFFERENT: i32 = 1;
const FAILURE: i32 = 2;

const HELP: &str = "\
Usage: cmp [OPTION]... FILE1 [FILE2 [SKIP1 [SKIP2]]]
Compares two files byte by byte.

  -b, --print-bytes, -l, --verbose, -s, --quiet, --silent, -i SKIP[:SKIP2], -n LIMIT

Ends with 0 if they are the same, 1 if they differ, 2 if something fails.
";

#[derive(Default)]
struct Options {
    shows_bytes: bool,
    all: bool,
    quiet: bool,
    skip: [u64; 2],
    limit: Option<u64>,
    paths: Vec<String>,
}

pub fn run(arguments: Vec<OsString>) -> i32 {
    match parse(arguments) {
        Ok(Some(options)) => compare(&options).unwrap_or_else(|message| {
            // Whoever only wants the status gets it.
            if !options.quiet {
                eprintln!("cmp: {message}");
            }
            FAILURE
        }),
        Ok(None) => {
            print!("{HELP}");
            SAME
        }
        Err(message) => {
            eprintln!("cmp: {message}\ncmp: Try 'cmp --help' for more information.");
            FAILURE
        }
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('b') | Arg::Long("print-bytes") => options.shows_bytes = true,
            Arg::Short('l') | Arg::Long("verbose") => options.all = true,
            Arg::Short('s') | Arg::Long("quiet" | "silent") => options.quiet = true,
            Arg::Short('i') | Arg::Long("ignore-initial") => {
                let text = crate::value(&mut parser)?;
                let (one, two) = text.split_once(':').unwrap_or((&text, &text));
                options.skip = [number(one)?, number(two)?];
            }
            Arg::Short('n') | Arg::Long("bytes") => options.limit = Some(number(&crate::value(&mut parser)?)?),
            Arg::Long("help") => return Ok(None),
            Arg::Value(path) => options.paths.push(path.string().map_err(|_| "a file's name is no text")?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    for at in 0..2 {
        if options.paths.len() > 2 {
            options.skip[at] = number(&options.paths.remove(2))?;
        }
    }
    match options.paths.len() {
        0 => return Err("missing operand after 'cmp'".to_owned()),
        1 => options.paths.push("-".to_owned()),
        2 => {}
        _ => return Err(format!("extra operand '{}'", options.paths[2])),
    }
    Ok(Some(options))
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" | "KiB" => 1 << 10,
        "kB" => 1000,
        "M" | "MiB" => 1 << 20,
        "MB" => 1_000_000,
        "G" | "GiB" => 1 << 30,
        _ => return Err(format!("invalid number '{text}'")),
    };
    let number: Option<u64> = digits.parse().ok();
    number.and_then(|number| number.checked_mul(unit)).ok_or_else(|| format!("invalid number '{text}'"))
}

fn open(path: &str, skip: u64) -> Result<Box<dyn BufRead>, String> {
    let told = |error: io::Error| format!("{path}: {}", crate::reason(&error));
    let mut reader: Box<dyn BufRead> = match path {
        "-" => Box::new(BufReader::with_capacity(64 << 10, io::stdin())),
        path => Box::new(BufReader::with_capacity(64 << 10, File::open(path).map_err(told)?)),
    };
    io::copy(&mut reader.by_ref().take(skip), &mut io::sink()).map_err(told)?;
    Ok(reader)
}

fn compare(options: &Options) -> Result<i32, String> {
    let [one, two] = [0, 1].map(|at| &*options.paths[at]);
    if one == two && options.skip[0] == options.skip[1] {
        return Ok(SAME);
    }
    let (mut first, mut second) = (open(one, options.skip[0])?, open(two, options.skip[1])?);
    let mut to = BufWriter::new(io::stdout());
    let (mut at, mut line, mut status) = (0_u64, 1_u64, SAME);
    let mut rest = options.limit.unwrap_or(u64::MAX);
    let written = |result: io::Result<()>| result.map_err(|error| format!("write error: {}", crate::reason(&error)));
    while rest > 0 {
        let a = first.fill_buf().map_err(|error| format!("{one}: {}", crate::reason(&error)))?;
        let b = second.fill_buf().map_err(|error| format!("{two}: {}", crate::reason(&error)))?;
        if a.is_empty() && b.is_empty() {
            break;
        }
        if a.is_empty() || b.is_empty() {
            if !options.quiet {
                let ended = if a.is_empty() { one } else { two };
                written(to.flush())?;
                match (at, options.all) {
                    (0, _) => eprintln!("cmp: EOF on {ended} which is empty"),
                    (_, true) => eprintln!("cmp: EOF on {ended} after byte {at}"),
                    (_, false) => eprintln!("cmp: EOF on {ended} after byte {at}, {}", if_line(line)),
                }
            }
            return Ok(DIFFERENT);
        }
        let length = a.len().min(b.len()).min(usize::try_from(rest).unwrap_or(usize::MAX));
        let (a, b) = (&a[..length], &b[..length]);
        if a != b {
            status = DIFFERENT;
            if options.quiet {
                return Ok(status);
            }
            for (i, (x, y)) in a.iter().zip(b).enumerate().filter(|(_, (x, y))| x != y) {
                let place = at + i as u64 + 1;
                if options.all {
                    written(match options.shows_bytes {
                        true => writeln!(to, "{place} {x:3o} {:4} {y:3o} {}", visible(*x), visible(*y)),
                        false => writeln!(to, "{place} {x:3o} {y:3o}"),
                    })?;
                    continue;
                }
                let line = line + a[..i].iter().filter(|byte| **byte == b'\n').count() as u64;
                let mut text = format!("{one} {two} differ: byte {place}, line {line}");
                if options.shows_bytes {
                    text.push_str(&format!(" is {x:3o} {} {y:3o} {}", visible(*x), visible(*y)));
                }
                written(writeln!(to, "{text}").and_then(|()| to.flush()))?;
                return Ok(status);
            }
        }
        line += a.iter().filter(|byte| **byte == b'\n').count() as u64;
        at += length as u64;
        rest -= length as u64;
        first.consume(length);
        second.consume(length);
    }
    written(to.flush())?;
    Ok(status)
}

/// The line that the end is in, which is a line of its own only if it was begun.
fn if_line(line: u64) -> String {
    if line == 1 { "in line 1".to_owned() } else { format!("line {}", line - 1) }
}

/// As `cat -v` shows it.
fn visible(byte: u8) -> String {
    match byte {
        0x20..=0x7e => char::from(byte).to_string(),
        0x7f => "^?".to_owned(),
        0..=0x1f => format!("^{}", char::from(byte + 64)),
        _ => format!("M-{}", visible(byte - 128)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units() {
        assert_eq!(number("2K"), Ok(2048));
        assert_eq!(number("2kB"), Ok(2000));
        assert!(number("x").is_err() && number("1x").is_err() && number("99999999999G").is_err());
    }

    #[test]
    fn bytes_are_made_visible() {
        assert_eq!([b'a', 0, 0x7f, 0x80, 0xff].map(visible), ["a", "^@", "^?", "M-^@", "M-^?"]);
    }
}
