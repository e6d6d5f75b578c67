//! What wget is told.

use std::ffi::OsString;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

use crate::content::Content;

#[derive(Debug, Clone)]
pub struct Options {
    pub urls: Vec<String>,
    /// `-O`; `-` is stdout.
    pub output: Option<String>,
    pub folder: Option<String>,
    pub quiet: bool,
    /// `-nv`: one line for each file.
    pub brief: bool,
    pub shows_head: bool,
    pub headers: Vec<(String, String)>,
    pub method: Option<String>,
    pub content: Option<Content>,
    pub resumes: bool,
    pub keeps_existing: bool,
    pub spider: bool,
    pub shows_error_pages: bool,
    pub tries: u32,
    pub retries_refused: bool,
    pub retries_statuses: Vec<u16>,
    pub pause_max: Duration,
    pub wait: Duration,
    pub connect_max: Option<Duration>,
    pub silence_max: Option<Duration>,
    pub redirects_max: u32,
    pub user: Option<String>,
    pub password: Option<String>,
    pub user_agent: Option<String>,
    pub referer: Option<String>,
    /// `-o`, `-a`: where the messages go, and whether after what is there.
    pub log: Option<(String, bool)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            output: None,
            folder: None,
            quiet: false,
            brief: false,
            shows_head: false,
            headers: Vec::new(),
            method: None,
            content: None,
            resumes: false,
            keeps_existing: false,
            spider: false,
            shows_error_pages: false,
            tries: 20,
            retries_refused: false,
            retries_statuses: Vec::new(),
            pause_max: Duration::from_secs(10),
            wait: Duration::ZERO,
            connect_max: None,
            silence_max: None,
            redirects_max: 20,
            user: None,
            password: None,
            user_agent: None,
            referer: None,
            log: None,
        }
    }
}

pub enum Asked {
    Transfers(Box<Options>),
    Help,
    Version,
}

fn refusal(name: &str) -> Option<&'static str> {
    Some(match name {
        "r" | "recursive" | "m" | "mirror" | "p" | "page-requisites" | "k" | "convert-links" | "l" | "level" | "A"
        | "accept" | "R" | "reject" | "np" | "no-parent" | "H" | "span-hosts" | "nd" | "no-directories" | "nH"
        | "D" => "it fetches what it is given, and does not walk through links",
        "no-check-certificate" | "ca-certificate" | "ca-directory" | "certificate" | "private-key" => {
            "certificates are checked by the host, and that cannot be changed"
        }
        "load-cookies" | "save-cookies" | "keep-session-cookies" => "cookies are neither sent nor kept here",
        "4" | "6" | "inet4-only" | "inet6-only" | "bind-address" | "proxy-user" | "proxy-password" => {
            "connections are made by the host"
        }
        "b" | "background" => "use `&` of the shell",
        "https-only" => "write the URL with https",
        "limit-rate" => "the speed is not bounded here",
        "N" | "timestamping" | "Q" | "quota" => "times and quotas are not kept here",
        "F" | "force-html" | "B" | "base" => "lists of URLs are plain text",
        _ => return None,
    })
}

pub fn parse(arguments: Vec<OsString>) -> Result<Asked, String> {
    let mut parser = Parser::from_args(arguments.into_iter().map(spelled_out));
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let name = match argument {
            Arg::Value(url) => {
                options.urls.push(url.string().map_err(|_| "a URL is no text")?);
                continue;
            }
            Arg::Short(letter) => letter.to_string(),
            Arg::Long(name) => name.to_owned(),
        };
        match name.as_str() {
            "h" | "help" => return Ok(Asked::Help),
            "V" | "version" => return Ok(Asked::Version),
            _ => one(&name, &mut options, &mut parser)?,
        }
    }
    if options.urls.is_empty() {
        return Err("missing URL".to_owned());
    }
    if options.content.is_some() && options.spider {
        return Err("--spider sends nothing: it does not go with --post-data and the like".to_owned());
    }
    Ok(Asked::Transfers(Box::new(options)))
}

/// wget has short options of two letters.
fn spelled_out(argument: OsString) -> OsString {
    match argument.to_str() {
        Some("-nv") => "--no-verbose".into(),
        Some("-nc") => "--no-clobber".into(),
        Some("-np") => "--no-parent".into(),
        Some("-nd") => "--no-directories".into(),
        Some("-nH") => "--no-host-directories".into(),
        _ => argument,
    }
}

fn one(name: &str, options: &mut Options, parser: &mut Parser) -> Result<(), String> {
    let shown = if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") };
    let mut value = || -> Result<String, String> {
        let value = parser.value().map_err(|_| format!("option {shown} requires an argument"))?;
        value.string().map_err(|_| format!("the argument of {shown} is no text"))
    };
    match name {
        "O" | "output-document" => options.output = Some(value()?),
        "P" | "directory-prefix" => options.folder = Some(value()?),
        "q" | "quiet" => options.quiet = true,
        "no-verbose" => options.brief = true,
        "v" | "verbose" => options.brief = false,
        "S" | "server-response" => options.shows_head = true,
        "header" => {
            let line = value()?;
            let (name, value) = line.split_once(':').ok_or_else(|| format!("the header {line:?} has no colon"))?;
            if matches!(name.trim().to_ascii_lowercase().as_str(), "host" | "cookie") {
                return Err(format!("the header {} is not sent in this sandbox", name.trim()));
            }
            if line.contains(['\r', '\n', '\0']) {
                return Err(format!("the header {line:?} has a line break in it"));
            }
            options.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        "post-data" | "body-data" => {
            options.content = Some(Content::bytes(value()?));
            post(name, options);
        }
        "post-file" | "body-file" => {
            let path = value()?;
            let content = Content::file(&path).map_err(|error| format!("{path}: {}", crate::reason(&error)))?;
            options.content = Some(content);
            post(name, options);
        }
        "method" => options.method = Some(value()?),
        "c" | "continue" => options.resumes = true,
        "no-clobber" => options.keeps_existing = true,
        "spider" => options.spider = true,
        "content-on-error" => options.shows_error_pages = true,
        "t" | "tries" => {
            options.tries = match value()?.as_str() {
                "0" | "inf" => u32::MAX,
                text => number(&shown, text)?,
            }
        }
        "retry-connrefused" => options.retries_refused = true,
        "retry-on-http-error" => {
            options.retries_statuses =
                value()?.split(',').map(|text| number(&shown, text.trim())).collect::<Result<_, _>>()?;
        }
        "waitretry" => options.pause_max = seconds(&shown, &value()?)?,
        "w" | "wait" => options.wait = seconds(&shown, &value()?)?,
        "T" | "timeout" => {
            let time = Some(seconds(&shown, &value()?)?).filter(|time| !time.is_zero());
            (options.connect_max, options.silence_max) = (time, time);
        }
        "connect-timeout" | "dns-timeout" => options.connect_max = Some(seconds(&shown, &value()?)?),
        "read-timeout" => options.silence_max = Some(seconds(&shown, &value()?)?),
        "max-redirect" => options.redirects_max = number(&shown, &value()?)?,
        "user" | "http-user" => options.user = Some(value()?),
        "password" | "http-password" => options.password = Some(value()?),
        "U" | "user-agent" => options.user_agent = Some(value()?),
        "referer" => options.referer = Some(value()?),
        "o" | "output-file" => options.log = Some((value()?, false)),
        "a" | "append-output" => options.log = Some((value()?, true)),
        "i" | "input-file" => {
            let path = value()?;
            let bytes = crate::content::whole(&path).map_err(|error| format!("{path}: {}", crate::reason(&error)))?;
            let text = String::from_utf8_lossy(&bytes);
            options.urls.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        }
        // How progress is shown, of which there is none; what is so in any case.
        "progress" | "compression" | "local-encoding" | "remote-encoding" => drop(value()?),
        "show-progress" | "no-hsts" | "no-cache" | "no-cookies" | "auth-no-challenge" | "no-proxy" | "no-config"
        | "no-dns-cache" | "no-http-keep-alive" | "no-netrc" | "no-iri" => {}
        _ => {
            return Err(match refusal(name) {
                Some(why) => format!("option {shown} is not supported in this sandbox: {why}"),
                None => format!("unrecognized option '{shown}'"),
            });
        }
    }
    Ok(())
}

fn post(name: &str, options: &mut Options) {
    if name.starts_with("post") && options.method.is_none() {
        options.method = Some("POST".to_owned());
    }
}

fn number<T: std::str::FromStr>(shown: &str, given: &str) -> Result<T, String> {
    given.parse().map_err(|_| format!("{shown}: invalid number '{given}'"))
}

fn seconds(shown: &str, given: &str) -> Result<Duration, String> {
    let seconds: f64 = number(shown, given)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{shown}: invalid time period '{given}'"))
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
    fn what_people_type_is_understood() {
        let it = options(&["-qO-", "a.test"]).unwrap();
        assert!(it.quiet && it.output.as_deref() == Some("-"));
        let it = options(&["-nv", "-nc", "-P", "d", "-t3", "--timeout=2", "a", "b"]).unwrap();
        assert!(it.brief && it.keeps_existing && it.tries == 3 && it.urls == ["a", "b"]);
        assert_eq!((it.folder.as_deref(), it.silence_max), (Some("d"), Some(Duration::from_secs(2))));
        let it = options(&["--post-data=x=1", "--header", "A: b:c", "a"]).unwrap();
        assert_eq!((it.method.as_deref(), it.content), (Some("POST"), Some(Content::bytes("x=1"))));
        assert_eq!(it.headers, [("A".to_owned(), "b:c".to_owned())]);
    }

    #[test]
    fn what_cannot_be_done_is_said_by_name() {
        for (arguments, part) in [
            (&["-r", "a"][..], "option -r is not supported"),
            (&["--no-check-certificate", "a"], "certificates"),
            (&["--nonsense", "a"], "unrecognized option '--nonsense'"),
            (&["-t", "x", "a"], "invalid number"),
            (&["--header", "Cookie: a", "a"], "Cookie"),
            (&["-O"], "requires an argument"),
            (&[], "missing URL"),
        ] {
            let error = options(arguments).unwrap_err();
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }
}
