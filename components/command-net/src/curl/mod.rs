//! curl, as far as it is about http and https.

mod form;
mod options;
mod transfer;
mod write_out;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use options::{Asked, Options, Output};
use transfer::{Failed, Report};

use crate::place::{NoPlace, Place, file_name};

/// Exit statuses of curl.
pub mod status {
    pub const DONE: i32 = 0;
    pub const PROTOCOL: i32 = 1;
    pub const USAGE: i32 = 2;
    pub const URL: i32 = 3;
    pub const RESOLVE: i32 = 6;
    pub const CONNECT: i32 = 7;
    pub const PARTIAL: i32 = 18;
    pub const HTTP: i32 = 22;
    pub const WRITE: i32 = 23;
    pub const READ: i32 = 26;
    pub const TIMEOUT: i32 = 28;
    pub const RANGE: i32 = 33;
    pub const TLS: i32 = 35;
    pub const REDIRECTS: i32 = 47;
    pub const RECEIVE: i32 = 56;
    pub const CERTIFICATE: i32 = 60;
    pub const TOO_LARGE: i32 = 63;
    pub const REWIND: i32 = 65;
}

const HELP: &str = "\
Usage: curl [options...] <url>...
 -d, --data <data>, --data-raw, --data-binary, --data-urlencode, --json <data>
 -G, --get             Put the data into the URL        -F, --form <name=content|@file>
 -T, --upload-file <f> Send a file by PUT               -X, --request <method>
 -H, --header <line>   -A, --user-agent <name>          -e, --referer <URL>
 -u, --user <user:password>                             --oauth2-bearer <token>
 -o, --output <file>   -O, --remote-name                --output-dir, --create-dirs
 -i, --include         -I, --head                       -D, --dump-header <file>
 -f, --fail            --fail-with-body                 -L, --location, --max-redirs <n>
 -s, --silent          -S, --show-error                 -v, --verbose
 -w, --write-out <format>                               -r, --range, -C, --continue-at <offset>
 -m, --max-time <s>    --connect-timeout <s>            --max-filesize <bytes>
 --retry <n>, --retry-delay, --retry-max-time, --retry-all-errors, --retry-connrefused
What may be asked of whom is decided by the sandbox: `--net HOST` of `wardian`, or the rules of its settings.
";

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match options::parse(arguments) {
        Ok(Asked::Help) => {
            print!("{HELP}");
            return status::DONE;
        }
        Ok(Asked::Version) => {
            println!(
                "curl 8 (wardian {}) over wasi:http\nProtocols: http https\nFeatures: IPv6 Largefile SSL",
                env!("CARGO_PKG_VERSION")
            );
            return status::DONE;
        }
        Ok(Asked::Transfers(options)) => *options,
        Err(message) => {
            eprintln!("curl: {message}\ncurl: try 'curl --help' for more information");
            return status::USAGE;
        }
    };
    let mut told = match Told::new(&options) {
        Ok(told) => told,
        Err(message) => {
            eprintln!("curl: {message}");
            return status::USAGE;
        }
    };
    let mut last = status::DONE;
    let mut outputs = options.outputs.iter();
    for url in &options.urls {
        let output = match outputs.next() {
            Some(output) => output.clone(),
            None if options.named_all => Output::Named,
            None => Output::Stdout,
        };
        let mut report = Report::new(url);
        let ended = one(url, &output, &options, &mut told, &mut report);
        let ended = ended.and_then(|()| io::stdout().flush().map_err(|error| Failed::write(&error)));
        (report.status, report.error) = match ended {
            Ok(()) => (status::DONE, String::new()),
            Err(failed) => (failed.status, failed.message),
        };
        if report.status != status::DONE && (!options.silent || options.shows_error) {
            told.say(&format!("curl: ({}) {}", report.status, report.error));
        }
        if let Some(format) = &options.write_out {
            told.write_out(format, &report);
        }
        last = report.status;
        if last != status::DONE && options.fails_early {
            break;
        }
    }
    last
}

/// What is written beside the answers.
pub struct Told {
    stderr: Box<dyn Write>,
    head: Option<Box<dyn Write>>,
}

impl Told {
    fn new(options: &Options) -> Result<Self, String> {
        let opened = |path: &str| -> Result<Box<dyn Write>, String> {
            match path {
                "-" => Ok(Box::new(io::stdout())),
                path => match crate::create(Path::new(path), false) {
                    Ok(file) => Ok(file),
                    Err(error) => Err(format!("({}) cannot write to {path}: {}", status::WRITE, crate::reason(&error))),
                },
            }
        };
        let stderr = match &options.stderr {
            Some(path) => opened(path)?,
            None => Box::new(io::stderr()),
        };
        Ok(Self { stderr, head: options.head_file.as_deref().map(opened).transpose()? })
    }

    pub fn say(&mut self, line: &str) {
        // Where that cannot be said, there is nobody to say it to.
        let _ = writeln!(self.stderr, "{line}");
    }

    fn write_out(&mut self, format: &str, report: &Report) {
        let pieces = write_out::pieces(format, report);
        for (to_stderr, text) in pieces {
            let _ = match to_stderr {
                true => self.stderr.write_all(text.as_bytes()),
                false => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()),
            };
        }
    }
}

/// Where the bytes of one answer go; a file is made when the first of them is there, or when there are none.
pub struct Sink {
    path: Option<PathBuf>,
    to: Option<Box<dyn Write>>,
    appends: bool,
    makes_folders: bool,
    keeps_existing: bool,
    pub written: u64,
}

impl Sink {
    fn open(&mut self) -> io::Result<&mut Box<dyn Write>> {
        if self.to.is_none() {
            let to: Box<dyn Write> = match &mut self.path {
                None => Box::new(io::stdout()),
                Some(path) => {
                    if self.makes_folders
                        && let Some(folder) = path.parent()
                    {
                        fs::create_dir_all(folder)?;
                    }
                    if self.keeps_existing {
                        *path = crate::free(path)?;
                    }
                    crate::create(path, self.appends)?
                }
            };
            self.to = Some(to);
        }
        self.to.as_mut().ok_or_else(|| io::Error::other("there is nowhere to write to"))
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let written = self.open().and_then(|to| to.write_all(bytes));
        self.written += bytes.len() as u64;
        written.map_err(|error| match &self.path {
            Some(path) => {
                Failed::new(status::WRITE, format!("cannot write to {}: {}", path.display(), crate::reason(&error)))
            }
            None => Failed::write(&error),
        })
    }

    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What is there of a file stays no longer.
    fn remove(&mut self) {
        if self.to.take().is_some()
            && let Some(path) = &self.path
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn one(url: &str, output: &Output, options: &Options, told: &mut Told, report: &mut Report) -> Result<(), Failed> {
    if options.globs && url.replace("://[", "").contains(['{', '}']) {
        return Err(Failed::new(
            status::URL,
            format!(
                "braces in a URL would mean several, which is not supported in this sandbox; with -g they are themselves: {url}"
            ),
        ));
    }
    let whole = match &options.default_scheme {
        Some(scheme) if !url.contains("://") => format!("{scheme}://{url}"),
        _ => url.to_owned(),
    };
    let mut place = Place::read(&whole).map_err(|no| match no {
        NoPlace::Malformed(why) => Failed::new(status::URL, format!("URL rejected: {why}: {url}")),
        NoPlace::Scheme(scheme) => {
            Failed::new(status::PROTOCOL, format!("Protocol {scheme:?} not supported: only http and https are here"))
        }
    })?;
    if let Some(path) = options.upload.as_deref().filter(|path| !matches!(*path, "-" | "."))
        && place.url.path().ends_with('/')
    {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let longer = format!("{}{}", place.url.path(), options::percent_encode(name.as_bytes()));
        place.url.set_path(&longer);
    }
    let path = match output {
        Output::Stdout => None,
        Output::File(path) => Some(PathBuf::from(path)),
        Output::Named => Some(file_name(&place.url).map(PathBuf::from).ok_or_else(|| {
            Failed::new(status::WRITE, format!("Remote file name has no length: {url}; name one with -o"))
        })?),
    };
    let path = path.map(|path| match &options.output_dir {
        Some(folder) => Path::new(folder).join(path),
        None => path,
    });
    let mut sink = Sink {
        path,
        to: None,
        appends: false,
        makes_folders: options.create_dirs,
        keeps_existing: options.no_clobber,
        written: 0,
    };
    let from = match options.resume {
        None => None,
        Some(Some(from)) => Some(from),
        Some(None) => {
            let there = sink.path().and_then(|path| fs::metadata(path).ok()).map_or(0, |data| data.len());
            (there > 0).then_some(there)
        }
    };
    sink.appends = from.is_some() && options.upload.is_none();
    report.file = sink.path().map(|path| path.display().to_string());
    let ended = transfer::transfer(&place, from, options, told, &mut sink, report);
    if ended.is_err() && options.removes_on_error {
        sink.remove();
    }
    // An empty answer is an empty file.
    if ended.is_ok() && sink.path().is_some() {
        sink.write(b"")?;
    }
    ended
}
