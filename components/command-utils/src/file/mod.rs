//! file: what kind of data a file has, from its first bytes.

mod binary;
mod text;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, Read, Write};

use lexopt::{Arg, Parser};

const DONE: i32 = 0;
const FAILURE: i32 = 1;

/// What is looked at of a file.
const BYTES: u64 = 1 << 20;

const HELP: &str = "\
Usage: file [-bEhiLN0] [--mime-type] [--mime-encoding] [-F SEPARATOR] [-f LIST] FILE...
Says what kind of data files have, from their first bytes; - is stdin.
";

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shows {
    #[default]
    Words,
    Mime,
    MimeType,
    Encoding,
}

#[derive(Default)]
struct Options {
    brief: bool,
    shows: Shows,
    follows: bool,
    pads: bool,
    zero_ended: bool,
    fails: bool,
    separator: String,
    paths: Vec<String>,
}

/// What something is: in words, as a media type, and how its characters are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    words: String,
    mime: &'static str,
    encoding: &'static str,
}

impl Kind {
    fn new(words: impl Into<String>, mime: &'static str) -> Self {
        Self { words: words.into(), mime, encoding: "binary" }
    }
}

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match command_kit::options("file", HELP, FAILURE, parse(arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let width = options.paths.iter().map(|path| shown(path).chars().count()).max().unwrap_or(0);
    let (mut to, mut status) = (io::stdout().lock(), DONE);
    for path in &options.paths {
        let said = match kind(path, options.follows) {
            Ok(kind) => match options.shows {
                Shows::Words => kind.words,
                Shows::Mime => format!("{}; charset={}", kind.mime, kind.encoding),
                Shows::MimeType => kind.mime.to_owned(),
                Shows::Encoding => kind.encoding.to_owned(),
            },
            Err(error) => {
                if options.fails {
                    status = FAILURE;
                }
                format!("cannot open `{path}' ({})", crate::reason(&error))
            }
        };
        let name = shown(path);
        let padding = if options.pads { width - name.chars().count() } else { 0 };
        let end = if options.zero_ended { "\0" } else { "" };
        let written = match options.brief {
            true => writeln!(to, "{said}"),
            false => writeln!(to, "{name}{end}{} {:padding$}{said}", options.separator, ""),
        };
        if let Err(error) = written.and_then(|()| to.flush()) {
            eprintln!("file: write error: {}", crate::reason(&error));
            return FAILURE;
        }
    }
    status
}

fn shown(path: &str) -> &str {
    if path == "-" { "/dev/stdin" } else { path }
}

fn parse(arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut options = Options { pads: true, separator: ":".to_owned(), ..Options::default() };
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Value(path) => options.paths.push(crate::text(path)?),
            Arg::Short('b') | Arg::Long("brief") => options.brief = true,
            Arg::Short('i') | Arg::Long("mime") => options.shows = Shows::Mime,
            Arg::Long("mime-type") => options.shows = Shows::MimeType,
            Arg::Long("mime-encoding") => options.shows = Shows::Encoding,
            Arg::Short('L') | Arg::Long("dereference") => options.follows = true,
            Arg::Short('h') | Arg::Long("no-dereference") => options.follows = false,
            Arg::Short('N') | Arg::Long("no-pad") => options.pads = false,
            Arg::Short('0') | Arg::Long("print0") => options.zero_ended = true,
            Arg::Short('E') => options.fails = true,
            Arg::Short('F') | Arg::Long("separator") => options.separator = crate::value(&mut parser)?,
            Arg::Short('f') | Arg::Long("files-from") => {
                let list = crate::value(&mut parser)?;
                let source = open(&list).map_err(|error| format!("{list}: {}", crate::reason(&error)))?;
                for line in io::BufReader::new(source.take(BYTES)).lines() {
                    options.paths.push(line.map_err(|error| format!("{list}: {}", crate::reason(&error)))?);
                }
            }
            // What is found is always all there is to say, at once.
            Arg::Short('n' | 'p' | 's' | 'k' | 'r') | Arg::Long("no-buffer" | "preserve-date" | "special-files") => {}
            Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if options.paths.is_empty() {
        return Err("there is no file to look at".to_owned());
    }
    Ok(Some(options))
}

fn open(path: &str) -> io::Result<Box<dyn Read>> {
    Ok(if path == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) })
}

fn kind(path: &str, follows: bool) -> io::Result<Kind> {
    let mut size = None;
    if path != "-" {
        let data = fs::symlink_metadata(path)?;
        if data.is_symlink() && !follows {
            let target = fs::read_link(path)?;
            let what = if fs::metadata(path).is_ok() { "symbolic link" } else { "broken symbolic link" };
            return Ok(Kind::new(format!("{what} to {}", target.display()), "inode/symlink"));
        }
        let data = fs::metadata(path)?;
        if data.is_dir() {
            return Ok(Kind::new("directory", "inode/directory"));
        }
        size = Some(data.len());
    }
    let mut bytes = Vec::new();
    open(path)?.take(BYTES).read_to_end(&mut bytes)?;
    let is_whole = size.map_or((bytes.len() as u64) < BYTES, |size| size == bytes.len() as u64);
    Ok(of(&bytes, is_whole))
}

/// Of the first bytes.
fn of(bytes: &[u8], is_whole: bool) -> Kind {
    if bytes.is_empty() {
        return Kind::new("empty", "inode/x-empty");
    }
    binary::kind(bytes)
        .or_else(|| text::kind(bytes, is_whole))
        .unwrap_or_else(|| Kind::new("data", "application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_bytes() {
        let words = |bytes: &[u8]| of(bytes, true).words;
        assert_eq!(words(b""), "empty");
        assert_eq!(words(b"\0\x01\x02\xff"), "data");
        assert_eq!(words(b"GIF89a \0 \0\xc6"), "GIF image data, version 89a, 32 x 32");
        assert_eq!(words(b"!<arch>\nhello/"), "current ar archive");
        assert!(words(b"\x7fELF\x000000000000000000").starts_with("ELF, unknown class 0"));
        assert_eq!(words(b"\0asm\x01\0\0\0"), "WebAssembly (wasm) binary module version 0x1 (MVP)");
        assert_eq!(words(b"hello\n"), "ASCII text");
        assert_eq!(words("hällo".as_bytes()), "Unicode text, UTF-8 text, with no line terminators");
        assert_eq!(words(b"a\r\nb\r\n"), "ASCII text, with CRLF line terminators");
        assert_eq!(words(b"a\xe4b\n"), "ISO-8859 text");
        assert_eq!(words(b"#!  /bin/bash\n"), "Bourne-Again shell script, ASCII text executable");
        assert_eq!(words(b"#! /usr/bin/env python\nx\n"), "Python script, ASCII text executable");
        assert_eq!(words(b"#!/opt/odd -x\n"), "a /opt/odd -x script, ASCII text executable");
        assert_eq!(words(b"{\"a\": [1, 2]}\n"), "JSON text data");
        assert_eq!(words(b"<?xml version=\"1.0\"?><a/>"), "XML 1.0 document, ASCII text, with no line terminators");
        assert_eq!(of(b"{\"a\": 1}", true).mime, "application/json");
        assert_eq!(of(b"x\n", true).encoding, "us-ascii");
        assert_eq!(of(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], true).mime, "application/gzip");
    }
}
