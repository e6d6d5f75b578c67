//! Tools that work on files as fast as they can, for the benchmarks.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use tool_kit::{Context, Outcome, ToolError};

use crate::{Passes, Tree};

type Result = std::result::Result<Outcome, ToolError>;

/// What programs usually read and write at a time, or a little more.
const PIECE_BYTES: usize = 64 << 10;

#[derive(Default)]
struct Seen {
    files: u64,
    directories: u64,
    /// As the metadata says, or as many as were read.
    bytes: u64,
}

pub fn walk(input: Tree, _: &Context) -> Result {
    let mut seen = Seen::default();
    descend(Path::new(&input.path), &input, &mut vec![0; PIECE_BYTES], &mut seen)
        .map_err(|error| ToolError::failed(format!("{}: {error}", input.path)))?;
    Ok(Outcome::text(format!("{} files, {} directories, {} bytes", seen.files, seen.directories, seen.bytes)))
}

fn descend(directory: &Path, input: &Tree, buffer: &mut [u8], seen: &mut Seen) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            seen.directories += 1;
            descend(&entry.path(), input, buffer, seen)?;
            continue;
        }
        seen.files += 1;
        let size = if input.stat { fs::metadata(entry.path())?.len() } else { 0 };
        seen.bytes += if input.read { drain(&mut File::open(entry.path())?, buffer)? } else { size };
    }
    Ok(())
}

fn drain(file: &mut File, buffer: &mut [u8]) -> std::io::Result<u64> {
    let mut bytes = 0;
    loop {
        match file.read(buffer)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

pub fn read_all(input: Passes, _: &Context) -> Result {
    let failed = |error| ToolError::failed(format!("{}: {error}", input.path));
    let mut buffer = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    for _ in 0..input.passes {
        bytes += File::open(&input.path).and_then(|mut file| drain(&mut file, &mut buffer)).map_err(failed)?;
    }
    Ok(Outcome::text(format!("read {bytes} bytes")))
}

pub fn write_all(input: Passes, _: &Context) -> Result {
    let failed = |error| ToolError::failed(format!("{}: {error}", input.path));
    let piece = vec![b'w'; PIECE_BYTES];
    let mut bytes = 0;
    for _ in 0..input.passes {
        // Not truncated: that would be another file to some file systems.
        let mut file = OpenOptions::new().write(true).open(&input.path).map_err(failed)?;
        let mut left = input.bytes;
        while left > 0 {
            let length = left.min(PIECE_BYTES);
            file.write_all(&piece[..length]).map_err(failed)?;
            left -= length;
            bytes += length;
        }
    }
    Ok(Outcome::text(format!("wrote {bytes} bytes")))
}
