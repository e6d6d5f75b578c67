//! The decisions, from hop to hop.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::address::{parse, special_name};
use crate::exports::wardian::netfetch::policy::{
    Abilities, Checked, Decision, Denial, Header, Invalid, Limits, Options, Question, Request, Verdict,
};
use crate::headers;
use crate::options::{self, Compiled, Reached, is_within};
use crate::place::{Place, is_of_another_protocol};

/// Methods that open tunnels, or send back what only the host should see.
const NEVER_SENT: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

/// Methods that the Fetch standard writes in upper case, however they come.
const NORMALIZED: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// A request that was let pass.
struct Passed {
    place: Place,
    method: String,
    headers: Vec<Header>,
    has_body: bool,
    /// The code asked for what redirects, in place of what that leads to.
    takes_redirects: bool,
    /// The rules that let it pass; empty: it is unlisted.
    rules: Vec<usize>,
}

pub struct Policy {
    options: options::Checked,
    /// Hosts that the user allowed for as long as this policy is used.
    allowed: HashSet<String>,
    passed: HashMap<u32, Passed>,
    requests: u32,
    next: u32,
}

/// A request before it is decided about.
struct Hop {
    place: Place,
    method: String,
    headers: Vec<Header>,
    has_body: bool,
    takes_redirects: bool,
}

fn deny(rule: &str, reason: impl Into<String>, shown: &str) -> Denial {
    Denial { rule: rule.to_owned(), reason: reason.into(), shown: shown.to_owned() }
}

impl Policy {
    pub fn new(options: Options, abilities: Abilities) -> Result<Self, Invalid> {
        let options = options::check(options, abilities)?;
        Ok(Self { options, allowed: HashSet::new(), passed: HashMap::new(), requests: 0, next: 0 })
    }

    pub fn limits(&self) -> Limits {
        self.options.limits
    }

    pub fn allow_host(&mut self, host: String) {
        self.allowed.insert(host);
    }

    pub fn forget(&mut self, decision: u32) {
        self.passed.remove(&decision);
    }

    pub fn decide(&mut self, request: Request) -> Decision {
        match self.count("").and_then(|()| self.first_hop(request)) {
            Ok(hop) => self.decide_hop(hop),
            Err(denial) => Decision::Deny(denial),
        }
    }

    /// Refused ones count, too: code that is told no must not go on asking for ever.
    fn count(&mut self, shown: &str) -> Result<(), Denial> {
        let max = self.options.limits.requests_max;
        self.requests = self.requests.saturating_add(1);
        if self.requests > max {
            return Err(deny("requests-max", format!("requests-max reached ({max})"), shown));
        }
        Ok(())
    }

    fn first_hop(&self, request: Request) -> Result<Hop, Denial> {
        let limits = &self.options.limits;
        let place = Place::read(&request.url, None, limits.url_bytes_max)
            .map_err(|reason| deny("url", format!("the URL is refused: {reason}"), ""))?;
        let shown = place.shown();
        let upper = request.method.to_ascii_uppercase();
        let method = if NORMALIZED.contains(&upper.as_str()) { upper.clone() } else { request.method };
        if method.is_empty() || NEVER_SENT.contains(&upper.as_str()) {
            return Err(deny("method", format!("{method:?} is a method that is never sent"), &shown));
        }
        let headers = headers::to_send(&request.headers, request.has_body)
            .map_err(|name| deny("header", format!("the header {name:?} is malformed"), &shown))?;
        if headers::bytes(&headers) > limits.header_bytes_max as usize {
            let reason = format!("the header has more than header-bytes-max bytes ({})", limits.header_bytes_max);
            return Err(deny("header-bytes-max", reason, &shown));
        }
        let takes_redirects = headers::wants_redirects(&request.headers);
        Ok(Hop { place, method, headers, has_body: request.has_body, takes_redirects })
    }

    fn decide_hop(&mut self, hop: Hop) -> Decision {
        let shown = hop.place.shown();
        let (verdict, rules) = match self.verdict(&hop, &shown) {
            Ok(found) => found,
            Err(denial) => return Decision::Deny(denial),
        };
        let decision = self.next;
        self.next += 1;
        let host = hop.place.named();
        let rule = rules.first().map_or("unlisted", |index| self.options.rules[*index].name.as_str()).to_owned();
        let checked = Checked {
            url: hop.place.url.to_string(),
            shown,
            origin: hop.place.origin(),
            method: hop.method.clone(),
            headers: hop.headers.clone(),
            address: hop.place.address().map(|address| address.to_string()),
            rule,
            decision,
        };
        let Hop { place, method, headers, has_body, takes_redirects } = hop;
        self.passed.insert(decision, Passed { place, method, headers, has_body, takes_redirects, rules });
        match verdict {
            Verdict::Ask if !self.allowed.contains(&host) => Decision::Ask(Question { host, request: checked }),
            _ => Decision::Allow(checked),
        }
    }

    /// What the rules say, and which of them let the request pass.
    fn verdict(&self, hop: &Hop, shown: &str) -> Result<(Verdict, Vec<usize>), Denial> {
        let Hop { place, method, .. } = hop;
        let host = place.named();
        if !is_within(&self.options.within, place) {
            let reason = format!("the code did not declare that it needs {host}");
            return Err(deny("power net", reason, shown));
        }
        let fitting: Vec<(usize, &Compiled)> =
            self.options.rules.iter().enumerate().filter(|(_, rule)| rule.fits(place, method)).collect();
        if let Some((_, rule)) = fitting.iter().find(|(_, rule)| rule.verdict == Verdict::Deny) {
            return Err(deny(&rule.name, format!("a rule denies it: {}", rule.name), shown));
        }
        let asks = fitting.iter().any(|(_, rule)| rule.verdict == Verdict::Ask);
        let verdict = match (fitting.is_empty(), asks) {
            (false, true) => Verdict::Ask,
            (false, false) => Verdict::Allow,
            (true, _) => self.options.unlisted,
        };
        if verdict == Verdict::Deny {
            return Err(deny("unlisted", format!("no rule names {host}; --net {host} allows it"), shown));
        }
        let rules: Vec<usize> = fitting.iter().map(|(index, _)| *index).collect();
        if rules.is_empty() && is_of_another_protocol(place.port) {
            let reason = format!("port {} is one of another protocol; --net {host} allows it", place.port);
            return Err(deny("port", reason, shown));
        }
        // What no address can change is not asked about.
        match place.address() {
            Some(address) => self.reaches(&rules, address, &host, shown)?,
            None => {
                let name = place.host.to_string();
                let is_wider = rules.iter().any(|index| self.options.rules[*index].reach.is_wider());
                if let Some(what) = special_name(&name).filter(|_| !is_wider) {
                    let reason = format!("{name} is {what}, and no rule names it; --net {host} allows it");
                    return Err(deny("address", reason, shown));
                }
            }
        }
        Ok((verdict, rules))
    }

    fn reaches(&self, rules: &[usize], address: IpAddr, host: &str, shown: &str) -> Result<(), Denial> {
        let public = Reached::Public(Vec::new());
        let refused = match rules {
            [] => public.refuses(address),
            // Any of the rules is enough.
            rules => {
                let mut refusals = rules.iter().map(|index| self.options.rules[*index].reach.refuses(address));
                let first = refusals.next().flatten();
                if refusals.any(|refusal| refusal.is_none()) { None } else { first }
            }
        };
        match refused {
            None => Ok(()),
            Some(what) if host.contains(&address.to_string()) => {
                let reason = format!("{address} is {what}, and no rule names it; --net {host} allows it");
                Err(deny("address", reason, shown))
            }
            Some(what) => {
                let reason = format!("{host} leads to {address}, {what}, and no rule names that network (`networks`)");
                Err(deny("address", reason, shown))
            }
        }
    }

    pub fn addresses(&self, decision: u32, addresses: &[String]) -> Result<(), Denial> {
        let passed = self.passed(decision)?;
        let (shown, host) = (passed.place.shown(), passed.place.named());
        if addresses.is_empty() {
            return Err(deny("address", format!("{host} has no address"), &shown));
        }
        for text in addresses {
            let address = parse(text).ok_or_else(|| deny("address", format!("{text:?} is no address"), &shown))?;
            self.reaches(&passed.rules, address, &host, &shown)?;
        }
        Ok(())
    }

    fn passed(&self, decision: u32) -> Result<&Passed, Denial> {
        self.passed.get(&decision).ok_or_else(|| deny("decision", format!("there is no decision {decision}"), ""))
    }

    pub fn redirect(&mut self, decision: u32, hop: u32, status: u16, location: Option<&[u8]>) -> Option<Decision> {
        let location = location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308))?;
        // Where redirects are refused, they are refused to code that wants them as well.
        if self.options.follows && self.passed.get(&decision).is_some_and(|passed| passed.takes_redirects) {
            return None;
        }
        let shown = self.passed(decision).map(|passed| passed.place.shown()).unwrap_or_default();
        let counted = self.count(&shown);
        let next = counted.and_then(|()| self.next_hop(self.passed(decision)?, hop, status, location));
        Some(match next {
            Ok(hop) => self.decide_hop(hop),
            Err(denial) => Decision::Deny(denial),
        })
    }

    fn next_hop(&self, passed: &Passed, hop: u32, status: u16, location: &[u8]) -> Result<Hop, Denial> {
        let limits = &self.options.limits;
        let from = passed.place.shown();
        if !self.options.follows {
            return Err(deny("redirects", "the server redirects, and redirects are refused here", &from));
        }
        if hop > limits.redirects_max {
            return Err(deny("redirects-max", format!("redirects-max reached ({})", limits.redirects_max), &from));
        }
        let refused = |reason: &str| deny("redirect", format!("the redirect is refused: {reason}"), &from);
        let location = std::str::from_utf8(location).map_err(|_| refused("where it leads is no text"))?;
        let place = Place::read(location.trim(), Some(&passed.place.url), limits.url_bytes_max)
            .map_err(|reason| refused(&format!("where it leads is refused: {reason}")))?;
        if passed.place.url.scheme() == "https" && place.url.scheme() == "http" {
            return Err(refused("it leads from https to http"));
        }
        let becomes_get = match status {
            303 => passed.method != "HEAD",
            301 | 302 => passed.method == "POST",
            _ => false,
        };
        if passed.has_body && !becomes_get {
            return Err(refused("the body would have to be sent again"));
        }
        let without_body = becomes_get || !passed.has_body;
        let same_origin = place.same_origin(&passed.place);
        let headers = headers::to_follow(&passed.headers, same_origin, without_body);
        let method = if becomes_get { "GET".to_owned() } else { passed.method.clone() };
        Ok(Hop { place, method, headers, has_body: false, takes_redirects: false })
    }

    pub fn response(&self, decision: u32, status: u16, content_type: Option<&[u8]>) -> Result<(), Denial> {
        let passed = self.passed(decision)?;
        let without_body = passed.method == "HEAD" || matches!(status, 204 | 205 | 304);
        if without_body || passed.rules.is_empty() {
            return Ok(());
        }
        let essence = content_type.map(|value| {
            let text = String::from_utf8_lossy(value).to_ascii_lowercase();
            text.split(';').next().unwrap_or_default().trim().to_owned()
        });
        let takes = |rule: &Compiled| {
            rule.content_types.is_empty()
                || essence
                    .as_ref()
                    .is_some_and(|essence| rule.content_types.iter().any(|wanted| is_type(wanted, essence)))
        };
        let rules = passed.rules.iter().map(|index| &self.options.rules[*index]);
        let mut strict = rules.filter(|rule| !takes(rule)).map(|rule| &rule.name);
        match (passed.rules.iter().any(|index| takes(&self.options.rules[*index])), strict.next()) {
            (false, Some(name)) => {
                let what = essence.map_or("no content type".to_owned(), |essence| format!("{essence:?}"));
                Err(deny(
                    name,
                    format!("the response has {what}, which the rule does not allow"),
                    &passed.place.shown(),
                ))
            }
            _ => Ok(()),
        }
    }
}

fn is_type(wanted: &str, essence: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(kind) => essence.starts_with(kind),
        None => wanted == essence,
    }
}
