//! Bytes as text and back: hexdump, xxd, strings, uuencode, uudecode.

pub mod hexdump;
mod hexdump_format;
pub mod strings;
pub mod uu;
pub mod xxd;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

/// Files one after the other as if they were one; without any, stdin. One that cannot be read is named and left out.
struct Inputs<'a> {
    name: &'a str,
    paths: VecDeque<String>,
    current: Option<(String, Box<dyn Read>)>,
    pub failed: bool,
}

impl<'a> Inputs<'a> {
    fn new(name: &'a str, paths: &[String]) -> Self {
        let paths = if paths.is_empty() { VecDeque::from(["-".to_owned()]) } else { paths.to_vec().into() };
        Self { name, paths, current: None, failed: false }
    }

    fn fail(&mut self, path: &str, error: &io::Error) {
        eprintln!("{}: {path}: {}", self.name, crate::reason(error));
        self.failed = true;
    }
}

impl Read for Inputs<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some((path, source)) = &mut self.current else {
                let Some(path) = self.paths.pop_front() else { return Ok(0) };
                match open(&path) {
                    Ok(source) => self.current = Some((path, source)),
                    Err(error) => self.fail(&path, &error),
                }
                continue;
            };
            match source.read(to) {
                Ok(0) => self.current = None,
                Ok(count) => return Ok(count),
                Err(error) => {
                    let path = path.clone();
                    self.current = None;
                    self.fail(&path, &error);
                }
            }
        }
    }
}

fn open(path: &str) -> io::Result<Box<dyn Read>> {
    Ok(if path == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) })
}

/// Reads until it is full or there is no more.
fn fill(source: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match source.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Decimal, or hexadecimal with `0x`, or octal with `0`, as C reads it; with a unit, where there is one.
fn number(text: &str) -> Result<u64, String> {
    let wrong = || format!("invalid number '{text}'");
    let (digits, unit) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(_) => (text, 1),
        None => {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit: u64 = match &text[digits.len()..] {
                "" => 1,
                "b" => 512,
                "k" | "K" | "KiB" => 1 << 10,
                "m" | "M" | "MiB" => 1 << 20,
                "g" | "G" | "GiB" => 1 << 30,
                "kB" | "KB" => 1000,
                "MB" => 1_000_000,
                _ => return Err(wrong()),
            };
            (digits, unit)
        }
    };
    let number = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(&digits[1..], 8)
    } else {
        digits.parse()
    };
    number.ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_c_reads_them() {
        assert_eq!(["10", "0x10", "010", "2k", "0"].map(|text| number(text).unwrap()), [10, 16, 8, 2048, 0]);
        for wrong in ["", "x", "08", "1q", "-1"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }
}
