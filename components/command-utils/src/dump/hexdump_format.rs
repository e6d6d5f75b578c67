//! The language of `hexdump -e`: units of text that take bytes.

/// The place of a byte in the input.
#[derive(Clone, Copy)]
pub struct Offset(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Signed,
    /// In this base; true: in capitals.
    Unsigned(u32, bool),
    Char,
    Text,
    /// The letter of C's form.
    Float(char),
    /// `%_c`: as C writes it; `%_p`: as it is, or a dot; `%_u`: by its name in ASCII.
    Escaped,
    Printed,
    Named,
    /// `%_a`, and `%_A`, which is for the end alone.
    Place(u32, bool),
}

#[derive(Debug, Clone)]
struct Conversion {
    kind: Kind,
    flags: String,
    width: usize,
    precision: Option<usize>,
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Conversion(Conversion),
}

#[derive(Debug, Clone)]
struct Unit {
    times: usize,
    /// The number was written down.
    is_counted: bool,
    pieces: Vec<Piece>,
}

/// One format: units one after the other.
#[derive(Debug, Clone)]
pub struct Format(Vec<Unit>);

/// Bytes that one format may take at once.
const BLOCK_BYTES_MAX: usize = 1 << 20;

const WIDTH_MAX: usize = 1 << 12;

impl Unit {
    fn bytes(&self) -> usize {
        let of = |piece: &Piece| match piece {
            Piece::Text(_) => 0,
            Piece::Conversion(conversion) => conversion.bytes,
        };
        self.pieces.iter().map(of).sum()
    }
}

impl Format {
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("bad format {{{text}}}");
        let mut units = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let length = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
            let (mut times, is_counted) = (1, length > 0);
            if is_counted {
                times = rest[..length].parse().map_err(|_| bad())?;
                rest = rest[length..].trim_start();
            }
            let mut size = None;
            if let Some(after) = rest.strip_prefix('/') {
                let after = after.trim_start();
                let length = after.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
                size = Some(after[..length].parse().map_err(|_| bad())?);
                rest = after[length..].trim_start();
            }
            rest = rest.strip_prefix('"').ok_or_else(bad)?;
            let mut end = None;
            let mut is_escaped = false;
            for (at, c) in rest.char_indices() {
                match c {
                    _ if is_escaped => is_escaped = false,
                    '\\' => is_escaped = true,
                    '"' => {
                        end = Some(at);
                        break;
                    }
                    _ => {}
                }
            }
            let end = end.ok_or_else(bad)?;
            let pieces = pieces(&rest[..end], size)?;
            let unit = Unit { times, is_counted, pieces };
            if unit.bytes().checked_mul(times).is_none_or(|bytes| bytes > BLOCK_BYTES_MAX) || times > BLOCK_BYTES_MAX {
                return Err(format!("the format {{{text}}} takes more than {BLOCK_BYTES_MAX} bytes at once"));
            }
            units.push(unit);
            rest = rest[end + 1..].trim_start();
        }
        let format = Self(units);
        if format.bytes() > BLOCK_BYTES_MAX {
            return Err(format!("the format {{{text}}} takes more than {BLOCK_BYTES_MAX} bytes at once"));
        }
        Ok(format)
    }

    pub fn bytes(&self) -> usize {
        self.0.iter().map(|unit| unit.bytes() * unit.times).sum()
    }

    /// Its last unit is repeated until it takes as many bytes as the longest format.
    pub fn stretched(&self, block: usize) -> Self {
        let mut all = self.clone();
        let missing = block - self.bytes();
        if let Some(unit) = all.0.iter_mut().rev().find(|unit| unit.bytes() > 0)
            && !unit.is_counted
        {
            unit.times += missing / unit.bytes();
        }
        all
    }

    /// Adds what it says of a block, of which `count` bytes are there.
    pub fn show(&self, block: &[u8], count: usize, begin: u64, to: &mut Vec<u8>) {
        let mut at = 0;
        for unit in &self.0 {
            // Text after the last byte, in the midst of a line, is for bytes alone.
            for time in 0..unit.times {
                let is_last = time + 1 == unit.times && unit.times > 1;
                for (number, piece) in unit.pieces.iter().enumerate() {
                    match piece {
                        Piece::Text(text) => {
                            let is_end = number + 1 == unit.pieces.len();
                            let text = if is_last && is_end { text.trim_end_matches([' ', '\t']) } else { text };
                            to.extend(text.as_bytes());
                        }
                        Piece::Conversion(Conversion { kind: Kind::Place(_, true), .. }) => return,
                        Piece::Conversion(conversion) => {
                            let bytes = block.get(at..at + conversion.bytes).unwrap_or_default();
                            let is_there = conversion.bytes == 0 || at < count;
                            to.extend(conversion.shown(bytes, is_there, begin + at as u64));
                            at += conversion.bytes;
                        }
                    }
                }
            }
        }
    }

    /// What it says after the last byte.
    pub fn end(&self, at: Offset) -> String {
        let is_end = |piece: &Piece| matches!(piece, Piece::Conversion(Conversion { kind: Kind::Place(_, true), .. }));
        let mut text = String::new();
        for unit in self.0.iter().filter(|unit| unit.pieces.iter().any(is_end)) {
            for piece in &unit.pieces {
                match piece {
                    Piece::Text(more) => text.push_str(more),
                    Piece::Conversion(conversion) => {
                        text.push_str(&String::from_utf8_lossy(&conversion.shown(&[], true, at.0)));
                    }
                }
            }
        }
        text
    }
}

/// Text with escapes, and conversions, of which those of numbers take `size` bytes.
fn pieces(text: &str, size: Option<usize>) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\\' {
            plain.push(match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('a') => '\x07',
                Some('b') => '\x08',
                Some('f') => '\x0c',
                Some('v') => '\x0b',
                Some('0') => '\0',
                Some(other) => other,
                None => '\\',
            });
            continue;
        }
        if c != '%' {
            plain.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            plain.push('%');
            continue;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        let mut flags = String::new();
        while let Some(flag) = chars.next_if(|c| "-+ #0".contains(*c)) {
            flags.push(flag);
        }
        let number = |chars: &mut std::iter::Peekable<std::str::Chars>| {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            digits.parse::<usize>().ok().map(|number| number.min(WIDTH_MAX))
        };
        let width = number(&mut chars).unwrap_or(0);
        let precision = chars.next_if_eq(&'.').map(|_| number(&mut chars).unwrap_or(0));
        let conversion = chars.next().ok_or("a format ends in the midst of a conversion")?;
        let bad = |what: &str| format!("bad conversion character %{what}");
        let wrong_size = || format!("bad byte count {} for conversion character {conversion}", size.unwrap_or(0));
        let integer = match size {
            None => 4,
            Some(size @ (1 | 2 | 4 | 8)) => size,
            Some(_) => 0,
        };
        let (kind, bytes) = match conversion {
            'd' | 'i' => (Kind::Signed, integer),
            'o' => (Kind::Unsigned(8, false), integer),
            'u' => (Kind::Unsigned(10, false), integer),
            'x' => (Kind::Unsigned(16, false), integer),
            'X' => (Kind::Unsigned(16, true), integer),
            'c' => (Kind::Char, 1),
            's' => (Kind::Text, size.or(precision).or(Some(width).filter(|width| *width > 0)).unwrap_or(0)),
            'e' | 'E' | 'f' | 'g' | 'G' => match size {
                None | Some(8) => (Kind::Float(conversion), 8),
                Some(4) => (Kind::Float(conversion), 4),
                Some(_) => return Err(wrong_size()),
            },
            '_' => match chars.next() {
                Some('c') => (Kind::Escaped, 1),
                Some('p') => (Kind::Printed, 1),
                Some('u') => (Kind::Named, 1),
                Some(place @ ('a' | 'A')) => {
                    let base = match chars.next() {
                        Some('d') => 10,
                        Some('o') => 8,
                        Some('x') => 16,
                        _ => return Err(bad("_a: it needs d, o or x")),
                    };
                    pieces.push(Piece::Conversion(Conversion {
                        kind: Kind::Place(base, place == 'A'),
                        flags,
                        width,
                        precision,
                        bytes: 0,
                    }));
                    continue;
                }
                Some(other) => return Err(bad(&format!("_{other}"))),
                None => return Err(bad("_")),
            },
            other => return Err(bad(&other.to_string())),
        };
        if bytes == 0 {
            return Err(wrong_size());
        }
        pieces.push(Piece::Conversion(Conversion { kind, flags, width, precision, bytes }));
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

const NAMES: [&str; 32] = [
    "nul", "soh", "stx", "etx", "eot", "enq", "ack", "bel", "bs", "ht", "lf", "vt", "ff", "cr", "so", "si", "dle",
    "dc1", "dc2", "dc3", "dc4", "nak", "syn", "etb", "can", "em", "sub", "esc", "fs", "gs", "rs", "us",
];

impl Conversion {
    fn shown(&self, bytes: &[u8], is_there: bool, place: u64) -> Vec<u8> {
        if !is_there {
            let width = match self.kind {
                // It is as wide as its digits, or its bytes, would be.
                Kind::Text => self.width.max(self.precision.unwrap_or(0)),
                Kind::Printed if self.width == 0 => 0,
                Kind::Char => self.width,
                _ => self.width.max(self.precision.unwrap_or(0)),
            };
            return vec![b' '; width];
        }
        let number = || bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let digits = |number: u64, base: u32, upper: bool| {
            let digits = match base {
                8 => format!("{number:o}"),
                10 => number.to_string(),
                _ if upper => format!("{number:X}"),
                _ => format!("{number:x}"),
            };
            let least = self.precision.unwrap_or(0);
            let prefix = match base {
                16 if self.flags.contains('#') && number > 0 => {
                    if upper {
                        "0X"
                    } else {
                        "0x"
                    }
                }
                8 if self.flags.contains('#') && number > 0 => "0",
                _ => "",
            };
            format!("{prefix}{digits:0>least$}")
        };
        let first = bytes.first().copied().unwrap_or(0);
        let text: Vec<u8> = match self.kind {
            Kind::Signed => {
                let shift = 64 - 8 * bytes.len().clamp(1, 8) as u32;
                let number = ((number() << shift) as i64) >> shift;
                let sign = if number < 0 {
                    "-"
                } else if self.flags.contains('+') {
                    "+"
                } else {
                    ""
                };
                format!("{sign}{}", digits(number.unsigned_abs(), 10, false)).into_bytes()
            }
            Kind::Unsigned(base, upper) => digits(number(), base, upper).into_bytes(),
            Kind::Place(base, _) => digits(place, base, false).into_bytes(),
            Kind::Char => vec![first],
            Kind::Text => bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec(),
            Kind::Float(letter) => {
                let value = match *bytes {
                    [a, b, c, d] => f64::from(f32::from_le_bytes([a, b, c, d])),
                    [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
                    _ => 0.0,
                };
                let precision = self.precision.unwrap_or(6);
                match letter {
                    'f' => format!("{value:.precision$}"),
                    'e' | 'E' => exponent(&format!("{value:.precision$e}"), letter),
                    // As short as it can be, as C has it for most numbers.
                    _ => format!("{value}"),
                }
                .into_bytes()
            }
            Kind::Escaped => match first {
                0 => b"\\0".to_vec(),
                7 => b"\\a".to_vec(),
                8 => b"\\b".to_vec(),
                9 => b"\\t".to_vec(),
                10 => b"\\n".to_vec(),
                11 => b"\\v".to_vec(),
                12 => b"\\f".to_vec(),
                13 => b"\\r".to_vec(),
                0x20..=0x7e => vec![first],
                _ => format!("{first:03o}").into_bytes(),
            },
            Kind::Printed => vec![if (0x20..=0x7e).contains(&first) { first } else { b'.' }],
            Kind::Named => match first {
                0..=0x1f => NAMES[usize::from(first)].as_bytes().to_vec(),
                0x7f => b"del".to_vec(),
                0x20..=0x7e => vec![first],
                _ => format!("{first:02x}").into_bytes(),
            },
        };
        self.padded(text)
    }

    fn padded(&self, mut text: Vec<u8>) -> Vec<u8> {
        let missing = self.width.saturating_sub(text.len());
        if self.flags.contains('-') {
            text.resize(text.len() + missing, b' ');
            return text;
        }
        let is_number = matches!(self.kind, Kind::Signed | Kind::Unsigned(..) | Kind::Place(..) | Kind::Float(_));
        let with = if is_number && self.flags.contains('0') { b'0' } else { b' ' };
        let at = usize::from(with == b'0' && matches!(text.first(), Some(b'-' | b'+')));
        text.splice(at..at, std::iter::repeat_n(with, missing));
        text
    }
}

/// `1.5e0` as C writes it: `1.5e+00`.
fn exponent(text: &str, letter: char) -> String {
    let (number, power) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
    format!("{number}{letter}{sign}{digits:0>2}")
}
