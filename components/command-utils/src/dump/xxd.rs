//! xxd: bytes as hexadecimal digits, and back.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

const DONE: i32 = 0;
const USAGE: i32 = 1;
const FAILURE: i32 = 2;

/// Bytes on a line.
const COLUMNS_MAX: usize = 256;

/// Of a line of a dump that is read back.
const LINE_BYTES_MAX: u64 = 1 << 20;

const HELP: &str = "\
Usage: xxd [options] [infile [outfile]]
   or: xxd -r [-s [-]offset] [-ps | -i] [infile [outfile]]
  -a  a single '*' for lines of zeros   -b  bits          -C  capitals in names (-i)
  -c cols  bytes on a line              -d  decimal offsets  -e  little-endian groups
  -g bytes  in a group                  -i  as C          -l len  stop after so many
  -n name  in C                         -o off  added to offsets  -ps  plain
  -r  back to bytes                     -s [+][-]seek  begin there  -u  upper case
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Hex,
    Bits,
    Little,
    Plain,
    Include,
}

#[derive(Clone)]
struct Options {
    style: Style,
    reverse: bool,
    columns: Option<usize>,
    group: Option<usize>,
    skips_zeros: bool,
    capital_names: bool,
    decimal: bool,
    upper: bool,
    length: Option<u64>,
    offset: i64,
    /// From the beginning; or before the end.
    seek: Option<(u64, bool)>,
    name: Option<String>,
    operands: Vec<String>,
}

pub fn run(arguments: Vec<OsString>) -> i32 {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let options = match command_kit::options("xxd", HELP, USAGE, parse(&words)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let worked = if options.reverse { back(&options) } else { dump(&options) };
    match worked {
        Ok(()) => DONE,
        Err(message) => {
            eprintln!("xxd: {message}");
            FAILURE
        }
    }
}

/// Its options are words after one dash, or letters together.
fn parse(words: &[String]) -> Result<Option<Options>, String> {
    let mut options = Options {
        style: Style::Hex,
        reverse: false,
        columns: None,
        group: None,
        skips_zeros: false,
        capital_names: false,
        decimal: false,
        upper: false,
        length: None,
        offset: 0,
        seek: None,
        name: None,
        operands: Vec::new(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            options.operands.extend(words.cloned());
            break;
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            options.operands.push(word.clone());
            continue;
        };
        let letters = match letters.trim_start_matches('-') {
            "ps" | "postscript" | "plain" => "p",
            "autoskip" => "a",
            "bits" => "b",
            "cols" => "c",
            "capitalize" => "C",
            "decimal" => "d",
            "groupsize" => "g",
            "help" => "h",
            "include" => "i",
            "len" => "l",
            "name" => "n",
            "offset" => "o",
            "revert" => "r",
            "seek" | "skip" => "s",
            "upper" | "uppercase" => "u",
            other => other,
        };
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let mut value = || match std::mem::take(&mut rest) {
                "" => words.next().cloned().ok_or_else(|| format!("option -{letter} needs a value")),
                joined => Ok(joined.to_owned()),
            };
            match letter {
                'a' => options.skips_zeros = !options.skips_zeros,
                'b' => options.style = Style::Bits,
                'c' => options.columns = Some(small(&value()?)?),
                'C' => options.capital_names = true,
                'd' => options.decimal = true,
                'e' => options.style = Style::Little,
                'g' => options.group = Some(small(&value()?)?),
                'h' => return Ok(None),
                'i' => options.style = Style::Include,
                'l' => options.length = Some(super::number(&value()?)?),
                'n' => options.name = Some(value()?),
                'o' => options.offset = signed(&value()?)?,
                'p' => options.style = Style::Plain,
                'r' => options.reverse = true,
                's' => {
                    let text = value()?;
                    let text = text.strip_prefix('+').unwrap_or(&text);
                    options.seek = Some(match text.strip_prefix('-') {
                        Some(text) => (super::number(text)?, true),
                        None => (super::number(text)?, false),
                    });
                }
                'u' => options.upper = true,
                other => return Err(format!("option -{other} is not supported in this sandbox")),
            }
        }
    }
    if options.operands.len() > 2 {
        return Err("too many files".to_owned());
    }
    if options.reverse && matches!(options.style, Style::Bits | Style::Little) {
        return Err("-r goes with neither -b nor -e".to_owned());
    }
    let columns_max = if options.style == Style::Plain { usize::MAX } else { COLUMNS_MAX };
    if options.columns.is_some_and(|columns| columns > columns_max || (columns == 0 && options.style != Style::Plain)) {
        return Err(format!("invalid number of columns (max. {COLUMNS_MAX})"));
    }
    if options.style == Style::Little && options.group.is_some_and(|group| !group.is_power_of_two()) {
        return Err("number of octets per group must be a power of 2 with -e".to_owned());
    }
    Ok(Some(options))
}

fn small(text: &str) -> Result<usize, String> {
    let number = super::number(text)?;
    usize::try_from(number).map_err(|_| format!("the number '{text}' is too large"))
}

fn signed(text: &str) -> Result<i64, String> {
    let (digits, sign) = text.strip_prefix('-').map_or((text.trim_start_matches('+'), 1), |digits| (digits, -1));
    i64::try_from(super::number(digits)?)
        .map(|number| number * sign)
        .map_err(|_| format!("the number '{text}' is too large"))
}

/// What is read, and its name where it is a file.
fn source(options: &Options) -> Result<(Box<dyn Read>, Option<&str>), String> {
    let path = options.operands.first().map_or("-", String::as_str);
    let told = |error: io::Error| format!("{path}: {}", crate::reason(&error));
    if path == "-" {
        let mut source: Box<dyn Read> = Box::new(io::stdin());
        match options.seek.filter(|_| !options.reverse) {
            Some((_, true)) => return Err("cannot seek before the end of stdin".to_owned()),
            Some((from, false)) => drop(io::copy(&mut source.by_ref().take(from), &mut io::sink()).map_err(told)?),
            None => {}
        }
        return Ok((source, None));
    }
    let mut file = File::open(path).map_err(told)?;
    match options.seek.filter(|_| !options.reverse) {
        Some((from, false)) => drop(file.seek(SeekFrom::Start(from)).map_err(told)?),
        Some((from, true)) => {
            let length = file.metadata().map_err(told)?.len();
            let from = length.checked_sub(from).ok_or_else(|| format!("{path}: cannot seek before its beginning"))?;
            file.seek(SeekFrom::Start(from)).map_err(told)?;
        }
        None => {}
    }
    Ok((Box::new(file), Some(path)))
}

fn write_error(error: io::Error) -> String {
    format!("write error: {}", crate::reason(&error))
}

fn dump(options: &Options) -> Result<(), String> {
    let (source, name) = source(options)?;
    let mut begin = match options.seek {
        Some((from, false)) => from,
        Some((from, true)) => {
            let length = name.and_then(|name| std::fs::metadata(name).ok()).map_or(0, |data| data.len());
            length.saturating_sub(from)
        }
        None => 0,
    };
    begin = begin.wrapping_add_signed(options.offset);
    let mut source = BufReader::with_capacity(64 << 10, source.take(options.length.unwrap_or(u64::MAX)));
    let mut to: Box<dyn Write> = match options.operands.get(1).map(String::as_str) {
        None | Some("-") => Box::new(BufWriter::with_capacity(64 << 10, io::stdout())),
        Some(path) => {
            let file = File::create(path).map_err(|error| format!("{path}: {}", crate::reason(&error)))?;
            Box::new(BufWriter::new(file))
        }
    };
    let read_error = |error: io::Error| format!("{}: {}", name.unwrap_or("stdin"), crate::reason(&error));
    match options.style {
        Style::Plain => plain(&mut source, &mut to, options),
        Style::Include => include(&mut source, &mut to, name, options),
        _ => lines(&mut source, &mut to, begin, options),
    }
    .map_err(|error| match error {
        Wrong::Read(error) => read_error(error),
        Wrong::Write(error) => write_error(error),
    })?;
    to.flush().map_err(write_error)
}

enum Wrong {
    Read(io::Error),
    Write(io::Error),
}

fn digits(byte: u8, upper: bool) -> String {
    if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }
}

fn plain(source: &mut impl Read, to: &mut impl Write, options: &Options) -> Result<(), Wrong> {
    let columns = options.columns.unwrap_or(30);
    let mut line = vec![0; if columns == 0 { 4096 } else { columns.min(1 << 20) }];
    let mut ends_open = false;
    loop {
        let count = super::fill(source, &mut line).map_err(Wrong::Read)?;
        if count == 0 {
            break;
        }
        let mut text: String = line[..count].iter().map(|byte| digits(*byte, options.upper)).collect();
        ends_open = columns == 0;
        if !ends_open {
            text.push('\n');
        }
        to.write_all(text.as_bytes()).map_err(Wrong::Write)?;
    }
    if ends_open { to.write_all(b"\n").map_err(Wrong::Write) } else { Ok(()) }
}

fn include(source: &mut impl Read, to: &mut impl Write, file: Option<&str>, options: &Options) -> Result<(), Wrong> {
    let name = options.name.as_deref().or(file).map(|name| {
        let mut plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if plain.starts_with(|c: char| c.is_ascii_digit()) {
            plain.insert_str(0, "__");
        }
        if options.capital_names { plain.to_ascii_uppercase() } else { plain }
    });
    if let Some(name) = &name {
        writeln!(to, "unsigned char {name}[] = {{").map_err(Wrong::Write)?;
    }
    let mut line = vec![0; options.columns.unwrap_or(12)];
    let mut total = 0;
    loop {
        let count = super::fill(source, &mut line).map_err(Wrong::Read)?;
        if count == 0 {
            break;
        }
        let prefix = if options.upper { "0X" } else { "0x" };
        let bytes: Vec<String> =
            line[..count].iter().map(|byte| format!("{prefix}{}", digits(*byte, options.upper))).collect();
        let between = if total > 0 { ",\n" } else { "" };
        write!(to, "{between}  {}", bytes.join(", ")).map_err(Wrong::Write)?;
        total += count;
    }
    if total > 0 {
        writeln!(to).map_err(Wrong::Write)?;
    }
    if let Some(name) = &name {
        let length = if options.capital_names { "LEN" } else { "len" };
        writeln!(to, "}};\nunsigned int {name}_{length} = {total};").map_err(Wrong::Write)?;
    }
    Ok(())
}

/// Where lines of zeros go: the first stands, of further ones a `*`, unless there is only one.
#[derive(Default)]
struct Zeros {
    seen: u64,
    second: Vec<u8>,
    last: Vec<u8>,
}

impl Zeros {
    fn line(&mut self, line: Vec<u8>, is_zero: bool, to: &mut impl Write) -> io::Result<()> {
        if !is_zero {
            match self.seen {
                0 | 1 => {}
                2 => to.write_all(&self.second)?,
                _ => to.write_all(b"*\n")?,
            }
            self.seen = 0;
            return to.write_all(&line);
        }
        self.seen += 1;
        match self.seen {
            1 => to.write_all(&line)?,
            2 => self.second.clone_from(&line),
            _ => {}
        }
        self.last = line;
        Ok(())
    }

    /// The last line stands in any case.
    fn end(&mut self, to: &mut impl Write) -> io::Result<()> {
        match self.seen {
            0 | 1 => return Ok(()),
            2 => {}
            3 => to.write_all(&self.second)?,
            _ => to.write_all(b"*\n")?,
        }
        to.write_all(&self.last)
    }
}

fn lines(source: &mut impl Read, to: &mut impl Write, begin: u64, options: &Options) -> Result<(), Wrong> {
    let bits = options.style == Style::Bits;
    let columns = options.columns.unwrap_or(if bits { 6 } else { 16 });
    let default = match options.style {
        Style::Bits => 1,
        Style::Little => 4,
        _ => 2,
    };
    let group = options.group.filter(|group| *group > 0 && *group <= columns).unwrap_or(match options.group {
        Some(_) => columns,
        None => default,
    });
    // A group, with the blank after it.
    let width = if bits { 8 } else { 2 } * group + 1;
    let mut at = begin;
    let mut bytes = vec![0; columns];
    let mut zeros = Zeros::default();
    loop {
        let count = super::fill(source, &mut bytes).map_err(Wrong::Read)?;
        if count == 0 {
            break;
        }
        let mut line = if options.decimal { format!("{at:08}:") } else { format!("{at:08x}:") }.into_bytes();
        let text_at = line.len() + 3 + (width * columns - 1) / group;
        let base = line.len() + 1;
        line.resize(text_at.max(base + width * columns.div_ceil(group)), b' ');
        for (place, byte) in bytes[..count].iter().enumerate() {
            let seat = if options.style == Style::Little { place ^ (group - 1) } else { place };
            let column = base + (width * seat) / group;
            let shown = if bits { format!("{byte:08b}") } else { digits(*byte, options.upper) };
            if line.len() < column + shown.len() {
                line.resize(column + shown.len(), b' ');
            }
            line[column..column + shown.len()].copy_from_slice(shown.as_bytes());
        }
        line.resize(text_at, b' ');
        line.extend(bytes[..count].iter().map(|byte| if (0x20..0x7f).contains(byte) { *byte } else { b'.' }));
        line.push(b'\n');
        let is_zero = options.skips_zeros && count == columns && bytes[..count].iter().all(|byte| *byte == 0);
        zeros.line(line, is_zero, to).map_err(Wrong::Write)?;
        at = at.wrapping_add(count as u64);
    }
    zeros.end(to).map_err(Wrong::Write)
}

/// Where bytes go that have a place: a file is patched, a stream only goes forward.
enum Target {
    File(BufWriter<File>),
    Stream(BufWriter<io::Stdout>, u64),
}

impl Target {
    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::File(file) => {
                let is_there = file.stream_position().map_err(write_error)? == at;
                if !is_there {
                    file.seek(SeekFrom::Start(at)).map_err(write_error)?;
                }
                file.write_all(bytes).map_err(write_error)
            }
            Self::Stream(stream, place) => {
                let gap = at.checked_sub(*place).ok_or("Sorry, cannot seek backwards.")?;
                io::copy(&mut io::repeat(0).take(gap), stream).map_err(write_error)?;
                *place = at + bytes.len() as u64;
                stream.write_all(bytes).map_err(write_error)
            }
        }
    }

    fn end(self) -> Result<(), String> {
        match self {
            Self::File(mut file) => file.flush().map_err(write_error),
            Self::Stream(mut stream, _) => stream.flush().map_err(write_error),
        }
    }
}

fn back(options: &Options) -> Result<(), String> {
    let (source, _) = source(options)?;
    let mut source = BufReader::with_capacity(64 << 10, source);
    let mut to = match options.operands.get(1).map(String::as_str) {
        None | Some("-") => Target::Stream(BufWriter::new(io::stdout()), 0),
        Some(path) => {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
            Target::File(BufWriter::new(file.map_err(|error| format!("{path}: {}", crate::reason(&error)))?))
        }
    };
    let shift = match options.seek {
        Some((by, false)) => i64::try_from(by).map_err(|_| "the offset is too large")?,
        Some((by, true)) => -i64::try_from(by).map_err(|_| "the offset is too large")?,
        None => 0,
    };
    let columns = options.columns.unwrap_or(16);
    let mut at = 0_u64;
    // A digit whose other half is on the next line.
    let mut half = None;
    loop {
        let mut line = Vec::new();
        let told = |error: io::Error| format!("stdin: {}", crate::reason(&error));
        source.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(told)?;
        if line.is_empty() {
            break;
        }
        let bytes = match options.style {
            Style::Plain => plain_line(&line, &mut half),
            Style::Include => include_line(&line)?,
            _ => match line_back(&line, columns) {
                Some((place, bytes)) => {
                    at = place.checked_add_signed(shift).ok_or("Sorry, cannot seek backwards.")?;
                    bytes
                }
                None => continue,
            },
        };
        if !bytes.is_empty() {
            to.put(at, &bytes)?;
            at += bytes.len() as u64;
        }
    }
    to.end()
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn plain_line(line: &[u8], half: &mut Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for digit in line.iter().filter_map(|byte| nibble(*byte)) {
        match half.take() {
            Some(high) => bytes.push(high << 4 | digit),
            None => *half = Some(digit),
        }
    }
    bytes
}

fn include_line(line: &[u8]) -> Result<Vec<u8>, String> {
    let text = String::from_utf8_lossy(line);
    // What stands around the bytes: `unsigned char x[] = {` and what follows them.
    if text.contains("unsigned") {
        return Ok(Vec::new());
    }
    let words =
        text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !matches!(*word, "" | "{" | "}" | "};"));
    words
        .map(|word| {
            let digits = word.trim_start_matches("0x").trim_start_matches("0X");
            u8::from_str_radix(digits, 16).map_err(|_| format!("{word:?} is no byte"))
        })
        .collect()
}

/// Offset and bytes; what stands after two blanks is the text beside them. None: it is no line of a dump.
fn line_back(line: &[u8], columns: usize) -> Option<(u64, Vec<u8>)> {
    let line = line.trim_ascii_start();
    let length = line.iter().take_while(|byte| nibble(**byte).is_some()).count();
    let digits = std::str::from_utf8(&line[..length]).ok()?;
    let place = u64::from_str_radix(digits, 16).ok()?;
    let mut rest = &line[length..];
    if rest.first() == Some(&b':') {
        rest = &rest[1..];
    }
    rest = rest.trim_ascii_start();
    let mut bytes = Vec::new();
    while bytes.len() < columns {
        let [high, low, after @ ..] = rest else { break };
        let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else { break };
        bytes.push(high << 4 | low);
        rest = after;
        if let [b' ', more @ ..] = rest {
            if matches!(more.first(), None | Some(b' ')) {
                break;
            }
            rest = more;
        }
    }
    Some((place, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Options {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        parse(&words).unwrap().unwrap()
    }

    fn shown(words: &[&str], bytes: &[u8]) -> String {
        let (options, mut out) = (options(words), Vec::new());
        let mut source = bytes;
        let done = match options.style {
            Style::Plain => plain(&mut source, &mut out, &options),
            Style::Include => include(&mut source, &mut out, None, &options),
            _ => lines(&mut source, &mut out, 0, &options),
        };
        assert!(done.is_ok());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_style_has_its_columns() {
        assert_eq!(shown(&["-e"], b"he"), "00000000:     6568                             he\n");
        assert_eq!(shown(&["-e"], b"hello"), "00000000: 6c6c6568       6f                    hello\n");
        assert_eq!(shown(&["-b", "-c", "2"], b"ab"), "00000000: 01100001 01100010  ab\n");
        assert_eq!(shown(&["-p", "-c0"], b"ab\0"), "616200\n");
        assert_eq!(shown(&["-pc2"], b"abc"), "6162\n63\n");
        assert_eq!(
            shown(&["-i", "-n", "1x"], b"a"),
            "unsigned char __1x[] = {\n  0x61\n};\nunsigned int __1x_len = 1;\n"
        );
        assert_eq!(shown(&["-u", "-g1", "-c4", "-d"], b"\xff\n"), "00000000: FF 0A        ..\n");
        let zeros = shown(&["-a", "-c4"], &[0; 20]);
        assert_eq!(zeros, "00000000: 0000 0000  ....\n*\n00000010: 0000 0000  ....\n");
    }

    #[test]
    fn a_dump_is_read_back() {
        for width in ["-g1", "-g2", "-g4", "-g0"] {
            for length in 0..40_u8 {
                let bytes: Vec<u8> = (0..length).map(|n| b'a' + n % 6).collect();
                let text = shown(&[width], &bytes);
                let read: Vec<u8> = text.lines().flat_map(|line| line_back(line.as_bytes(), 16).unwrap().1).collect();
                assert_eq!(read, bytes, "{width} {text}");
            }
        }
        assert_eq!(line_back(b"  10  7468 6973  this", 16), Some((16, b"this".to_vec())));
        assert_eq!(line_back(b"nothing", 16), None);
        let mut half = None;
        assert_eq!((plain_line(b"6 16\n", &mut half), plain_line(b"2", &mut half)), (b"a".to_vec(), b"b".to_vec()));
        assert_eq!(include_line(b"  0x61, 0x62,\n").unwrap(), b"ab");
        assert!(include_line(b"0xzz").is_err());
    }
}
