//! hexdump, with its formats.

use std::ffi::OsString;
use std::io::{self, BufReader, BufWriter, Read, Write};

use lexopt::{Arg, Parser};

use super::Inputs;
use super::hexdump_format::{Format, Offset};

const DONE: i32 = 0;
const FAILURE: i32 = 1;

const HELP: &str = "\
Usage: hexdump [-b | -c | -C | -d | -o | -x] [-e FORMAT] [-f FILE] [-n LENGTH] [-s OFFSET] [-v] [FILE]...
Shows bytes: -C in hexadecimal with the text beside it, -b in octal, -c as characters, -d, -o, -x two at a time,
-e as FORMAT says: [ITERATIONS[/BYTES]] \"TEXT with %d %o %u %x %X %c %s %f %_c %_p %_u %_a[dox] %_A[dox]\"
";

/// What the short options mean, in the language of `-e`.
mod forms {
    pub const HEX: [&str; 2] = ["\"%07.7_Ax\n\"", "\"%07.7_ax\" 8/2 \" %04x\" \"\\n\""];
    pub const OCTAL_BYTES: [&str; 2] = ["\"%07.7_Ax\n\"", "\"%07.7_ax \" 16/1 \"%03o \" \"\\n\""];
    pub const CHARACTERS: [&str; 2] = ["\"%07.7_Ax\n\"", "\"%07.7_ax \" 16/1 \"%3_c \" \"\\n\""];
    pub const CANONICAL: [&str; 3] =
        ["\"%08.8_Ax\n\"", "\"%08.8_ax  \" 8/1 \"%02x \" \"  \" 8/1 \"%02x \" ", "\"  |\" 16/1 \"%_p\" \"|\\n\""];
    pub const DECIMAL: [&str; 2] = ["\"%07.7_Ax\n\"", "\"%07.7_ax \" 8/2 \"  %05u \" \"\\n\""];
    pub const OCTAL: [&str; 2] = ["\"%07.7_Ax\n\"", "\"%07.7_ax \" 8/2 \" %06o \" \"\\n\""];
    pub const HEX_WORDS: [&str; 2] = ["\"%07.7_Ax\n\"", "\"%07.7_ax \" 8/2 \"   %04x \" \"\\n\""];
}

struct Options {
    formats: Vec<Format>,
    /// Blanks at the ends of lines mean nothing in them.
    is_ours: bool,
    length: Option<u64>,
    skip: u64,
    shows_all: bool,
    paths: Vec<String>,
}

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match command_kit::options("hexdump", HELP, FAILURE, parse(arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut inputs = Inputs::new("hexdump", &options.paths);
    let mut to = BufWriter::with_capacity(64 << 10, io::stdout());
    let done = dump(&mut inputs, &options, &mut to).and_then(|()| to.flush());
    if let Err(error) = done {
        eprintln!("hexdump: {}", crate::reason(&error));
        return FAILURE;
    }
    if inputs.failed { FAILURE } else { DONE }
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options =
        Options { formats: Vec::new(), is_ours: true, length: None, skip: 0, shows_all: false, paths: Vec::new() };
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Value(path) => {
                options.paths.push(crate::text(path)?);
                continue;
            }
            Arg::Short(letter) => letter.to_string(),
            Arg::Long(name) => name.to_owned(),
        };
        let mut value = || crate::value(&mut parser);
        let ours: &[&str] = match name.as_str() {
            "b" | "one-byte-octal" => &forms::OCTAL_BYTES,
            "c" | "one-byte-char" => &forms::CHARACTERS,
            "C" | "canonical" => &forms::CANONICAL,
            "d" | "two-bytes-decimal" => &forms::DECIMAL,
            "o" | "two-bytes-octal" => &forms::OCTAL,
            "x" | "two-bytes-hex" => &forms::HEX_WORDS,
            _ => &[],
        };
        for form in ours {
            options.formats.push(Format::parse(form)?);
        }
        if !ours.is_empty() {
            continue;
        }
        match name.as_str() {
            "e" | "format" => {
                options.is_ours = false;
                options.formats.push(Format::parse(&value()?)?);
            }
            "f" | "format-file" => {
                options.is_ours = false;
                let path = value()?;
                let text =
                    std::fs::read_to_string(&path).map_err(|error| format!("{path}: {}", crate::reason(&error)))?;
                for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
                    options.formats.push(Format::parse(line)?);
                }
            }
            "n" | "length" => options.length = Some(super::number(&value()?)?),
            "s" | "skip" => options.skip = super::number(&value()?)?,
            "v" | "no-squeezing" => options.shows_all = true,
            "h" | "help" => return Ok(None),
            // There are no colours here in any case.
            "L" | "color" => drop(parser.optional_value()),
            other => return Err(crate::unsupported(other)),
        }
    }
    if options.formats.is_empty() {
        for form in forms::HEX {
            options.formats.push(Format::parse(form)?);
        }
    }
    Ok(Some(options))
}

fn dump(source: &mut impl Read, options: &Options, to: &mut impl Write) -> io::Result<()> {
    let mut source = BufReader::with_capacity(64 << 10, source);
    let skipped = io::copy(&mut source.by_ref().take(options.skip), &mut io::sink())?;
    if skipped < options.skip {
        return Err(io::Error::other("cannot skip beyond end of combined input"));
    }
    let mut source = source.take(options.length.unwrap_or(u64::MAX));
    let block = options.formats.iter().map(Format::bytes).max().unwrap_or(0);
    if block == 0 {
        return Err(io::Error::other("the formats take no bytes"));
    }
    let formats: Vec<Format> = options.formats.iter().map(|format| format.stretched(block)).collect();
    let (mut at, mut bytes) = (options.skip, vec![0; block]);
    let mut last: Option<Vec<u8>> = None;
    let mut is_starred = false;
    loop {
        let count = super::fill(&mut source, &mut bytes)?;
        if count == 0 {
            break;
        }
        // What is missing of the last block counts as zero, for numbers that are begun.
        bytes[count..].fill(0);
        if count == block && !options.shows_all {
            if last.as_ref() == Some(&bytes) {
                if !is_starred {
                    to.write_all(b"*\n")?;
                    is_starred = true;
                }
                at += block as u64;
                continue;
            }
            last = Some(bytes.clone());
            is_starred = false;
        }
        let mut line = Vec::new();
        for format in &formats {
            format.show(&bytes, count, at, &mut line);
        }
        if options.is_ours {
            trim(&mut line);
        }
        to.write_all(&line)?;
        at += count as u64;
    }
    if at > options.skip {
        for format in &formats {
            to.write_all(format.end(Offset(at)).as_bytes())?;
        }
    }
    Ok(())
}

/// Takes the blanks off the ends of lines.
fn trim(line: &mut Vec<u8>) {
    if line.ends_with(b" \n") {
        line.pop();
        let length = line.trim_ascii_end().len();
        line.truncate(length);
        line.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(arguments: &[&str], bytes: &[u8]) -> String {
        let options = parse(arguments.iter().map(OsString::from).collect()).unwrap().unwrap();
        let mut out = Vec::new();
        dump(&mut { bytes }, &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_option_has_its_form() {
        let simple = b"simple\n";
        assert_eq!(shown(&[], simple), "0000000 6973 706d 656c 000a\n0000007\n");
        assert_eq!(shown(&["-c"], simple), "0000000   s   i   m   p   l   e  \\n\n0000007\n");
        assert_eq!(shown(&["-d"], simple), "0000000   26995   28781   25964   00010\n0000007\n");
        assert_eq!(shown(&["-b"], simple), "0000000 163 151 155 160 154 145 012\n0000007\n");
        let canonical = "00000000  73 69 6d 70 6c 65 0a                              |simple.|\n00000007\n";
        assert_eq!(shown(&["-C"], simple), canonical);
        assert_eq!(shown(&["-s", "2", "-n3"], simple), "0000002 706d 006c\n0000005\n");
        assert_eq!(shown(&[], b""), "");
    }

    #[test]
    fn equal_lines_are_a_star() {
        let bytes = [b'a'; 48];
        let line = " 6161".repeat(8);
        assert_eq!(shown(&[], &bytes), format!("0000000{line}\n*\n0000030\n"));
        assert_eq!(shown(&["-v"], &bytes[..32]), format!("0000000{line}\n0000010{line}\n0000020\n"));
    }

    #[test]
    fn formats_are_ones_own() {
        assert_eq!(shown(&["-ve", "1/1 \"%02x\""], b"az"), "617a");
        assert_eq!(shown(&["-e", "4/1 \"%02x \" \"\\n\""], b"abcde"), "61 62 63 64\n65         \n");
        assert_eq!(shown(&["-e", "1/4 \"%d,\""], b"\x01\0\0\0\xff\xff\xff\xff"), "1,-1,");
        assert_eq!(shown(&["-e", "\"%_ad:\" 2/1 \" %_u\" \"\\n\""], b"a\n"), "0: a lf\n");
        assert_eq!(shown(&["-e", "\"%c|%3s|\""], b"abcd"), "a|bcd|");
        for wrong in ["2/", "\"%q\"", "\"x", "x", "\"%_z\"", "1/3 \"%d\""] {
            assert!(Format::parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(vec!["-Z".into()]).is_err());
    }
}
