//! `wardian serve`: the page, and for it the models.

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::case;
use crate::failure::{Failure, code};
use crate::home::Home;
use crate::model::{self, Model};
use crate::serve::{Server, Site, Upstreams};
use crate::settings::{Flags, Settings};
use crate::terminal::Signals;
use crate::{Outcome, block_on, show};

/// WARD on a telephone. The same at every start: what the page keeps, the browser keeps by address and port.
const PORT: u16 = 9273;

#[derive(clap::Args)]
#[command(after_help = "Example: wardian serve --open\n\
                        The page keeps its sessions in the browser, by address: another port has other sessions.")]
pub struct Arguments {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = PORT)]
    port: u16,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// The model that the page begins with, as `wardian run -m` takes it
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// A server that the page may speak to by itself, such as https://api.example.org (repeatable)
    #[arg(long, value_name = "ORIGIN")]
    connect: Vec<String>,
    /// Serve the page from this folder, for instance one of your own build
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Print events as JSON Lines
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Outcome {
    let home = Home::find()?;
    let flags = Flags { model: arguments.model.clone(), ..Flags::default() };
    let settings = Settings::load(&case::project(None)?, &home, &flags)?;
    let model = settings.model.clone().unwrap_or_else(|| model::DEFAULT.to_owned());
    if let Model::Script(_) = Model::parse(&model)? {
        return Err(Failure::usage("the page plays no scenario files of this machine")
            .hint("name another model with -m, or choose the file in the page"));
    }
    let site = match &arguments.site {
        Some(folder) => Site::folder(folder)?,
        None => Site::embedded()?,
    };
    let connect = arguments.connect.iter().map(|text| origin(text)).collect::<Result<Vec<_>, _>>()?;
    block_on(async {
        let host = case::host(&home)?;
        let upstreams = Upstreams::new(&host, &settings, &model).await?;
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await.map_err(|error| {
            Failure::failed(format!("cannot listen on 127.0.0.1:{}: {error}", arguments.port))
                .hint("is another `wardian serve` there? --port N takes another, whose page has sessions of its own")
        })?;
        let mut signals = Signals::new().map_err(|error| Failure::failed(format!("no signals: {error}")))?;
        let server = Server::new(listener, site, upstreams, connect, arguments.json)?;
        announce(&server, &arguments);
        tokio::select! {
            failure = server.serve() => Err(failure),
            _ = signals.next() => Ok(code::DONE),
        }
    })
}

/// The address is a secret as long as the server runs: the token is in it.
fn announce(server: &Server, arguments: &Arguments) {
    let url = server.url();
    if arguments.json {
        show::print_json_line(&json!({"type": "listening", "url": url, "origin": server.origin()}));
    } else {
        say!("{url}");
        if std::io::stderr().is_terminal() {
            eprintln!("The page is at this address, on this machine alone. Ctrl-C ends it.");
        }
    }
    if arguments.open && std::io::stdout().is_terminal() && !open(&url) {
        eprintln!("note: no browser could be started; open the address yourself");
    }
}

/// Hands the address to the desktop.
fn open(url: &str) -> bool {
    let programs: &[&str] = if cfg!(target_os = "macos") { &["open"] } else { &["xdg-open", "wslview"] };
    programs.iter().any(|program| {
        let mut command = Command::new(program);
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().is_ok()
    })
}

/// An origin, as a content security policy has it.
fn origin(text: &str) -> Result<String, Failure> {
    let wrong = |why: String| {
        Failure::usage(format!("--connect {text}: {why}")).hint("an origin is a scheme, a host and perhaps a port")
    };
    let url = url::Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("its scheme must be http or https".to_owned()));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong("it has more than scheme, host and port".to_owned()));
    }
    // What the URL standard leaves in a host has no character that would end a source in a policy.
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_origins_and_nothing_else() {
        for (text, expected) in [
            ("https://API.example.org", "https://api.example.org"),
            ("https://api.example.org:443/", "https://api.example.org"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ] {
            assert_eq!(origin(text).unwrap(), expected);
        }
        for wrong in ["api.example.org", "https://a/b", "https://u@a", "ftp://a", "https://*.a; script-src *", "*", ""]
        {
            let refused = origin(wrong);
            assert!(refused.is_err(), "{wrong}: {refused:?}");
        }
    }
}
