//! uuencode and uudecode: POSIX, with base64.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lexopt::{Arg, Parser};

const DONE: i32 = 0;
const FAILURE: i32 = 1;

/// Bits of what is no file.
const MODE: u32 = 0o744;

/// A line that is longer is none of theirs.
const LINE_BYTES_MAX: u64 = 1 << 20;

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let result = match name {
        "uuencode" => encode(arguments),
        _ => decode(arguments),
    };
    match result {
        Ok(()) => DONE,
        Err(message) => {
            eprintln!("{name}: {message}");
            FAILURE
        }
    }
}

fn write_error(error: io::Error) -> String {
    format!("write error: {}", crate::reason(&error))
}

fn encode(arguments: Vec<OsString>) -> Result<(), String> {
    let mut parser = Parser::from_args(arguments);
    let (mut base64, mut operands) = (false, Vec::new());
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('m') | Arg::Long("base64") => base64 = true,
            Arg::Long("help") => {
                println!(
                    "Usage: uuencode [-m] [INFILE] REMOTEFILE\nWrites INFILE, or stdin, as text that uudecode reads; -m: in base64."
                );
                return Ok(());
            }
            Arg::Value(value) => operands.push(crate::text(value)?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    let (path, called) = match &operands[..] {
        [called] => ("-", called),
        [path, called] => (path.as_str(), called),
        _ => return Err("it takes the name that the file gets, after the file itself if it is not stdin".to_owned()),
    };
    let told = |error: io::Error| format!("{path}: {}", crate::reason(&error));
    let mut source = super::open(path).map_err(told)?;
    let mode = match std::fs::metadata(path) {
        Ok(data) if path != "-" => command_kit::modes::shown(Path::new(path), data.file_type()),
        _ => MODE,
    };
    let mut to = BufWriter::new(io::stdout());
    writeln!(to, "begin{} {mode:03o} {called}", if base64 { "-base64" } else { "" }).map_err(write_error)?;
    let mut bytes = [0; 45];
    loop {
        let count = super::fill(&mut source, &mut bytes).map_err(told)?;
        if count == 0 {
            break;
        }
        if base64 {
            writeln!(to, "{}", STANDARD.encode(&bytes[..count])).map_err(write_error)?;
        } else {
            to.write_all(&line(&bytes[..count])).map_err(write_error)?;
        }
    }
    to.write_all(if base64 { b"====\n" } else { b"`\nend\n" }).and_then(|()| to.flush()).map_err(write_error)
}

/// Six bits; zero is a backquote, for blanks get lost.
fn letter(bits: u8) -> u8 {
    if bits == 0 { b'`' } else { bits + 32 }
}

fn line(bytes: &[u8]) -> Vec<u8> {
    let mut line = vec![letter(bytes.len() as u8)];
    for three in bytes.chunks(3) {
        let at = |index: usize| three.get(index).copied().unwrap_or(0);
        let (a, b, c) = (at(0), at(1), at(2));
        line.extend([a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63].map(letter));
    }
    line.push(b'\n');
    line
}

fn decode(arguments: Vec<OsString>) -> Result<(), String> {
    let mut parser = Parser::from_args(arguments);
    let (mut output, mut paths) = (None, Vec::new());
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('o') | Arg::Long("output-file") => {
                output = Some(crate::value(&mut parser)?);
            }
            Arg::Long("help") => {
                println!(
                    "Usage: uudecode [-o OUTFILE] [FILE]...\nWrites the file that a text of uuencode has, under the name in it or OUTFILE."
                );
                return Ok(());
            }
            Arg::Value(value) => paths.push(crate::text(value)?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if paths.is_empty() {
        paths.push("-".to_owned());
    }
    for path in paths {
        let source = super::open(&path).map_err(|error| format!("{path}: {}", crate::reason(&error)))?;
        one(BufReader::new(source), output.as_deref()).map_err(|why| format!("{path}: {why}"))?;
    }
    Ok(())
}

fn next_line(source: &mut impl BufRead) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    source.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(|error| crate::reason(&error))?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 == LINE_BYTES_MAX {
        return Err("a line is too long".to_owned());
    }
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(line))
}

fn one(mut source: impl BufRead, output: Option<&str>) -> Result<(), String> {
    let (base64, mode, called) = loop {
        let line = next_line(&mut source)?.ok_or("there is no `begin' line")?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.splitn(3, ' ');
        let kind = words.next().unwrap_or_default();
        let mode = words.next().unwrap_or_default();
        let is_mode = !mode.is_empty() && mode.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        if let (true, "begin" | "begin-base64", Some(called)) = (is_mode, kind, words.next()) {
            break (kind == "begin-base64", mode.to_owned(), called.to_owned());
        }
    };
    let target = output.unwrap_or(&called);
    let mut to: Box<dyn Write> = match target {
        "-" | "/dev/stdout" => Box::new(BufWriter::new(io::stdout())),
        path => {
            let file = File::create(path).map_err(|error| format!("{path}: {}", crate::reason(&error)))?;
            Box::new(BufWriter::new(file))
        }
    };
    // Base64 may break anywhere; what is no whole group waits for the next line.
    let mut held = Vec::new();
    loop {
        let line = next_line(&mut source)?.ok_or("it ends before its end: the last line is missing")?;
        if base64 {
            if line == b"====" {
                break;
            }
            held.extend(line.into_iter().filter(|byte| !byte.is_ascii_whitespace()));
            let whole = held.len() / 4 * 4;
            let bytes = STANDARD.decode(&held[..whole]).map_err(|error| format!("it is no base64: {error}"))?;
            held.drain(..whole);
            to.write_all(&bytes).map_err(write_error)?;
            continue;
        }
        if line == b"end" {
            break;
        }
        to.write_all(&bytes(&line)?).map_err(write_error)?;
    }
    if !held.is_empty() {
        return Err("it is no base64: it ends in the midst of a group".to_owned());
    }
    to.flush().map_err(write_error)?;
    if let (Ok(mode), false) = (u32::from_str_radix(&mode, 8), matches!(target, "-" | "/dev/stdout")) {
        // As elsewhere, bits that cannot be set are no reason to fail.
        let _ = command_kit::modes::set(Path::new(target), mode & 0o777);
    }
    Ok(())
}

fn bytes(line: &[u8]) -> Result<Vec<u8>, String> {
    let bits = |byte: u8| byte.wrapping_sub(32) & 63;
    let Some((first, rest)) = line.split_first() else { return Ok(Vec::new()) };
    if let Some(wrong) = line.iter().find(|byte| !(32..=96).contains(*byte)) {
        return Err(format!("a line has the character {:?}, which is none of uuencode's", char::from(*wrong)));
    }
    let length = usize::from(bits(*first));
    let mut bytes = Vec::new();
    for four in rest.chunks(4) {
        // Blanks at the end may be lost.
        let at = |index: usize| four.get(index).map_or(0, |byte| bits(*byte));
        let (a, b, c, d) = (at(0), at(1), at(2), at(3));
        bytes.extend([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
    }
    if bytes.len() < length && length - bytes.len() > 2 {
        return Err("a line is shorter than it says".to_owned());
    }
    bytes.resize(length, 0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_there_and_back() {
        assert_eq!(line(b"a"), b"!80``\n");
        assert_eq!(line(b"ab"), b"\"86(`\n");
        for length in 0..=45 {
            let text: Vec<u8> = (0..length).map(|n| (n * 37) as u8).collect();
            let line = line(&text);
            assert_eq!(bytes(&line[..line.len() - 1]).unwrap(), text);
        }
        assert_eq!(bytes(b"\"86(").unwrap(), b"ab");
        assert!(bytes(b"M80``").is_err() && bytes(b"!80\x7f`").is_err());
    }

    #[test]
    fn a_file_is_found_in_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out").display().to_string();
        let decoded = |text: &str| one(text.as_bytes(), Some(&path)).map(|()| std::fs::read(&path).unwrap());
        assert_eq!(decoded("mail\n\nbegin 644 x\n\"86( \n`\nend\n").unwrap(), b"ab");
        assert_eq!(decoded("begin-base64 644 x\nYWJ\nj\n====\n").unwrap(), b"abc");
        for wrong in ["", "begin 644 x\n\"86(`\n", "begin-base64 644 x\n!!!!\n====\n", "begin-base64 644 x\nYW\n====\n"]
        {
            assert!(decoded(wrong).is_err(), "{wrong}");
        }
    }
}
