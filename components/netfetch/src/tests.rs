//! The corpus of places that a request must not get to, and what is not in it: a file, so that each host runs the same.

use serde_json::Value;

use crate::decide::Policy;
use crate::exports::wardian::netfetch::policy::{
    Abilities, Checked, Decision, Denial, Header, Invalid, Limits, Options, Port, Reach, Redirects, Request, Rule,
    Schemes, Verdict,
};

const CORPUS: &str = include_str!("../../../tests/cases/net/corpus.json");

fn limits() -> Limits {
    Limits {
        requests_max: 20,
        concurrent_max: 4,
        redirects_max: 5,
        url_bytes_max: 2048,
        header_bytes_max: 4096,
        request_bytes_max: 1 << 20,
        response_bytes_max: 1 << 20,
        connect_ms_max: 1000,
        first_byte_ms_max: 1000,
        between_bytes_ms_max: 1000,
        total_ms_max: 1000,
    }
}

fn rule(host: &str) -> Rule {
    Rule {
        name: host.to_owned(),
        verdict: Verdict::Allow,
        schemes: Schemes::HTTP | Schemes::HTTPS,
        host: host.to_owned(),
        port: None,
        methods: vec![],
        content_types: vec![],
        reach: Reach::Public,
    }
}

fn options(rules: Vec<Rule>) -> Options {
    let (within, unlisted) = (vec!["*".to_owned()], Verdict::Deny);
    Options { rules, within, unlisted, limits: limits(), redirects: Redirects::Follow }
}

fn get(url: &str) -> Request {
    Request { method: "GET".to_owned(), url: url.to_owned(), headers: vec![], has_body: false }
}

fn policy(options: Options) -> Policy {
    Policy::new(options, Abilities::all()).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn verdict(value: &Value) -> Verdict {
    match value.as_str() {
        None | Some("allow") => Verdict::Allow,
        Some("ask") => Verdict::Ask,
        Some("deny") => Verdict::Deny,
        Some(other) => panic!("{other}"),
    }
}

/// A policy of the corpus. A rule is named by its host, and its port if it has one.
fn of_corpus(value: &Value) -> Options {
    let rules = value["rules"].as_array().unwrap().iter().map(|value| {
        let host = value["host"].as_str().unwrap();
        let (port, name) = match &value["port"] {
            Value::Null => (None, host.to_owned()),
            Value::String(_) => (Some(Port::Any), format!("{host}:*")),
            number => (Some(Port::Number(number.as_u64().unwrap() as u16)), format!("{host}:{number}")),
        };
        let schemes = texts(&value["schemes"]);
        Rule {
            name,
            verdict: verdict(&value["verdict"]),
            schemes: if schemes == ["https"] { Schemes::HTTPS } else { Schemes::HTTP | Schemes::HTTPS },
            port,
            methods: texts(&value["methods"]),
            reach: match (&value["networks"], &value["reach"]) {
                (Value::Array(_), _) => Reach::Networks(texts(&value["networks"])),
                (_, Value::String(_)) => Reach::Any,
                _ => Reach::Public,
            },
            ..rule(host)
        }
    });
    let mut options = options(rules.collect());
    if value["unlisted"].is_string() {
        options.unlisted = verdict(&value["unlisted"]);
    }
    if value["within"].is_array() {
        options.within = texts(&value["within"]);
    }
    if value["redirects"] == "refuse" {
        options.redirects = Redirects::Refuse;
    }
    options
}

/// What becomes of a case: the request at the end, or the decision that ended it.
fn walk(policy: &mut Policy, case: &Value) -> Decision {
    let mut decision = policy.decide(Request {
        method: case["method"].as_str().unwrap_or("GET").to_owned(),
        has_body: case["body"] == true,
        ..get(case["url"].as_str().unwrap())
    });
    for (index, hop) in case["hops"].as_array().into_iter().flatten().enumerate() {
        let Decision::Allow(checked) = decision else { return decision };
        let (status, location) = (hop[0].as_u64().unwrap() as u16, hop[1].as_str().unwrap());
        decision = policy.redirect(checked.decision, index as u32 + 1, status, Some(location.as_bytes())).unwrap();
    }
    if let (Decision::Allow(checked), Value::Array(_)) = (&decision, &case["resolves"])
        && let Err(denial) = policy.addresses(checked.decision, &texts(&case["resolves"]))
    {
        return Decision::Deny(denial);
    }
    decision
}

#[test]
fn every_case_of_the_corpus_gets_its_verdict() {
    let corpus: Value = serde_json::from_str(CORPUS).unwrap();
    let cases = corpus["cases"].as_array().unwrap();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let options = of_corpus(&corpus["policies"][case["policy"].as_str().unwrap()]);
        let mut policy = policy(options);
        let (kind, word, more) = match walk(&mut policy, case) {
            Decision::Allow(Checked { rule, url, method, .. }) => ("allow", rule, Some((url, method))),
            Decision::Ask(question) => ("ask", question.host, None),
            Decision::Deny(Denial { rule, reason, .. }) => {
                assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}");
                ("deny", rule, None)
            }
        };
        let as_expected = case[kind] == word.as_str()
            && more.is_none_or(|(url, method)| {
                case["ends"].as_str().is_none_or(|ends| ends == url)
                    && case["becomes"].as_str().is_none_or(|becomes| becomes == method)
            });
        if !as_expected {
            wrong.push(format!("{case}\n    got {kind} {word:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

fn made(options: Options, abilities: Abilities) -> Result<(), Invalid> {
    Policy::new(options, abilities).map(drop)
}

#[test]
fn what_a_host_cannot_enforce_it_refuses_by_name() {
    let page = Abilities::empty();
    let refused = |options: Options| match made(options, page) {
        Err(Invalid::Unenforceable(what)) => what,
        other => panic!("{other:?}"),
    };
    let refuse = |rules| Options { redirects: Redirects::Refuse, ..options(rules) };
    let pair = |what: &str, ability: &str| (what.to_owned(), ability.to_owned());
    assert_eq!(refused(options(vec![])), pair("redirects", "redirects"));
    assert_eq!(refused(Options { unlisted: Verdict::Ask, ..refuse(vec![]) }), pair("unlisted", "addresses"));
    assert_eq!(refused(Options { unlisted: Verdict::Allow, ..refuse(vec![]) }), pair("unlisted", "addresses"));
    assert_eq!(refused(refuse(vec![rule("api.example")])), pair("api.example", "addresses"));
    let networks = Rule { reach: Reach::Networks(vec!["10.0.0.0/8".to_owned()]), ..rule("*") };
    assert_eq!(refused(refuse(vec![networks])), pair("*", "addresses"));
    // Their twins, which need nothing that a page lacks.
    assert_eq!(made(refuse(vec![]), page), Ok(()));
    assert_eq!(made(refuse(vec![Rule { reach: Reach::Any, ..rule("api.example") }]), page), Ok(()));
    assert_eq!(made(refuse(vec![rule("127.0.0.1")]), page), Ok(()), "an address is seen in the URL");
    assert_eq!(made(refuse(vec![Rule { verdict: Verdict::Deny, ..rule("evil.example") }]), page), Ok(()));
    assert_eq!(made(options(vec![rule("*")]), Abilities::all()), Ok(()));
}

#[test]
fn what_is_malformed_is_named() {
    let named = |options: Options| match made(options, Abilities::all()) {
        Err(Invalid::Rule((name, _)) | Invalid::Setting((name, _))) => name,
        other => panic!("{other:?}"),
    };
    let bad = |change: fn(&mut Rule)| {
        let mut rule = Rule { name: "r".to_owned(), ..rule("example.org") };
        change(&mut rule);
        named(options(vec![rule]))
    };
    assert_eq!(bad(|rule| rule.host = "a b".to_owned()), "r");
    assert_eq!(bad(|rule| rule.schemes = Schemes::empty()), "r");
    assert_eq!(bad(|rule| rule.port = Some(Port::Number(0))), "r");
    assert_eq!(bad(|rule| rule.methods = vec!["get".to_owned()]), "r");
    assert_eq!(bad(|rule| rule.content_types = vec!["html".to_owned()]), "r");
    assert_eq!(bad(|rule| rule.content_types = vec!["*/*".to_owned()]), "r");
    assert_eq!(bad(|rule| rule.reach = Reach::Networks(vec!["10.0.0.0/33".to_owned()])), "r");
    let denying = |rule: &mut Rule| rule.verdict = Verdict::Deny;
    assert_eq!(bad(|rule| (rule.verdict, rule.content_types) = (Verdict::Deny, vec!["a/b".to_owned()])), "r");
    assert_eq!(bad(|rule| (rule.verdict, rule.reach) = (Verdict::Deny, Reach::Networks(vec![]))), "r");
    let mut fine = rule("example.org");
    denying(&mut fine);
    assert_eq!(made(options(vec![fine]), Abilities::all()), Ok(()));
    assert_eq!(named(Options { within: vec!["a b".to_owned()], ..options(vec![]) }), "within");
    assert_eq!(named(Options { limits: Limits { total_ms_max: 0, ..limits() }, ..options(vec![]) }), "total-ms-max");
}

fn allowed(decision: Decision) -> Checked {
    match decision {
        Decision::Allow(checked) => checked,
        other => panic!("{other:?}"),
    }
}

fn denied(decision: Decision) -> String {
    match decision {
        Decision::Deny(denial) => denial.rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_secret_is_shown() {
    let mut policy = policy(options(vec![rule("*")]));
    let checked = allowed(policy.decide(get("https://example.org/p?key=SECRET&SECRET&b=#SECRET")));
    assert_eq!(checked.shown, "https://example.org/p?key=…&…&b=…");
    assert_eq!(checked.url, "https://example.org/p?key=SECRET&SECRET&b=");
    let Decision::Deny(denial) = policy.decide(get("https://user:SECRET@example.org/")) else { panic!() };
    assert!(!denial.shown.contains("SECRET") && !denial.reason.contains("SECRET"), "{denial:?}");
}

#[test]
fn credentials_never_follow_to_another_origin() {
    let mut policy = policy(options(vec![rule("*")]));
    let header = |name: &str| Header { name: name.to_owned(), value: b"x".to_vec() };
    let headers = vec![header("Authorization"), header("X-Api-Key"), header("Accept"), header("Cookie")];
    let checked = allowed(policy.decide(Request { headers, ..get("https://example.org/") }));
    let names = |checked: &Checked| checked.headers.iter().map(|header| header.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&checked), ["authorization", "x-api-key", "accept"]);
    let mut follow = |location: &[u8]| allowed(policy.redirect(checked.decision, 1, 302, Some(location)).unwrap());
    assert_eq!(names(&follow(b"/2")), ["authorization", "x-api-key", "accept"]);
    let elsewhere = follow(b"https://other.example/");
    assert_eq!(names(&elsewhere), ["accept"]);
    // Nor do they come back on the way back.
    let back = policy.redirect(elsewhere.decision, 2, 302, Some(b"https://example.org/"));
    assert_eq!(names(&allowed(back.unwrap())), ["accept"]);
}

#[test]
fn requests_and_hops_are_counted() {
    let few = Limits { requests_max: 3, ..limits() };
    let mut policy = policy(Options { limits: few, ..options(vec![rule("*")]) });
    let first = allowed(policy.decide(get("https://example.org/")));
    let second = allowed(policy.redirect(first.decision, 1, 302, Some(b"/2")).unwrap());
    allowed(policy.decide(get("https://example.org/3")));
    assert_eq!(denied(policy.decide(get("https://example.org/4"))), "requests-max");
    assert_eq!(denied(policy.redirect(second.decision, 2, 302, Some(b"/5")).unwrap()), "requests-max");
}

#[test]
fn sizes_are_bounded() {
    let mut policy = policy(options(vec![rule("*")]));
    let long = |bytes: usize| format!("https://example.org/{}", "x".repeat(bytes - 20));
    allowed(policy.decide(get(&long(2048))));
    assert_eq!(denied(policy.decide(get(&long(2049)))), "url");
    let with = |bytes: usize| vec![Header { name: "a".to_owned(), value: vec![b'x'; bytes - 1] }];
    allowed(policy.decide(Request { headers: with(4096), ..get("https://example.org/") }));
    assert_eq!(
        denied(policy.decide(Request { headers: with(4097), ..get("https://example.org/") })),
        "header-bytes-max"
    );
}

#[test]
fn responses_are_judged_by_their_content_type() {
    let types = |types: &[&str]| types.iter().map(|text| (*text).to_owned()).collect();
    let text = Rule { content_types: types(&["text/*", "application/json"]), ..rule("*") };
    let mut policy = policy(options(vec![text]));
    let get_it = allowed(policy.decide(get("https://example.org/"))).decision;
    let head = Request { method: "HEAD".to_owned(), ..get("https://example.org/") };
    let head = allowed(policy.decide(head)).decision;
    let response = |decision, status, content_type: Option<&str>| {
        policy.response(decision, status, content_type.map(str::as_bytes).map(<[u8]>::to_vec).as_deref())
    };
    assert_eq!(response(get_it, 200, Some("text/html; charset=utf-8")), Ok(()));
    assert_eq!(response(get_it, 200, Some("Application/JSON")), Ok(()));
    for refused in [Some("application/octet-stream"), Some("texty/html"), Some(""), None] {
        assert_eq!(response(get_it, 200, refused).unwrap_err().rule, "*");
    }
    assert_eq!(response(get_it, 204, None), Ok(()));
    assert_eq!(response(head, 200, Some("image/png")), Ok(()));
}

#[test]
fn only_what_redirects_is_a_redirect() {
    let mut policy = policy(options(vec![rule("*")]));
    let decision = allowed(policy.decide(get("https://example.org/"))).decision;
    for status in [200, 201, 300, 304, 404] {
        assert_eq!(policy.redirect(decision, 1, status, Some(b"/2")), None);
    }
    assert_eq!(policy.redirect(decision, 1, 302, None), None);
    assert_eq!(denied(policy.redirect(decision, 1, 302, Some(b"\xff")).unwrap()), "redirect");
    policy.forget(decision);
    assert_eq!(denied(policy.redirect(decision, 1, 302, Some(b"/2")).unwrap()), "decision");
}

#[test]
fn code_that_walks_by_itself_gets_what_redirects() {
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.as_bytes().to_vec() };
    let manual = Request { headers: vec![header("Wardian-Redirect", "manual")], ..get("https://example.org/") };
    let mut follows = policy(options(vec![rule("*")]));
    let checked = allowed(follows.decide(manual.clone()));
    assert!(checked.headers.is_empty(), "{:?}", checked.headers);
    assert_eq!(follows.redirect(checked.decision, 1, 302, Some(b"/2")), None);
    let other = Request { headers: vec![header("wardian-redirect", "follow")], ..manual.clone() };
    let checked = allowed(follows.decide(other));
    allowed(follows.redirect(checked.decision, 1, 302, Some(b"/2")).unwrap());
    let mut refuses = policy(Options { redirects: Redirects::Refuse, ..options(vec![rule("*")]) });
    let checked = allowed(refuses.decide(manual));
    assert_eq!(denied(refuses.redirect(checked.decision, 1, 302, Some(b"/2")).unwrap()), "redirects");
}

#[test]
fn what_the_user_allowed_is_not_asked_again() {
    let mut policy = policy(Options { unlisted: Verdict::Ask, ..options(vec![]) });
    let Decision::Ask(question) = policy.decide(get("https://example.org/")) else { panic!() };
    assert_eq!((question.host.as_str(), question.request.rule.as_str()), ("example.org", "unlisted"));
    policy.allow_host(question.host);
    allowed(policy.decide(get("https://example.org/2")));
    assert!(matches!(policy.decide(get("https://example.org:8443/")), Decision::Ask(_)));
    assert!(matches!(policy.decide(get("https://other.example/")), Decision::Ask(_)));
}

#[test]
fn reading_the_policy_back_gives_its_limits() {
    assert_eq!(policy(options(vec![])).limits(), limits());
}
