//! `wardian doctor`: what is installed, what is missing, what to type.

use serde_json::json;
use wardian_host::Tool;

use crate::case;
use crate::embedded;
use crate::failure::code;
use crate::home::Home;
use crate::model::Service;
use crate::settings::{Flags, HOME_FILE, PROJECT_FILE, Settings};
use crate::show;
use crate::{Outcome, block_on};

#[derive(clap::Args)]
#[command(after_help = "Example: wardian doctor --json")]
pub struct Arguments {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    /// What was found, or what is wrong.
    found: Result<String, String>,
    /// What to type when it is wrong.
    hint: &'static str,
}

pub fn run(arguments: Arguments) -> Outcome {
    let checks = checks();
    let ok = checks.iter().all(|check| check.found.is_ok());
    if arguments.json {
        let list: Vec<_> = checks
            .iter()
            .map(|check| match &check.found {
                Ok(found) => json!({"check": check.name, "ok": true, "found": found}),
                Err(wrong) => json!({"check": check.name, "ok": false, "found": wrong, "hint": check.hint}),
            })
            .collect();
        show::print_json(&json!({"ok": ok, "checks": list}));
    } else {
        for check in &checks {
            match &check.found {
                Ok(found) => say!("✓ {:<11} {found}", check.name),
                Err(wrong) => say!("✗ {:<11} {wrong}\n  {:<11} {}", check.name, "", check.hint),
            }
        }
    }
    Ok(if ok { code::DONE } else { code::FAILED })
}

fn checks() -> Vec<Check> {
    let mut checks = vec![Check {
        name: "version",
        found: Ok(format!(
            "wardian {} on {}-{}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            std::env::consts::OS
        )),
        hint: "",
    }];
    let home = match Home::find() {
        Ok(home) => home,
        Err(failure) => {
            checks.push(Check { name: "home", found: Err(failure.text()), hint: "set WARDIAN_HOME to a folder" });
            return checks;
        }
    };
    checks.push(Check {
        name: "home",
        found: writable(&home).map(|()| format!("{} ({} sessions)", home.folder.display(), home.sessions().len())),
        hint: "set WARDIAN_HOME to a folder that you can write to",
    });
    let settings = case::project(None).and_then(|project| Settings::load(&project, &home, &Flags::default()));
    let models = settings.as_ref().map(models).unwrap_or_default();
    let settings = settings.map(|_| format!("{PROJECT_FILE} here and {HOME_FILE} in the home are fine or absent"));
    checks.push(Check { name: "settings", found: settings.map_err(|f| f.text()), hint: "mend the line that is named" });
    let host = match case::host(&home) {
        Ok(host) => host,
        Err(failure) => {
            checks.push(Check {
                name: "engine",
                found: Err(failure.text()),
                hint: "allow more virtual memory: ulimit -v",
            });
            return checks;
        }
    };
    checks.push(Check { name: "engine", found: Ok("Wasmtime is ready".to_owned()), hint: "" });
    let agent = match embedded::AGENTS.first() {
        Some(_) => case::agent(&host).map(|code| format!("sha256 {}", code.digest)).map_err(|failure| failure.text()),
        None => Err("this wardian was built without components".to_owned()),
    };
    checks.push(Check { name: "agent", found: agent, hint: "build it with: cargo xtask build" });
    let tools = block_on(async {
        let mut names = Vec::new();
        for (name, bytes) in case::components(&[])? {
            let tool = Tool::new(&host, case::load(&host, &name, &bytes)?).await?;
            names.extend(tool.tools().iter().map(|info| info.name.clone()));
        }
        Ok(names.join(" "))
    });
    checks.push(Check {
        name: "tools",
        found: tools.map_err(|failure| failure.text()),
        hint: "build it with: cargo xtask build",
    });
    checks.push(Check {
        name: "models",
        found: Ok(format!("demo and script:FILE need no key, try: wardian run -m demo{models}")),
        hint: "",
    });
    checks
}

/// What each service has, or lacks. A key itself is never shown.
fn models(settings: &Settings) -> String {
    let state = |service: Service| {
        let name = service.name();
        match service.choose("NAME", settings, |name| std::env::var(name).ok()) {
            Ok(chosen) => {
                let key = if chosen.credential.is_some() { "with a key" } else { "without a key" };
                format!(" · {name}/NAME at {} {key}", chosen.base_url.origin().ascii_serialization())
            }
            Err(failure) => format!(" · {}", failure.text()),
        }
    };
    Service::ALL.map(state).concat()
}

fn writable(home: &Home) -> Result<(), String> {
    let cannot = |error: std::io::Error| format!("cannot write to {}: {error}", home.folder.display());
    std::fs::create_dir_all(&home.folder).map_err(cannot)?;
    tempfile::tempfile_in(&home.folder).map(drop).map_err(cannot)
}
