//! What may run without asking, what has to be asked, what never runs.

use std::collections::HashSet;

use globset::{GlobBuilder, GlobMatcher};

use crate::convert::power_names;
use crate::wardian::host::types::Unlisted;
use crate::wardian::session::types::{Approve, Rule, Verdict};
use crate::wardian::tool::types::{FileAccess, Powers};

/// Longest summary of a call, in characters.
const SUMMARY_CHARS_MAX: usize = 160;

/// Fields of an input that say best what a call does, the best first.
const TELLING_FIELDS: [&str; 10] =
    ["command", "argv", "file_path", "url", "query", "pattern", "path", "code", "name", "text"];

/// A verdict and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    pub verdict: Verdict,
    /// `rule`, `mode` or `user`.
    pub by: &'static str,
}

struct Compiled {
    verdict: Verdict,
    tool: GlobMatcher,
    subject: Option<GlobMatcher>,
}

pub struct Gate {
    approve: Approve,
    rules: Vec<Compiled>,
    /// Tools that the user allowed until the session ends.
    allowed: HashSet<String>,
    /// Tools and hosts: the same for requests.
    allowed_hosts: HashSet<(String, String)>,
}

impl Gate {
    pub fn new(approve: Approve, rules: &[Rule]) -> Result<Self, String> {
        let glob = |pattern: &str| {
            GlobBuilder::new(pattern)
                .literal_separator(false)
                .build()
                .map(|glob| glob.compile_matcher())
                .map_err(|error| format!("rule pattern {pattern:?}: {error}"))
        };
        let rules = rules
            .iter()
            .map(|rule| {
                Ok(Compiled {
                    verdict: rule.verdict,
                    tool: glob(&rule.tool)?,
                    subject: rule.subject.as_deref().map(glob).transpose()?,
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { approve, rules, allowed: HashSet::new(), allowed_hosts: HashSet::new() })
    }

    pub fn allow_until_end(&mut self, tool: &str) {
        self.allowed.insert(tool.to_owned());
    }

    pub fn allow_host_until_end(&mut self, tool: &str, host: &str) {
        self.allowed_hosts.insert((tool.to_owned(), host.to_owned()));
    }

    pub fn allows_host(&self, tool: &str, host: &str) -> bool {
        self.allowed_hosts.contains(&(tool.to_owned(), host.to_owned()))
    }

    /// What becomes of requests to hosts that no rule names.
    pub fn unlisted(&self) -> Unlisted {
        match self.approve {
            Approve::All => Unlisted::Allow,
            Approve::None => Unlisted::Deny,
            Approve::Files | Approve::Reads | Approve::Ask => Unlisted::Ask,
        }
    }

    /// Deny wins over ask, ask over allow; without a rule the mode decides.
    pub fn decide(&self, tool: &str, powers: &Powers, subject: &str) -> Decision {
        let strictest = self
            .rules
            .iter()
            .filter(|rule| rule.tool.is_match(tool))
            .filter(|rule| rule.subject.as_ref().is_none_or(|pattern| pattern.is_match(subject)))
            .map(|rule| rule.verdict)
            .max_by_key(|verdict| strictness(*verdict));
        if let Some(verdict) = strictest
            && !(verdict == Verdict::Ask && self.allowed.contains(tool))
        {
            return Decision { verdict, by: "rule" };
        }
        if self.allowed.contains(tool) {
            return Decision { verdict: Verdict::Allow, by: "user" };
        }
        let needs_power = !power_names(powers).is_empty();
        // Not `net`: each host that no rule names is a question of its own, asked when it is known which one.
        let only_files = powers.process.is_empty() && powers.env.is_empty();
        let only_reads = only_files && powers.files != FileAccess::Write;
        let verdict = match self.approve {
            Approve::All => Verdict::Allow,
            _ if !needs_power => Verdict::Allow,
            Approve::Reads if only_reads => Verdict::Allow,
            Approve::Files if only_files => Verdict::Allow,
            Approve::Files | Approve::Reads | Approve::Ask => Verdict::Ask,
            Approve::None => Verdict::Deny,
        };
        Decision { verdict, by: "mode" }
    }
}

fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Ask => 1,
        Verdict::Deny => 2,
    }
}

/// One line that says what a call would do: its most telling field, else the whole input.
pub fn summary(input: &serde_json::Value) -> String {
    let text = TELLING_FIELDS
        .iter()
        .find_map(|field| match input.get(field)? {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Array(words) => {
                let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap_or("?")).collect();
                Some(words.join(" "))
            }
            _ => None,
        })
        .unwrap_or_else(|| input.to_string());
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    let cut = line.len() < text.len() || line.chars().count() > SUMMARY_CHARS_MAX;
    let mut summary: String = line.chars().filter(|c| !c.is_control()).take(SUMMARY_CHARS_MAX).collect();
    if cut {
        summary.push('…');
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn powers(files: FileAccess, net: &[&str]) -> Powers {
        let net = net.iter().map(|host| (*host).to_owned()).collect();
        Powers { files, net, process: vec![], env: vec![] }
    }

    fn rule(verdict: Verdict, tool: &str, subject: Option<&str>) -> Rule {
        Rule { verdict, tool: tool.into(), subject: subject.map(Into::into) }
    }

    fn verdict(approve: Approve, powers: &Powers) -> Verdict {
        Gate::new(approve, &[]).unwrap().decide("T", powers, "s").verdict
    }

    #[test]
    fn modes() {
        use Verdict::{Allow, Ask, Deny};
        let (nothing, reads) = (powers(FileAccess::None, &[]), powers(FileAccess::Read, &[]));
        let (writes, fetches) = (powers(FileAccess::Write, &[]), powers(FileAccess::None, &["*"]));
        let all = |approve| [&nothing, &reads, &writes, &fetches].map(|powers| verdict(approve, powers));
        assert_eq!(all(Approve::Ask), [Allow, Ask, Ask, Ask]);
        // Requests are asked about one host after the other.
        assert_eq!(all(Approve::Reads), [Allow, Allow, Ask, Allow]);
        assert_eq!(all(Approve::Files), [Allow, Allow, Allow, Allow]);
        assert_eq!(all(Approve::All), [Allow, Allow, Allow, Allow]);
        assert_eq!(all(Approve::None), [Allow, Deny, Deny, Deny]);
    }

    #[test]
    fn the_strictest_fitting_rule_wins() {
        let rules = [
            rule(Verdict::Allow, "*", None),
            rule(Verdict::Ask, "Ba?h", Some("git push*")),
            rule(Verdict::Deny, "Bash", Some("*secret/*")),
        ];
        let gate = Gate::new(Approve::None, &rules).unwrap();
        let bash = powers(FileAccess::Write, &[]);
        let decide = |subject: &str| gate.decide("Bash", &bash, subject);
        assert_eq!(decide("ls"), Decision { verdict: Verdict::Allow, by: "rule" });
        assert_eq!(decide("git push origin").verdict, Verdict::Ask);
        assert_eq!(decide("git push a/secret/b").verdict, Verdict::Deny);
    }

    #[test]
    fn a_user_s_yes_holds_for_the_tool_but_not_against_a_deny() {
        let mut gate = Gate::new(Approve::Ask, &[rule(Verdict::Deny, "*", Some("no"))]).unwrap();
        gate.allow_until_end("Edit");
        let edit = powers(FileAccess::Write, &[]);
        assert_eq!(gate.decide("Edit", &edit, "yes"), Decision { verdict: Verdict::Allow, by: "user" });
        assert_eq!(gate.decide("Edit", &edit, "no").verdict, Verdict::Deny);
        assert_eq!(gate.decide("Write", &edit, "yes").verdict, Verdict::Ask);
    }

    #[test]
    fn hosts_that_no_rule_names_follow_the_mode_and_the_user() {
        let unlisted = |approve| Gate::new(approve, &[]).unwrap().unlisted();
        assert_eq!(unlisted(Approve::None), Unlisted::Deny);
        assert_eq!([Approve::Ask, Approve::Reads, Approve::Files].map(unlisted), [Unlisted::Ask; 3]);
        assert_eq!(unlisted(Approve::All), Unlisted::Allow);
        let mut gate = Gate::new(Approve::Files, &[]).unwrap();
        gate.allow_host_until_end("WebFetch", "example.org");
        assert!(gate.allows_host("WebFetch", "example.org"));
        assert!(!gate.allows_host("Other", "example.org") && !gate.allows_host("WebFetch", "example.org:8443"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Gate::new(Approve::Ask, &[rule(Verdict::Allow, "[", None)]).err().unwrap();
        assert!(error.contains("\"[\""), "{error}");
    }

    #[test]
    fn summaries_are_one_short_line() {
        assert_eq!(summary(&json!({"old_string": "x", "file_path": "a.rs"})), "a.rs");
        assert_eq!(summary(&json!({"argv": ["ls", "-l"]})), "ls -l");
        assert_eq!(summary(&json!({"command": "a\nb"})), "a…");
        assert_eq!(summary(&json!({"x": 1})), "{\"x\":1}");
        assert_eq!(summary(&json!({"text": "\u{1b}[2Jhi"})), "[2Jhi", "no control character reaches a terminal");
        assert_eq!(summary(&json!({"text": "é".repeat(500)})).chars().count(), SUMMARY_CHARS_MAX + 1);
    }
}
