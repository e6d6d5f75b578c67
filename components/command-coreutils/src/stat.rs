//! stat, which uutils' does not build for WASI: what `wasi:filesystem` and the workspace say of a file, in GNU's forms.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uucore::fs::FileInformation;
use uucore::time::{FormatSystemTimeFallback, format_system_time};

use crate::wardian_mode;

const HELP: &str = "\
Usage: stat [OPTION]... FILE...
Display file status.

  -L, --dereference     follow links
  -c, --format=FORMAT   use FORMAT, and a newline after each file
      --printf=FORMAT   like --format, but interpret backslash escapes, and no newline
  -t, --terse           print the information in terse form

  %a %A  permission bits, in octal and as text     %n %N  name; quoted, and where a link leads
  %F %f  type; raw mode in hex                     %s     size in bytes
  %b %B %o  blocks, their size, block size for I/O %i %h  inode number, number of links
  %u %U %g %G  user and group, as ID and name      %d     device number
  %x %y %z %w  access, change of content, change of status, birth: readable
  %X %Y %Z %W  the same in seconds since the epoch
";

/// All files belong to the one user that there is here.
const OWNER_ID: u32 = 1000;
const OWNER: &str = "sandbox";

const DEFAULT: &str = "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\nDevice: %-11d\tInode: %-11i Links: %h\n\
                       Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\nAccess: %x\nModify: %y\nChange: %z\n Birth: %w\n";
const TERSE: &str = "%n %s %b %f %u %g %d %i %h 0 0 %X %Y %Z %W %o\n";

struct Options {
    format: String,
    /// The format is `--printf`'s: it has escapes.
    escapes: bool,
    /// The format is the default one, whose names have quotes only where they need them.
    is_default: bool,
    follow: bool,
    files: Vec<String>,
}

pub fn run(arguments: impl Iterator<Item = String>) -> i32 {
    let options = match command_kit::options("stat", HELP, 1, Options::parse(arguments)) {
        Ok(options) => options,
        Err(status) => return status,
    };
    let (mut out, mut status) = (Vec::new(), 0);
    for name in &options.files {
        match File::look(name, options.follow) {
            Ok(file) => file.show(&options, &mut out),
            Err(error) => {
                eprintln!("stat: cannot statx '{name}': {}", command_kit::reason(&error));
                status = 1;
            }
        }
    }
    if let Err(error) = io::stdout().write_all(&out) {
        eprintln!("stat: cannot write: {error}");
        return 1;
    }
    status
}

impl Options {
    /// None: help is wanted.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let (mut format, mut escapes, mut follow, mut terse) = (None, false, false, false);
        let (mut files, mut ended) = (Vec::new(), false);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if ended || argument == "-" || !argument.starts_with('-') {
                files.push(argument);
                continue;
            }
            if let Some(long) = argument.strip_prefix("--") {
                let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
                let mut value = || value.map(str::to_owned).or_else(|| arguments.next());
                let missing = || format!("option '--{name}' requires an argument");
                match name {
                    "" => ended = true,
                    "help" => return Ok(None),
                    "dereference" => follow = true,
                    "terse" => terse = true,
                    "format" => (format, escapes) = (Some(value().ok_or_else(missing)? + "\n"), false),
                    "printf" => (format, escapes) = (Some(value().ok_or_else(missing)?), true),
                    "cached" => drop(value()),
                    _ => return Err(format!("unrecognized option '{argument}'")),
                }
                continue;
            }
            for (at, letter) in argument.char_indices().skip(1) {
                match letter {
                    'L' => follow = true,
                    't' => terse = true,
                    'c' => {
                        let rest = &argument[at + 1..];
                        let value = if rest.is_empty() { arguments.next() } else { Some(rest.to_owned()) };
                        let missing = || "option requires an argument -- 'c'".to_owned();
                        (format, escapes) = (Some(value.ok_or_else(missing)? + "\n"), false);
                        break;
                    }
                    'f' => return Err("-f: this sandbox has no file systems to show".to_owned()),
                    _ => return Err(format!("invalid option -- '{letter}'")),
                }
            }
        }
        if files.is_empty() {
            return Err("missing operand".to_owned());
        }
        let is_default = format.is_none() && !terse;
        let format = format.unwrap_or_else(|| if terse { TERSE } else { DEFAULT }.to_owned());
        Ok(Some(Self { format, escapes, is_default, follow, files }))
    }
}

struct File<'a> {
    name: &'a str,
    data: Metadata,
    /// With the type, as `st_mode` has them.
    mode: u32,
    inode: u64,
    links: u64,
}

impl<'a> File<'a> {
    fn look(name: &'a str, follow: bool) -> io::Result<Self> {
        let path = Path::new(name);
        let data = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) }?;
        let numbers = FileInformation::from_path(path, follow)?;
        let mode = wardian_mode(path, &data);
        Ok(Self { name, data, mode, inode: numbers.inode(), links: numbers.number_of_links() })
    }

    fn kind(&self) -> &'static str {
        match () {
            () if self.data.is_dir() => "directory",
            () if self.data.is_symlink() => "symbolic link",
            () if !self.data.is_file() => "character special file",
            () if self.data.len() == 0 => "regular empty file",
            () => "regular file",
        }
    }

    /// What a letter stands for. None: nothing.
    fn value(&self, letter: char, is_default: bool) -> Option<String> {
        let (accessed, modified) = (self.data.accessed(), self.data.modified());
        // What std calls the creation is the last change of status under WASI; nobody knows the birth.
        let changed = self.data.created();
        let seconds =
            |time: io::Result<SystemTime>| time.map_or("0".to_owned(), |time| since_epoch(time).0.to_string());
        Some(match letter {
            'a' => format!("{:o}", self.mode & 0o7777),
            'A' => uucore::fs::display_permissions_unix(self.mode, true),
            'b' => (self.data.len().next_multiple_of(4096) / 512).to_string(),
            'B' => "512".to_owned(),
            'd' | 'D' => "0".to_owned(),
            'f' => format!("{:x}", self.mode),
            'F' => self.kind().to_owned(),
            'g' | 'u' => OWNER_ID.to_string(),
            'G' | 'U' => OWNER.to_owned(),
            'h' => self.links.to_string(),
            'i' => self.inode.to_string(),
            'm' => "/".to_owned(),
            'n' => self.name.to_owned(),
            'N' => {
                let quoted = |name: &str| if is_default { name.to_owned() } else { quote(name) };
                match fs::read_link(self.name).ok().filter(|_| self.data.is_symlink()) {
                    Some(target) => format!("{} -> {}", quoted(self.name), quoted(&target.to_string_lossy())),
                    None => quoted(self.name),
                }
            }
            'o' => "4096".to_owned(),
            's' => self.data.len().to_string(),
            't' | 'T' | 'r' | 'R' | 'C' => "0".to_owned(),
            'w' => "-".to_owned(),
            'W' => "0".to_owned(),
            'x' => readable(accessed),
            'X' => seconds(accessed),
            'y' => readable(modified),
            'Y' => seconds(modified),
            'z' => readable(changed),
            'Z' => seconds(changed),
            _ => return None,
        })
    }

    fn show(&self, options: &Options, out: &mut Vec<u8>) {
        let mut rest = options.format.as_str();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            match letter {
                '%' => rest = self.directive(rest, options.is_default, out),
                '\\' if options.escapes => rest = escape(rest, out),
                _ => out.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
    }

    /// Shows what `%` introduces, and gives what follows it.
    fn directive<'t>(&self, text: &'t str, is_default: bool, out: &mut Vec<u8>) -> &'t str {
        let end = text.find(|c: char| !"-+ #0'".contains(c)).unwrap_or(text.len());
        let (flags, after) = text.split_at(end);
        let digits = |text: &'t str| text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let (width, after) = digits(after);
        let (precision, after) = match after.strip_prefix('.') {
            Some(after) => {
                let (precision, after) = digits(after);
                (Some(precision.parse().unwrap_or(0)), after)
            }
            None => (None, after),
        };
        let Some(letter) = after.chars().next() else {
            out.push(b'%');
            return after;
        };
        let after = &after[letter.len_utf8()..];
        if letter == '%' {
            out.push(b'%');
            return after;
        }
        let Some(mut value) = self.value(letter, is_default) else {
            // As GNU's has it.
            out.push(b'?');
            return after;
        };
        match (letter, precision) {
            ('X' | 'Y' | 'Z', Some(digits)) => value = self.with_fraction(letter, digits),
            ('n' | 'N' | 'F' | 'A' | 'U' | 'G' | 'w' | 'x' | 'y' | 'z', Some(most)) => {
                value = value.chars().take(most).collect();
            }
            _ => {}
        }
        if flags.contains('#') && matches!(letter, 'a') && !value.starts_with('0') {
            value.insert(0, '0');
        }
        // A width that nobody means would fill the memory.
        let width = width.parse::<usize>().unwrap_or(0).min(4096);
        let fill = width.saturating_sub(value.chars().count());
        let value = match () {
            () if flags.contains('-') => value + &" ".repeat(fill),
            () if flags.contains('0') && value.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                "0".repeat(fill) + &value
            }
            () => " ".repeat(fill) + &value,
        };
        out.extend(value.bytes());
        after
    }

    fn with_fraction(&self, letter: char, digits: usize) -> String {
        let time = match letter {
            'X' => self.data.accessed(),
            'Y' => self.data.modified(),
            _ => self.data.created(),
        };
        let (seconds, nanoseconds) = time.map_or((0, 0), since_epoch);
        match digits {
            0 => seconds.to_string(),
            _ => format!("{seconds}.{:.*}", digits.min(9), format!("{nanoseconds:09}")),
        }
    }
}

/// Whole seconds, rounded down, and nanoseconds.
fn since_epoch(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
        Err(before) => {
            let before: Duration = before.duration();
            match before.subsec_nanos() {
                0 => (-(before.as_secs() as i64), 0),
                nanoseconds => (-(before.as_secs() as i64) - 1, 1_000_000_000 - nanoseconds),
            }
        }
    }
}

fn readable(time: io::Result<SystemTime>) -> String {
    let mut out = Vec::new();
    let shown = time.is_ok_and(|time| {
        format_system_time(&mut out, time, "%Y-%m-%d %H:%M:%S.%N %z", FormatSystemTimeFallback::Integer).is_ok()
    });
    if shown { String::from_utf8_lossy(&out).into_owned() } else { "-".to_owned() }
}

fn quote(name: &str) -> String {
    format!("'{}'", name.replace('\'', "'\\''"))
}

/// What a backslash introduces in `--printf`; gives what follows it.
fn escape<'t>(text: &'t str, out: &mut Vec<u8>) -> &'t str {
    let number = |digits: &str, radix| u8::from_str_radix(digits, radix).ok();
    let octal = text.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if let Some(byte) = (octal > 0).then(|| number(&text[..octal], 8)).flatten() {
        out.push(byte);
        return &text[octal..];
    }
    if let Some(hex) = text.strip_prefix('x') {
        let digits = hex.bytes().take(2).take_while(u8::is_ascii_hexdigit).count();
        if let Some(byte) = number(&hex[..digits], 16) {
            out.push(byte);
            return &hex[digits..];
        }
    }
    let Some(letter) = text.chars().next() else {
        out.push(b'\\');
        return text;
    };
    let byte = match letter {
        'a' => Some(0x07),
        'b' => Some(0x08),
        'e' => Some(0x1b),
        'f' => Some(0x0c),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(0x0b),
        '"' => Some(b'"'),
        '\\' => Some(b'\\'),
        _ => None,
    };
    match byte {
        Some(byte) => out.push(byte),
        None => {
            out.push(b'\\');
            out.extend(letter.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    &text[letter.len_utf8()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(arguments: &[&str]) -> String {
        let options = Options::parse(arguments.iter().map(|word| (*word).to_owned())).unwrap().unwrap();
        let mut out = Vec::new();
        for name in &options.files {
            File::look(name, options.follow).unwrap().show(&options, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn formats_have_widths_and_escapes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        fs::write(&file, "12345").unwrap();
        fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(UNIX_EPOCH + Duration::from_millis(1500))
            .unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(shown(&["-c", "%s|%5s|%-5s|%05s|%F|%%|%q", file]), "5|    5|5    |00005|regular file|%|?\n");
        assert_eq!(shown(&["--printf=%Y %.1Y\\t%.3Y\\x21\\041\\n", file]), "1 1.5\t1.500!!\n");
        assert_eq!(shown(&["-c", "%n", "--", file]), format!("{file}\n"));
        assert!(shown(&[file]).starts_with(&format!("  File: {file}\n  Size: 5         \tBlocks: 8   ")));
        assert_eq!(since_epoch(UNIX_EPOCH - Duration::from_millis(1)), (-1, 999_000_000));
        for wrong in [&["-q", "f"][..], &["-c"], &["--what", "f"], &[]] {
            assert!(Options::parse(wrong.iter().map(|word| (*word).to_owned())).is_err(), "{wrong:?}");
        }
    }
}
