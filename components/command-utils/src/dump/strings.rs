//! strings: what of a file is text.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use lexopt::{Arg, Parser};

const DONE: i32 = 0;
const FAILURE: i32 = 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Seven bits, eight bits.
    Seven,
    Eight,
    /// So many bytes each, and whether the lowest comes first.
    Wide(usize, bool),
}

struct Options {
    least: usize,
    shows_name: bool,
    radix: Option<char>,
    encoding: Encoding,
    /// Line breaks belong to a text.
    all_space: bool,
    separator: String,
    paths: Vec<String>,
}

const HELP: &str = "\
Usage: strings [-a] [-f] [-n LEAST] [-t o|d|x] [-o] [-w] [-e s|S|b|l|B|L] [-s SEPARATOR] [FILE]...
Prints the texts of at least LEAST (4) characters in files, or in stdin.
";

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match command_kit::options("strings", HELP, FAILURE, parse(arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut to = BufWriter::with_capacity(64 << 10, io::stdout());
    let mut status = DONE;
    for path in &options.paths {
        let source = match super::open(path) {
            Ok(source) => source,
            Err(error) => {
                // What came before stands before it.
                let _ = to.flush();
                eprintln!("strings: '{path}': {}", crate::reason(&error));
                status = FAILURE;
                continue;
            }
        };
        let shown = if path == "-" { "{standard input}" } else { path };
        if let Err(error) = one(BufReader::with_capacity(64 << 10, source), shown, &options, &mut to) {
            let _ = to.flush();
            eprintln!("strings: {path}: {}", crate::reason(&error));
            status = FAILURE;
        }
    }
    if let Err(error) = to.flush() {
        eprintln!("strings: write error: {}", crate::reason(&error));
        return FAILURE;
    }
    status
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options = Options {
        least: 4,
        shows_name: false,
        radix: None,
        encoding: Encoding::Seven,
        all_space: false,
        separator: "\n".to_owned(),
        paths: Vec::new(),
    };
    let mut parser = Parser::from_args(arguments);
    let mut digits = String::new();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        if !matches!(argument, Arg::Short('0'..='9')) {
            digits.clear();
        }
        let argument = match argument {
            Arg::Value(path) => {
                options.paths.push(crate::text(path)?);
                continue;
            }
            Arg::Short(letter) => letter.to_string(),
            Arg::Long(name) => name.to_owned(),
        };
        let mut value = || crate::value(&mut parser);
        match argument.as_str() {
            "a" | "all" => {}
            "f" | "print-file-name" => options.shows_name = true,
            "n" | "bytes" => options.least = least(&value()?)?,
            "o" => options.radix = Some('o'),
            "t" | "radix" => {
                let radix = value()?;
                match radix.as_str() {
                    "o" | "d" | "x" => options.radix = radix.chars().next(),
                    _ => return Err(format!("the radix is o, d or x, not '{radix}'")),
                }
            }
            "e" | "encoding" => {
                options.encoding = match value()?.as_str() {
                    "s" => Encoding::Seven,
                    "S" => Encoding::Eight,
                    "b" => Encoding::Wide(2, false),
                    "l" => Encoding::Wide(2, true),
                    "B" => Encoding::Wide(4, false),
                    "L" => Encoding::Wide(4, true),
                    other => return Err(format!("there is no encoding '{other}'")),
                }
            }
            "w" | "include-all-whitespace" => options.all_space = true,
            "s" | "output-separator" => options.separator = value()?,
            "h" | "help" => return Ok(None),
            digit if digit.len() == 1 && digit.as_bytes()[0].is_ascii_digit() => {
                digits.push_str(digit);
                options.least = least(&digits)?;
            }
            other => return Err(crate::unsupported(other)),
        }
    }
    if options.paths.is_empty() {
        options.paths.push("-".to_owned());
    }
    Ok(Some(options))
}

fn least(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err(format!("invalid minimum string length '{text}'")),
    }
}

fn one(source: impl BufRead, name: &str, options: &Options, to: &mut impl Write) -> io::Result<()> {
    let (width, lowest_first) = match options.encoding {
        Encoding::Wide(width, lowest_first) => (width, lowest_first),
        _ => (1, true),
    };
    let is_text = |byte: u8| match byte {
        b'\t' | 0x20..=0x7e => true,
        b'\n' | b'\r' | 0x0b | 0x0c => options.all_space,
        0x80.. => options.encoding == Encoding::Eight,
        _ => false,
    };
    let mut unit = Vec::with_capacity(width);
    // What may become a text, and whether it has.
    let (mut held, mut is_shown, mut at) = (Vec::new(), false, 0_u64);
    for byte in io::Read::bytes(source) {
        at += 1;
        unit.push(byte?);
        if unit.len() < width {
            continue;
        }
        let low = if lowest_first { unit[0] } else { unit[width - 1] };
        let is_plain = unit.iter().filter(|byte| **byte != 0).count() <= usize::from(low != 0);
        if is_plain && is_text(low) && low != 0 {
            unit.clear();
            if is_shown {
                to.write_all(&[low])?;
                continue;
            }
            held.push(low);
            if held.len() == options.least {
                let from = at - (held.len() * width) as u64;
                if options.shows_name {
                    write!(to, "{name}: ")?;
                }
                match options.radix {
                    Some('o') => write!(to, "{from:7o} ")?,
                    Some('d') => write!(to, "{from:7} ")?,
                    Some(_) => write!(to, "{from:7x} ")?,
                    None => {}
                }
                to.write_all(&held)?;
                held.clear();
                is_shown = true;
            }
            continue;
        }
        held.clear();
        if is_shown {
            to.write_all(options.separator.as_bytes())?;
            is_shown = false;
        }
        // Wide texts may begin at any byte.
        unit.remove(0);
    }
    if is_shown {
        to.write_all(options.separator.as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(arguments: &[&str], bytes: &[u8]) -> String {
        let options = parse(arguments.iter().map(OsString::from).collect()).unwrap().unwrap();
        let mut out = Vec::new();
        one(bytes, "f", &options, &mut out).unwrap();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn texts_are_found_with_their_places() {
        let bytes = b"\0\0foobar\n\x01abc\x02wxyz";
        assert_eq!(found(&[], bytes), "foobar\nwxyz\n");
        assert_eq!(found(&["-3", "-t", "d"], bytes), "      2 foobar\n     10 abc\n     14 wxyz\n");
        assert_eq!(found(&["-n5", "-f", "-o"], bytes), "f:       2 foobar\n");
        assert_eq!(found(&["-n", "10"], bytes), "");
        assert_eq!(found(&["-w"], b"ab\ncd\0"), "ab\ncd\n");
        assert_eq!(found(&["-el", "-tx"], b"\x01a\0b\0c\0d\0\0\0"), "      1 abcd\n");
        assert_eq!(found(&["-s", "|"], bytes), "foobar|wxyz|");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for wrong in [&["-n0"][..], &["-t", "q"], &["-Z"], &["-n"]] {
            assert!(parse(wrong.iter().map(OsString::from).collect()).is_err(), "{wrong:?}");
        }
    }
}
