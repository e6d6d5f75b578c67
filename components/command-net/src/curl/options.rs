//! What curl is told. What it cannot do here it says by name; nothing is ignored that would make a difference.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use super::form::Field;
use crate::content::{self, Content};

/// What is sent as data, in the order of the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Content(Content),
    /// `--json`: pieces follow each other without `&`.
    Json(Content),
}

/// Where an answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    Stdout,
    File(String),
    /// `-O`: named like the end of the URL.
    Named,
}

#[derive(Debug, Clone, Default)]
pub struct Options {
    pub urls: Vec<String>,
    pub outputs: Vec<Output>,
    pub named_all: bool,
    pub output_dir: Option<String>,
    pub create_dirs: bool,
    pub method: Option<String>,
    pub headers: Vec<String>,
    pub data: Vec<Data>,
    pub data_in_query: bool,
    pub query: Vec<String>,
    pub form: Vec<Field>,
    pub upload: Option<String>,
    pub head_only: bool,
    pub shows_head: bool,
    pub head_file: Option<String>,
    pub silent: bool,
    pub shows_error: bool,
    pub fails: bool,
    pub fails_with_body: bool,
    pub fails_early: bool,
    pub follows: bool,
    pub redirects_max: Option<u32>,
    /// `--post301` and the like: these statuses leave a POST as it is.
    pub keeps_post: Vec<u16>,
    pub trusts_location: bool,
    pub user: Option<(String, String)>,
    pub bearer: Option<String>,
    pub user_agent: Option<String>,
    pub referer: Option<String>,
    pub range: Option<String>,
    /// `-C`: from this byte; None inside: from the end of the file.
    pub resume: Option<Option<u64>>,
    pub time_max: Option<Duration>,
    pub connect_max: Option<Duration>,
    pub bytes_max: Option<u64>,
    pub retries: u32,
    pub retry_delay: Option<Duration>,
    pub retry_time_max: Option<Duration>,
    pub retries_all: bool,
    pub retries_refused: bool,
    pub write_out: Option<String>,
    pub verbose: bool,
    pub globs: bool,
    pub removes_on_error: bool,
    pub no_clobber: bool,
    pub stderr: Option<String>,
    pub https_only: bool,
    pub https_redirects_only: bool,
    pub default_scheme: Option<String>,
}

/// What was asked for in place of a transfer.
pub enum Asked {
    Transfers(Box<Options>),
    Help,
    Version,
}

/// Options of curl that mean nothing here or cannot be had, and why.
fn refusal(name: &str) -> Option<&'static str> {
    Some(match name {
        "k" | "insecure" | "proxy-insecure" => "certificates are checked by the host, and that cannot be turned off",
        "b" | "cookie" | "c" | "cookie-jar" | "j" | "junk-session-cookies" => "cookies are neither sent nor kept here",
        "x" | "proxy" | "noproxy" | "socks5" | "socks5-hostname" | "socks4" | "preproxy" | "proxytunnel" | "p" => {
            "the host connects, and not through a proxy of the program's"
        }
        "resolve"
        | "connect-to"
        | "interface"
        | "dns-servers"
        | "4"
        | "6"
        | "ipv4"
        | "ipv6"
        | "unix-socket"
        | "local-port"
        | "doh-url"
        | "abstract-unix-socket" => "names are looked up and connections are made by the host",
        "cacert" | "capath" | "E" | "cert" | "key" | "tlsv1.3" | "tls-max" | "ciphers" | "pinnedpubkey" => {
            "TLS is the host's"
        }
        "0" | "http0.9" | "http1.0" | "http1.1" | "http2" | "http2-prior-knowledge" | "http3" | "http3-only" => {
            "the host chooses the version of HTTP"
        }
        "n" | "netrc" | "netrc-file" | "netrc-optional" => "there is no .netrc here; use -u",
        "digest" | "ntlm" | "negotiate" | "anyauth" | "aws-sigv4" => {
            "only basic authentication and bearer tokens are here"
        }
        "Z" | "parallel" | "parallel-max" => "transfers are made one after the other",
        "limit-rate" | "Y" | "y" | "speed-limit" | "speed-time" | "rate" => "the speed is not bounded here",
        "trace" | "trace-ascii" | "trace-time" | "trace-ids" => "use -v",
        "R" | "remote-time" | "z" | "time-cond" => "times of files on servers are not used",
        "K" | "config" | "next" | ":" | "libcurl" => "give each transfer a command of its own",
        "ftp-pasv" | "Q" | "quote" | "P" | "ftp-port" | "l" | "list-only" | "a" | "append" | "mail-from"
        | "mail-rcpt" | "t" | "telnet-option" => "only http and https are here",
        _ => return None,
    })
}

pub fn parse(arguments: Vec<OsString>) -> Result<Asked, String> {
    let mut parser = Parser::from_args(arguments);
    // `-d=x` sends `=x`.
    parser.set_short_equals(false);
    let mut options = Options { globs: true, ..Options::default() };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Value(url) => {
                options.urls.push(text(url)?);
                continue;
            }
            Arg::Short(letter) => letter.to_string(),
            Arg::Long(name) => name.to_owned(),
        };
        if matches!(name.as_str(), "h" | "help") {
            return Ok(Asked::Help);
        }
        if matches!(name.as_str(), "V" | "version") {
            return Ok(Asked::Version);
        }
        one(&name, &mut options, &mut parser)?;
    }
    check(&options)?;
    Ok(Asked::Transfers(Box::new(options)))
}

fn text(value: OsString) -> Result<String, String> {
    value.string().map_err(|_| "an argument is no text".to_owned())
}

fn one(name: &str, options: &mut Options, parser: &mut Parser) -> Result<(), String> {
    let shown = if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") };
    let mut value = || -> Result<String, String> {
        parser.value().map_err(|_| format!("option {shown}: requires parameter")).and_then(text)
    };
    match name {
        "url" => options.urls.push(value()?),
        "o" | "output" => {
            let path = value()?;
            options.outputs.push(if path == "-" { Output::Stdout } else { Output::File(path) });
        }
        "O" | "remote-name" => options.outputs.push(Output::Named),
        "remote-name-all" => options.named_all = true,
        "output-dir" => options.output_dir = Some(value()?),
        "create-dirs" => options.create_dirs = true,
        "no-clobber" => options.no_clobber = true,
        "remove-on-error" => options.removes_on_error = true,
        "X" | "request" => options.method = Some(value()?),
        "H" | "header" => headers(&value()?, options)?,
        "d" | "data" | "data-ascii" => {
            let given = value()?;
            options.data.push(Data::Content(match given.strip_prefix('@') {
                Some(path) => Content::bytes(stripped(&whole(path)?)),
                None => Content::bytes(given),
            }));
        }
        "data-raw" => options.data.push(Data::Content(Content::bytes(value()?))),
        "data-binary" => {
            let given = value()?;
            options.data.push(Data::Content(from_file_or(&given)?));
        }
        "data-urlencode" => options.data.push(Data::Content(Content::bytes(encoded(&value()?)?))),
        "json" => {
            let given = value()?;
            options.data.push(Data::Json(from_file_or(&given)?));
        }
        "G" | "get" => options.data_in_query = true,
        "url-query" => {
            let given = value()?;
            options.query.push(match given.strip_prefix('+') {
                Some(raw) => raw.to_owned(),
                None => encoded(&given)?,
            });
        }
        "F" | "form" => options.form.push(Field::read(&value()?)?),
        "form-string" => options.form.push(Field::text(&value()?)?),
        "T" | "upload-file" => options.upload = Some(value()?),
        "I" | "head" => options.head_only = true,
        "i" | "include" | "show-headers" => options.shows_head = true,
        "D" | "dump-header" => options.head_file = Some(value()?),
        "s" | "silent" => options.silent = true,
        "S" | "show-error" => options.shows_error = true,
        "f" | "fail" => options.fails = true,
        "fail-with-body" => options.fails_with_body = true,
        "fail-early" => options.fails_early = true,
        "L" | "location" => options.follows = true,
        "location-trusted" => (options.follows, options.trusts_location) = (true, true),
        "max-redirs" => {
            let given = value()?;
            options.redirects_max = if given == "-1" { Some(u32::MAX) } else { Some(number(&shown, &given)?) };
        }
        "post301" => options.keeps_post.push(301),
        "post302" => options.keeps_post.push(302),
        "post303" => options.keeps_post.push(303),
        "u" | "user" => {
            let given = value()?;
            let (user, password) = given.split_once(':').ok_or_else(|| {
                format!("{shown} {given:?}: there is nobody to ask for the password; write USER:PASSWORD")
            })?;
            options.user = Some((user.to_owned(), password.to_owned()));
        }
        "basic" => {}
        "oauth2-bearer" => options.bearer = Some(value()?),
        "A" | "user-agent" => options.user_agent = Some(value()?),
        "e" | "referer" => options.referer = Some(value()?),
        "r" | "range" => options.range = Some(value()?),
        "C" | "continue-at" => {
            let given = value()?;
            options.resume = Some(if given == "-" { None } else { Some(number(&shown, &given)?) });
        }
        "m" | "max-time" => options.time_max = Some(seconds(&shown, &value()?)?),
        "connect-timeout" => options.connect_max = Some(seconds(&shown, &value()?)?),
        "max-filesize" => options.bytes_max = Some(bytes(&shown, &value()?)?),
        "retry" => options.retries = number(&shown, &value()?)?,
        "retry-delay" => options.retry_delay = Some(seconds(&shown, &value()?)?),
        "retry-max-time" => options.retry_time_max = Some(seconds(&shown, &value()?)?),
        "retry-all-errors" => options.retries_all = true,
        "retry-connrefused" => options.retries_refused = true,
        "w" | "write-out" => {
            let given = value()?;
            options.write_out = Some(match given.strip_prefix('@') {
                Some(path) => String::from_utf8_lossy(&whole(path)?).into_owned(),
                None => given,
            });
        }
        "v" | "verbose" => options.verbose = true,
        "g" | "globoff" => options.globs = false,
        "stderr" => options.stderr = Some(value()?),
        // What is so in any case: nothing is held back, nothing is shown of the progress, nothing comes compressed, there
        // is no file of settings, and no TLS older than 1.2.
        "N" | "no-buffer" | "#" | "progress-bar" | "no-progress-meter" | "compressed" | "no-compressed" | "q"
        | "disable" | "no-keepalive" | "keepalive" | "no-sessionid" | "tcp-nodelay" | "no-insecure" | "no-location"
        | "no-silent" | "no-fail" | "raw" | "1" | "tlsv1" | "tlsv1.0" | "tlsv1.1" | "tlsv1.2" => {}
        "keepalive-time" | "expect100-timeout" => drop(seconds(&shown, &value()?)?),
        "proto" => options.https_only |= !allows_http(&shown, &value()?)?,
        "proto-redir" => options.https_redirects_only |= !allows_http(&shown, &value()?)?,
        "proto-default" => options.default_scheme = Some(value()?),
        _ => {
            return Err(match refusal(name) {
                Some(why) => format!("option {shown}: is not supported in this sandbox: {why}"),
                None => format!("option {shown}: is unknown"),
            });
        }
    }
    Ok(())
}

/// `=https` and the like. Whether http is left in what it allows.
fn allows_http(shown: &str, given: &str) -> Result<bool, String> {
    // What is not named stays as it is, unless the list begins with `=`.
    let (mut http, mut https) = (true, true);
    for word in given.split(',') {
        let (sign, name) = match word.strip_prefix(['=', '+', '-']) {
            Some(name) => (word.as_bytes()[0], name),
            None => (b'+', word),
        };
        if sign == b'=' {
            (http, https) = (false, false);
        }
        let allows = sign != b'-';
        match name {
            "all" => (http, https) = (allows, allows),
            "http" => http = allows,
            "https" => https = allows,
            _ => {}
        }
    }
    if https { Ok(http) } else { Err(format!("option {shown} {given}: nothing is left of it that is here")) }
}

fn check(options: &Options) -> Result<(), String> {
    if options.urls.is_empty() {
        return Err("(2) no URL specified".to_owned());
    }
    let sends =
        [!options.data.is_empty() && !options.data_in_query, !options.form.is_empty(), options.upload.is_some()];
    if sends.iter().filter(|sends| **sends).count() > 1 || (options.head_only && sends.contains(&true)) {
        return Err("You can only select one HTTP request method: one of -d, -F, -T and -I".to_owned());
    }
    if options.fails && options.fails_with_body {
        return Err("--fail and --fail-with-body do not go together".to_owned());
    }
    if options.resume.is_some() && options.range.is_some() {
        return Err("-C and -r do not go together".to_owned());
    }
    Ok(())
}

/// Headers that the host sets, or never sends: giving them would change nothing.
fn settable(name: &str) -> Result<(), String> {
    match name.to_ascii_lowercase().as_str() {
        "host" => Err("the header Host cannot be set in this sandbox: it follows from the URL".to_owned()),
        "cookie" => Err("the header Cookie is not sent in this sandbox".to_owned()),
        _ => Ok(()),
    }
}

fn headers(given: &str, options: &mut Options) -> Result<(), String> {
    let lines = match given.strip_prefix('@') {
        Some(path) => {
            let text = String::from_utf8_lossy(&whole(path)?).into_owned();
            text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        }
        None => vec![given.to_owned()],
    };
    for line in lines {
        if line.contains(['\r', '\n', '\0']) {
            return Err(format!("the header {line:?} has a line break in it"));
        }
        settable(line.split([':', ';']).next().unwrap_or_default())?;
        options.headers.push(line);
    }
    Ok(())
}

fn whole(path: &str) -> Result<Vec<u8>, String> {
    content::whole(path).map_err(|error| format!("Failed to open {path}: {}", crate::reason(&error)))
}

fn from_file_or(given: &str) -> Result<Content, String> {
    match given.strip_prefix('@') {
        Some(path) => Content::file(path).map_err(|error| format!("Failed to open {path}: {}", crate::reason(&error))),
        None => Ok(Content::bytes(given)),
    }
}

/// What `-d @file` sends of a file.
fn stripped(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)).collect()
}

/// `content`, `=content`, `name=content`, `@file`, `name@file`.
fn encoded(given: &str) -> Result<String, String> {
    let (name, content) = match given.find(['=', '@']) {
        Some(at) if given.as_bytes()[at] == b'=' => (&given[..at], given.as_bytes()[at + 1..].to_vec()),
        Some(at) => (&given[..at], whole(&given[at + 1..])?),
        None => ("", given.as_bytes().to_vec()),
    };
    let content = percent_encode(&content);
    Ok(if name.is_empty() { content } else { format!("{name}={content}") })
}

/// All but what RFC 3986 leaves unreserved.
pub fn percent_encode(bytes: &[u8]) -> String {
    const ENCODED: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::percent_encode(bytes, ENCODED).to_string()
}

fn number<T: std::str::FromStr>(shown: &str, given: &str) -> Result<T, String> {
    given.parse().map_err(|_| format!("option {shown}: expected a proper number, not {given:?}"))
}

fn seconds(shown: &str, given: &str) -> Result<Duration, String> {
    let seconds: f64 = number(shown, given)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("option {shown}: {given} is no time"))
}

fn bytes(shown: &str, given: &str) -> Result<u64, String> {
    let digits = given.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &given[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err(format!("option {shown}: {given:?} is no size")),
    };
    number::<u64>(shown, digits).map(|number| number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Result<Options, String> {
        match parse(arguments.iter().map(OsString::from).collect())? {
            Asked::Transfers(options) => Ok(*options),
            _ => Err("something else".to_owned()),
        }
    }

    #[test]
    fn short_options_come_together_and_with_their_values() {
        let options = options(&["-sSfLo", "out", "-XPUT", "-d=x", "-HA: b", "-m1.5", "a.test"]).unwrap();
        assert!(options.silent && options.shows_error && options.fails && options.follows);
        assert_eq!(options.outputs, [Output::File("out".into())]);
        assert_eq!((options.method.as_deref(), options.headers), (Some("PUT"), vec!["A: b".to_owned()]));
        assert_eq!(options.data, [Data::Content(Content::bytes("=x"))]);
        assert_eq!(options.time_max, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn what_cannot_be_done_is_said_by_name() {
        for (arguments, part) in [
            (&["-k", "a"][..], "option -k: is not supported in this sandbox: certificates"),
            (&["--frobnicate", "a"], "option --frobnicate: is unknown"),
            (&["-b", "x=y", "a"], "option -b"),
            (&["-H", "Cookie: x", "a"], "Cookie"),
            (&["-H", "host: x", "a"], "Host"),
            (&["-H", "A: b\r\nC: d", "a"], "line break"),
            (&["-m", "soon", "a"], "number"),
            (&["-m"], "requires parameter"),
            (&["-u", "me", "a"], "USER:PASSWORD"),
            (&[], "no URL"),
            (&["-I", "-d", "x", "a"], "only select one"),
            (&["-d", "@/no/such/file", "a"], "/no/such/file"),
        ] {
            let error = options(arguments).unwrap_err();
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }

    #[test]
    fn protocols_are_a_list() {
        for (given, http) in
            [("=https", false), ("=http,https", true), ("-http", false), ("all", true), ("-all,https", false)]
        {
            assert_eq!(allows_http("--proto", given), Ok(http), "{given}");
        }
        assert!(allows_http("--proto", "=ftp").is_err());
    }

    #[test]
    fn data_is_encoded_as_it_is_asked_for() {
        assert_eq!(encoded("a b&c").unwrap(), "a%20b%26c");
        assert_eq!(encoded("=a=b").unwrap(), "a%3Db");
        assert_eq!(encoded("q=ä/~").unwrap(), "q=%C3%A4%2F~");
        assert_eq!(stripped(b"a\r\nb\0\n"), b"ab");
        assert_eq!(bytes("-", "2K"), Ok(2048));
        assert!(bytes("-", "2X").is_err());
    }
}
