//! wget, as far as it fetches what it is given.

mod options;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http_kit::{Error, Kind};
use options::{Asked, Options};
use url::Url;

use crate::content::Content;
use crate::exchange::{Call, Exchange, Failure, why};
use crate::place::{Place, basic, file_name, same_host};

/// Exit statuses of wget.
mod status {
    pub const DONE: i32 = 0;
    pub const OTHER: i32 = 1;
    pub const USAGE: i32 = 2;
    pub const FILES: i32 = 3;
    pub const NETWORK: i32 = 4;
    pub const TLS: i32 = 5;
    pub const AUTHENTICATION: i32 = 6;
    pub const PROTOCOL: i32 = 7;
    pub const SERVER: i32 = 8;
}

const USER_AGENT: &str = concat!("Wget/1 (wardian/", env!("CARGO_PKG_VERSION"), ")");

const HELP: &str = "\
Usage: wget [OPTION]... [URL]...
  -q, --quiet              -nv, --no-verbose          -S, --server-response
  -O, --output-document=F  -P, --directory-prefix=D   -o, --output-file=LOG, -a
  -c, --continue           -nc, --no-clobber          -i, --input-file=FILE
  --header=LINE            -U, --user-agent=NAME      --referer=URL
  --post-data=TEXT, --post-file=FILE                  --method=M, --body-data=TEXT, --body-file=FILE
  --user=USER, --password=PASSWORD                    --max-redirect=N
  -T, --timeout=SECONDS, --connect-timeout, --read-timeout
  -t, --tries=N            --retry-connrefused        --retry-on-http-error=CODES
  --waitretry=SECONDS      -w, --wait=SECONDS         --spider, --content-on-error
What may be asked of whom is decided by the sandbox: `--net HOST` of `wardian`, or the rules of its settings.
";

struct Failed {
    status: i32,
    message: String,
    /// It may go better another time.
    may_pass: bool,
}

impl Failed {
    fn new(status: i32, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), may_pass: false }
    }

    fn files(path: &Path, error: &io::Error) -> Self {
        Self::new(status::FILES, format!("{}: {}", path.display(), crate::reason(error)))
    }

    fn net(error: &Error, url: &Url, options: &Options) -> Self {
        let code = if error.kind == Kind::Tls { status::TLS } else { status::NETWORK };
        let may_pass = match error.kind {
            Kind::Timeout | Kind::Reset => true,
            Kind::Connect => options.retries_refused,
            _ => false,
        };
        Self { status: code, message: why(error, url), may_pass }
    }
}

/// Where messages go.
struct Log {
    to: Box<dyn Write>,
    level: u8,
}

impl Log {
    fn say(&mut self, level: u8, line: &str) {
        if self.level >= level {
            // Where that cannot be said, there is nobody to say it to.
            let _ = writeln!(self.to, "{line}");
        }
    }
}

/// Of messages: failures, one line for each file, everything.
const FAILURES: u8 = 0;
const FILES: u8 = 1;
const ALL: u8 = 2;

pub fn run(arguments: Vec<OsString>) -> i32 {
    let options = match options::parse(arguments) {
        Ok(Asked::Help) => {
            print!("{HELP}");
            return status::DONE;
        }
        Ok(Asked::Version) => {
            println!("GNU Wget's options over wasi:http (wardian {})", env!("CARGO_PKG_VERSION"));
            return status::DONE;
        }
        Ok(Asked::Transfers(options)) => *options,
        Err(message) => {
            eprintln!("wget: {message}\nTry `wget --help' for more options.");
            return status::USAGE;
        }
    };
    let mut log = match log(&options) {
        Ok(log) => log,
        Err(failed) => {
            eprintln!("wget: {}", failed.message);
            return failed.status;
        }
    };
    // All that `-O` names comes into one file.
    let mut document = match document(&options) {
        Ok(document) => document,
        Err(failed) => {
            log.say(FAILURES, &format!("wget: {}", failed.message));
            return failed.status;
        }
    };
    let mut worst = status::DONE;
    for (at, url) in options.urls.iter().enumerate() {
        if at > 0 && !options.wait.is_zero() {
            std::thread::sleep(options.wait);
        }
        if let Err(failed) = with_tries(url, &options, document.as_deref_mut(), &mut log) {
            log.say(if options.quiet { ALL + 1 } else { FAILURES }, &format!("wget: {}", failed.message));
            // As wget says of several: the smallest.
            worst = if worst == status::DONE { failed.status } else { worst.min(failed.status) };
        }
    }
    if let Some(document) = &mut document
        && let Err(error) = document.flush()
    {
        log.say(FAILURES, &format!("wget: cannot write: {}", crate::reason(&error)));
        return status::FILES;
    }
    worst
}

fn log(options: &Options) -> Result<Log, Failed> {
    let level = match (options.quiet, options.brief) {
        (true, _) => FAILURES,
        (false, true) => FILES,
        (false, false) => ALL,
    };
    let to: Box<dyn Write> = match &options.log {
        None => Box::new(io::stderr()),
        Some((path, appends)) => {
            crate::create(Path::new(path), *appends).map_err(|error| Failed::files(Path::new(path), &error))?
        }
    };
    Ok(Log { to, level })
}

fn document(options: &Options) -> Result<Option<Box<dyn Write>>, Failed> {
    Ok(match options.output.as_deref() {
        _ if options.spider => None,
        None => None,
        Some("-") => Some(Box::new(io::stdout())),
        Some(path) => {
            let path = Path::new(path);
            Some(crate::create(path, options.resumes).map_err(|error| Failed::files(path, &error))?)
        }
    })
}

fn with_tries(
    url: &str,
    options: &Options,
    mut document: Option<&mut (dyn Write + 'static)>,
    log: &mut Log,
) -> Result<(), Failed> {
    let place = Place::read(url).map_err(|no| {
        let why = match no {
            crate::place::NoPlace::Malformed(why) => why,
            crate::place::NoPlace::Scheme(scheme) => {
                format!("unsupported scheme {scheme:?}: only http and https are here")
            }
        };
        Failed::new(status::OTHER, format!("{url}: {why}"))
    })?;
    for number in 1_u32.. {
        let mut written = 0;
        let failed = match one(&place, options, document.as_deref_mut(), &mut written, log) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        // A file can be gone on with, or begun again; what is in a document already stays there.
        let again = failed.may_pass && number < options.tries && (document.is_none() || written == 0);
        if !again || options.content.as_ref().is_some_and(|content| !content.is_repeatable()) {
            return Err(failed);
        }
        let pause = Duration::from_secs(number.into()).min(options.pause_max);
        log.say(FILES, &format!("wget: {}; trying again in {} s", failed.message, pause.as_secs()));
        std::thread::sleep(pause);
    }
    Ok(())
}

fn call(place: &Place, from: u64, options: &Options) -> Call {
    let mut headers = vec![("accept".to_owned(), "*/*".to_owned())];
    let agent = options.user_agent.as_deref().unwrap_or(USER_AGENT);
    if !agent.is_empty() {
        headers.push(("user-agent".to_owned(), agent.to_owned()));
    }
    let url_user = place.user.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
    let own_user = options.user.as_deref().map(|user| (user, options.password.as_deref().unwrap_or_default()));
    if let Some((user, password)) = own_user.or(url_user) {
        headers.push(("authorization".to_owned(), basic(user, password)));
    }
    if let Some(referer) = &options.referer {
        headers.push(("referer".to_owned(), referer.clone()));
    }
    if from > 0 {
        headers.push(("range".to_owned(), format!("bytes={from}-")));
    }
    if options.content.is_some() {
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    }
    for (name, value) in &options.headers {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.clone(), value.clone()));
    }
    let method = match &options.method {
        Some(method) => method.clone(),
        None if options.spider => "HEAD".to_owned(),
        None => "GET".to_owned(),
    };
    Call {
        method,
        url: place.url.clone(),
        headers,
        content: options.content.clone(),
        connect_max: options.connect_max,
        silence_max: options.silence_max,
        deadline: None,
    }
}

/// Where a document goes that `-O` does not name.
fn target(url: &Url, options: &Options) -> PathBuf {
    let mut name = file_name(url).unwrap_or_else(|| "index.html".to_owned());
    if let Some(query) = url.query() {
        name = format!("{name}?{}", query.replace('/', "%2F"));
    }
    match &options.folder {
        Some(folder) => Path::new(folder).join(name),
        None => PathBuf::from(name),
    }
}

fn one(
    place: &Place,
    options: &Options,
    document: Option<&mut (dyn Write + 'static)>,
    written: &mut u64,
    log: &mut Log,
) -> Result<(), Failed> {
    let mut path = document.is_none().then(|| target(&place.url, options));
    if let Some(path) = path.as_ref().filter(|path| options.keeps_existing && path.exists()) {
        log.say(FILES, &format!("File '{}' already there; not retrieving.", path.display()));
        return Ok(());
    }
    let from = match (options.resumes, path.as_deref().or(options.output.as_deref().map(Path::new))) {
        (true, Some(path)) => fs::metadata(path).map_or(0, |data| data.len()),
        _ => 0,
    };
    let mut call = call(place, from, options);
    let mut redirects = 0;
    let mut exchange = loop {
        log.say(ALL, &format!("--  {}", call.url));
        let exchange = Exchange::start(&call).map_err(|failure| match failure {
            Failure::Content(error) => Failed::new(status::FILES, crate::reason(&error)),
            Failure::Net(error) => Failed::net(&error, &call.url, options),
        })?;
        let code = exchange.head.status;
        if options.shows_head {
            for line in exchange.head_text().lines().filter(|line| !line.is_empty()) {
                log.say(FAILURES, &format!("  {line}"));
            }
        }
        match exchange.leads_to(&call.url) {
            Some(Ok(next)) => {
                if redirects >= options.redirects_max {
                    return Err(Failed::new(
                        status::PROTOCOL,
                        format!("{} redirections exceeded.", options.redirects_max),
                    ));
                }
                redirects += 1;
                log.say(ALL, &format!("HTTP request sent: {code}\nLocation: {next} [following]"));
                follow(&mut call, next, code)?;
            }
            Some(Err(why)) => return Err(Failed::new(status::PROTOCOL, why)),
            None => break exchange,
        }
    };
    let code = exchange.head.status;
    if from > 0 && code == 416 {
        log.say(FILES, "The file is already fully retrieved; nothing to do.");
        return Ok(());
    }
    let fails = code >= 300;
    if fails && (options.spider || !options.shows_error_pages) {
        return Err(server_error(&call.url, code, options));
    }
    if options.spider {
        log.say(FILES, &format!("{} {code}: Remote file exists.", call.url));
        return Ok(());
    }
    // The server sends all of it, from the beginning.
    let resumes = from > 0 && code == 206;
    let mut file;
    let to: &mut dyn Write = match document {
        Some(document) => document,
        None => {
            file = open(path.as_mut(), resumes, options)?;
            &mut file
        }
    };
    let (began, mut last) = (Instant::now(), 0);
    let shown =
        path.as_ref().map_or_else(|| options.output.clone().unwrap_or_default(), |path| path.display().to_string());
    loop {
        let bytes = match exchange.next() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(error) => return Err(Failed::net(&error, &call.url, options)),
        };
        to.write_all(&bytes).map_err(|error| Failed::files(Path::new(&shown), &error))?;
        *written += bytes.len() as u64;
        last += bytes.len() as u64;
    }
    to.flush().map_err(|error| Failed::files(Path::new(&shown), &error))?;
    let seconds = began.elapsed().as_secs_f64();
    log.say(FILES, &format!("{} -> \"{shown}\" [{last} bytes, {seconds:.2} s]", call.url));
    if fails { Err(server_error(&call.url, code, options)) } else { Ok(()) }
}

fn server_error(url: &Url, code: u16, options: &Options) -> Failed {
    let status = if code == 401 { status::AUTHENTICATION } else { status::SERVER };
    let line = crate::exchange::status_line(code);
    let words = line.trim_end().trim_start_matches("HTTP/1.1 ");
    let may_pass = options.retries_statuses.contains(&code);
    Failed { status, message: format!("{url}: ERROR {words}."), may_pass }
}

fn open(path: Option<&mut PathBuf>, resumes: bool, options: &Options) -> Result<File, Failed> {
    let path = path.ok_or_else(|| Failed::new(status::FILES, "there is nowhere to write to"))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| Failed::files(folder, &error))?;
    }
    if !resumes && !options.resumes {
        *path = crate::free(path).map_err(|error| Failed::files(path, &error))?;
    }
    let mut how = OpenOptions::new();
    how.create(true).write(true).append(resumes).truncate(!resumes);
    how.open(&*path).map_err(|error| Failed::files(path, &error))
}

/// The next hop, as wget makes it of the last.
fn follow(call: &mut Call, next: Url, code: u16) -> Result<(), Failed> {
    if matches!(code, 301..=303) && call.method == "POST" || code == 303 && call.method != "HEAD" {
        call.method = "GET".to_owned();
        call.content = None;
        call.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    if call.content.as_ref().is_some_and(|content| !Content::is_repeatable(content)) {
        return Err(Failed::new(status::PROTOCOL, "what was sent from stdin cannot be sent to where it redirects"));
    }
    if !same_host(&call.url, &next) {
        call.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
    }
    call.url = next;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_like_their_urls() {
        let name = |url: &str, folder: Option<&str>| {
            let options = Options { folder: folder.map(str::to_owned), ..Options::default() };
            target(&Url::parse(url).unwrap(), &options).display().to_string()
        };
        assert_eq!(name("http://a/b/c.tar.gz", None), "c.tar.gz");
        assert_eq!(name("http://a/b/", Some("d")), "d/index.html");
        assert_eq!(name("http://a/b?x=/y", None), "b?x=%2Fy");
    }

    #[test]
    fn a_post_goes_on_as_get() {
        let place = Place::read("http://a.test/").unwrap();
        let options = Options { content: Some(Content::bytes("x")), method: Some("POST".into()), ..Options::default() };
        let mut call = call(&place, 0, &options);
        assert!(follow(&mut call, Url::parse("http://b.test/").unwrap(), 302).is_ok());
        assert!(call.method == "GET" && call.content.is_none());
        assert!(call.headers.iter().all(|(name, _)| name != "content-type"), "{:?}", call.headers);
    }
}
