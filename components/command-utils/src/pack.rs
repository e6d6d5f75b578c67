//! gzip, xz and zstd, with their other names.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use lexopt::{Arg, Parser, ValueExt};
use lzma_rust2::{XzOptions, XzReader, XzWriter};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::CompressionLevel;

const DONE: i32 = 0;
const FAILURE: i32 = 1;

/// KiB of memory that unpacking one file may take: what xz -9 asks for, four times.
const UNPACK_KIB_MAX: u32 = 256 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gzip,
    Xz,
    Zstd,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Pack,
    Unpack,
    Test,
}

struct Options {
    kind: Kind,
    act: Act,
    to_stdout: bool,
    /// What was packed stays.
    keep: bool,
    force: bool,
    level: u32,
    output: Option<String>,
    paths: Vec<String>,
}

pub fn run(name: &str, arguments: Vec<OsString>) -> i32 {
    let help = format!(
        "Usage: {name} [-d] [-c] [-k] [-f] [-t] [-0 … -9] [FILE]...\n\
         Packs files, or unpacks them; without FILE, or where it is -, stdin to stdout.\n"
    );
    let options = match command_kit::options(name, &help, FAILURE, parse(name, arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let mut status = DONE;
    for path in &options.paths {
        if let Err(error) = one(path, &options) {
            eprintln!("{name}: {path}: {}", crate::reason(&error));
            status = FAILURE;
        }
    }
    status
}

fn parse(name: &str, arguments: Vec<OsString>) -> Result<Option<Options>, String> {
    let kind = match name {
        "gzip" | "gunzip" | "zcat" => Kind::Gzip,
        "xz" | "unxz" | "xzcat" => Kind::Xz,
        _ => Kind::Zstd,
    };
    let mut options = Options {
        kind,
        act: if matches!(name, "gzip" | "xz" | "zstd") { Act::Pack } else { Act::Unpack },
        to_stdout: name.ends_with("cat"),
        // Of them only zstd keeps what it packs.
        keep: kind == Kind::Zstd,
        force: false,
        level: 6,
        output: None,
        paths: Vec::new(),
    };
    let mut parser = Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Arg::Short('z') | Arg::Long("compress") => options.act = Act::Pack,
            Arg::Short('d') | Arg::Long("decompress" | "uncompress") => options.act = Act::Unpack,
            Arg::Short('t') | Arg::Long("test") => options.act = Act::Test,
            Arg::Short('c') | Arg::Long("stdout" | "to-stdout") => options.to_stdout = true,
            Arg::Short('k') | Arg::Long("keep") => options.keep = true,
            Arg::Long("rm") if kind == Kind::Zstd => options.keep = false,
            Arg::Short('f') | Arg::Long("force") => options.force = true,
            Arg::Short('o') if kind == Kind::Zstd => options.output = Some(crate::value(&mut parser)?),
            // There is one thread, and nobody to look on.
            Arg::Short('n' | 'N') | Arg::Long("no-name" | "name") if kind == Kind::Gzip => {}
            Arg::Long("fast") => options.level = 1,
            Arg::Long("best") => options.level = 9,
            Arg::Short('T') | Arg::Long("threads") => drop(crate::value(&mut parser)?),
            Arg::Short('q' | 'v' | 'e') | Arg::Long("quiet" | "verbose" | "extreme") => {}
            Arg::Short(digit) if digit.is_ascii_digit() => options.level = digit.to_digit(10).unwrap_or(6),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(path) => options.paths.push(path.string().map_err(|_| "a file's name is no text")?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if options.paths.is_empty() {
        options.paths.push("-".to_owned());
    }
    if options.output.is_some() && options.paths.len() > 1 {
        return Err("-o goes with one file".to_owned());
    }
    Ok(Some(options))
}

fn one(path: &str, options: &Options) -> io::Result<()> {
    let source: Box<dyn Read> = match path {
        "-" => Box::new(io::stdin()),
        path if fs::metadata(path)?.is_dir() => return Err(io::Error::other("is a directory, skipping")),
        path => Box::new(File::open(path)?),
    };
    let source = BufReader::with_capacity(64 << 10, source);
    if options.act == Act::Test {
        return unpack(source, options.kind, io::sink());
    }
    if options.output.is_none() && (options.to_stdout || path == "-") {
        let mut to = BufWriter::with_capacity(64 << 10, io::stdout());
        work(source, options, &mut to)?;
        return to.flush();
    }
    let target = match &options.output {
        Some(output) => output.clone(),
        None => target(path, options)?,
    };
    if Path::new(&target).exists() && !options.force {
        return Err(io::Error::other(format!("{target}: File exists")));
    }
    let mut to = BufWriter::with_capacity(64 << 10, File::create(&target)?);
    if let Err(error) = work(source, options, &mut to).and_then(|()| to.flush()) {
        // Half a file is worse than none.
        drop(to);
        let _ = fs::remove_file(&target);
        return Err(error);
    }
    if options.keep { Ok(()) } else { fs::remove_file(path) }
}

fn target(path: &str, options: &Options) -> io::Result<String> {
    let endings: &[(&str, &str)] = match options.kind {
        Kind::Gzip => &[(".gz", ""), (".tgz", ".tar"), (".taz", ".tar"), ("-gz", ""), (".Z", "")],
        Kind::Xz => &[(".xz", ""), (".txz", ".tar")],
        Kind::Zstd => &[(".zst", ""), (".tzst", ".tar")],
    };
    let packed = endings.iter().find_map(|(ending, instead)| Some(format!("{}{instead}", path.strip_suffix(ending)?)));
    match (options.act, packed) {
        (Act::Pack, None) => Ok(format!("{path}{}", endings[0].0)),
        (Act::Pack, Some(_)) => Err(io::Error::other(format!("already has the suffix {}", endings[0].0))),
        (_, Some(target)) => Ok(target),
        (_, None) => Err(io::Error::other("unknown suffix: it is not known what to call it")),
    }
}

fn work(source: impl BufRead, options: &Options, to: &mut impl Write) -> io::Result<()> {
    match options.act {
        Act::Pack => pack(source, options, to),
        _ => unpack(source, options.kind, to),
    }
}

fn pack(mut source: impl Read, options: &Options, to: &mut impl Write) -> io::Result<()> {
    match options.kind {
        Kind::Gzip => {
            let mut writer = GzEncoder::new(to, Compression::new(options.level.clamp(1, 9)));
            io::copy(&mut source, &mut writer)?;
            writer.finish().map(drop)
        }
        Kind::Xz => {
            let mut writer = XzWriter::new(to, XzOptions::with_preset(options.level))?;
            io::copy(&mut source, &mut writer)?;
            writer.finish().map(drop)
        }
        Kind::Zstd => {
            // It has one level. It panics where reading or writing fails, so that neither is left to it.
            let mut bytes = Vec::new();
            source.read_to_end(&mut bytes)?;
            to.write_all(&ruzstd::encoding::compress_to_vec(&*bytes, CompressionLevel::Fastest))
        }
    }
}

fn unpack(mut source: impl BufRead, kind: Kind, mut to: impl Write) -> io::Result<()> {
    match kind {
        Kind::Gzip => io::copy(&mut MultiGzDecoder::new(source), &mut to).map(drop),
        Kind::Xz => {
            let mut reader = XzReader::new_mem_limit(source, true, UNPACK_KIB_MAX);
            io::copy(&mut reader, &mut to).map(drop)
        }
        Kind::Zstd => {
            // One frame after the other.
            let mut is_first = true;
            while is_first || !source.fill_buf()?.is_empty() {
                is_first = false;
                let broken =
                    |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
                let mut decoder = StreamingDecoder::new(&mut source).map_err(|error| broken(&error))?;
                io::copy(&mut decoder, &mut to)?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(name: &str, arguments: &[&str]) -> Options {
        parse(name, arguments.iter().map(OsString::from).collect()).unwrap().unwrap()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(|n| (n % 977).to_le_bytes()).collect();
        for name in ["gzip", "xz", "zstd"] {
            let options = options(name, &["-1"]);
            let mut packed = Vec::new();
            pack(&*text, &options, &mut packed).unwrap();
            assert!(packed.len() < text.len() / 2, "{name}: {} of {}", packed.len(), text.len());
            // Two in a row are one text.
            let twice = [packed.clone(), packed.clone()].concat();
            let mut unpacked = Vec::new();
            unpack(&*twice, options.kind, &mut unpacked).unwrap();
            assert!(unpacked == [text.clone(), text.clone()].concat(), "{name}");
            assert!(unpack(&packed[..packed.len() / 2], options.kind, io::sink()).is_err(), "{name}");
        }
    }

    #[test]
    fn names_follow_from_names() {
        assert_eq!(target("a.txt", &options("xz", &["a"])).unwrap(), "a.txt.xz");
        assert_eq!(target("a.tzst", &options("unzstd", &["a"])).unwrap(), "a.tar");
        assert!(target("a.xz", &options("xz", &["a"])).is_err());
        assert!(target("a.txt", &options("xz", &["-d", "a"])).is_err());
    }

    #[test]
    fn a_file_takes_the_place_of_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a").display().to_string();
        fs::write(&path, "text").unwrap();
        one(&path, &options("xz", &[&path])).unwrap();
        assert!(!Path::new(&path).exists());
        let packed = format!("{path}.xz");
        one(&packed, &options("xz", &["-dk", &packed])).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
        assert!(Path::new(&packed).exists());
        assert!(one(&packed, &options("xz", &["-d", &packed])).is_err());
    }
}
