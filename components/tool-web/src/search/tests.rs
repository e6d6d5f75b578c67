//! What services are asked, and what is made of their answers.

use http_kit::testing::Played;
use http_kit::{Error, Method};
use serde_json::Value;
use tool_kit::Part;

use super::*;
use crate::network::testing::Plays;

fn input(query: &str) -> SearchInput {
    SearchInput { query: query.into(), max_results: None, allowed_domains: None, blocked_domains: None }
}

fn service(name: &str) -> Service {
    Service::named(name, None).unwrap()
}

fn text(outcome: &Outcome) -> &str {
    match outcome.parts.as_slice() {
        [Part::Text(text)] => text,
        other => panic!("{other:?}"),
    }
}

fn message(error: ToolError) -> String {
    match error {
        ToolError::Failed(message) => message,
        other => panic!("{other:?}"),
    }
}

const TAVILY: &str = r#"{"query": "ferns", "answer": null, "results": [
    {"title": "Ferns", "url": "https://plants.test/ferns", "content": "All about\nferns & <moss>.", "score": 0.9,
     "published_date": "2026-01-02", "raw_content": null},
    {"title": "", "url": "https://sub.plants.test/", "content": ""},
    {"title": "Again", "url": "https://plants.test/ferns", "content": "twice"},
    {"title": "No page", "url": "javascript:alert(1)", "content": ""}], "response_time": 1.2}"#;

const BRAVE: &str = r#"{"type": "search", "web": {"type": "search", "results": [
    {"title": "Ferns &amp; <strong>moss</strong>", "url": "https://plants.test/a", "description": "It&#x27;s <b>green</b>",
     "page_age": "2026-03-04T05:06:07", "age": "March 4, 2026"},
    {"title": "Elsewhere", "url": "https://notplants.test/b"}]}}"#;

#[test]
fn tavily_is_asked_and_understood() {
    let web = Plays::new([Played::new(200, "application/json", TAVILY.as_bytes())]);
    let input = SearchInput {
        max_results: Some(5),
        allowed_domains: Some(vec!["*.Plants.test".into()]),
        blocked_domains: Some(vec!["bad.test".into()]),
        ..input(" ferns ")
    };
    let outcome = search(&web, &service("tavily"), input).unwrap();
    assert_eq!(
        text(&outcome),
        "1. Ferns (2026-01-02)\n   https://plants.test/ferns\n   All about ferns & <moss>.\n\
         2. https://sub.plants.test/\n   https://sub.plants.test/"
    );
    let data: Value = serde_json::from_str(outcome.data.as_deref().unwrap()).unwrap();
    assert_eq!(data["service"], "Tavily");
    assert_eq!(data["results"][0]["date"], "2026-01-02");
    assert_eq!(data["results"].as_array().unwrap().len(), 2);

    let asked = web.asked.borrow();
    let request = &asked[0];
    assert_eq!((request.method, request.https, request.authority.as_str()), (Method::Post, true, "api.tavily.com"));
    assert_eq!(request.path_with_query, "/search");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({"query": "ferns", "max_results": 5, "search_depth": "basic",
               "include_domains": ["plants.test"], "exclude_domains": ["bad.test"]})
    );
    assert!(request.headers.iter().all(|(name, _)| name != "authorization"));
}

#[test]
fn brave_is_asked_and_understood() {
    let web = Plays::new([Played::new(200, "application/json", BRAVE.as_bytes())]);
    let input = SearchInput {
        allowed_domains: Some(vec!["plants.test".into(), "moss.test".into()]),
        blocked_domains: Some(vec!["bad.test".into()]),
        ..input("ferns & moss")
    };
    let outcome = search(&web, &service("brave"), input).unwrap();
    // `notplants.test` is not below `plants.test`.
    assert_eq!(text(&outcome), "1. Ferns & moss (2026-03-04)\n   https://plants.test/a\n   It's green");
    let asked = web.asked.borrow();
    let request = &asked[0];
    assert_eq!((request.method, request.authority.as_str()), (Method::Get, "api.search.brave.com"));
    let url = Url::parse(&format!("https://x{}", request.path_with_query)).unwrap();
    assert_eq!(url.path(), "/res/v1/web/search");
    let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs["q"], "ferns & moss (site:plants.test OR site:moss.test) -site:bad.test");
    assert_eq!((pairs["count"].as_str(), pairs["text_decorations"].as_str()), ("20", "false"));
}

#[test]
fn brave_without_filters_is_asked_for_as_many_as_are_wanted() {
    let web = Plays::new([Played::new(200, "application/json", b"{}")]);
    let input = SearchInput { max_results: Some(3), ..input("ferns") };
    let outcome = search(&web, &service("brave"), input).unwrap();
    assert_eq!(text(&outcome), "no results for \"ferns\"");
    assert!(web.asked.borrow()[0].path_with_query.contains("q=ferns&count=3"));
}

#[test]
fn no_more_come_than_are_wanted() {
    let web = Plays::new([Played::new(200, "application/json", TAVILY.as_bytes())]);
    let outcome = search(&web, &service("tavily"), SearchInput { max_results: Some(1), ..input("ferns") }).unwrap();
    assert!(!text(&outcome).contains("2. "));
}

#[test]
fn a_service_may_be_elsewhere() {
    let base = Url::parse("http://127.0.0.1:8080/proxy/").unwrap();
    let service = Service::named("tavily", Some(base)).unwrap();
    assert_eq!(service.host(), "127.0.0.1:8080");
    assert_eq!(service.endpoint("/search").as_str(), "http://127.0.0.1:8080/proxy/search");
    assert_eq!(super::Service::named("brave", None).unwrap().host(), "api.search.brave.com");
    assert_eq!(Service::named("other", None), None);
}

#[test]
fn refusals_say_what_to_do_and_never_repeat_a_key() {
    let failed = |status, body: &str| {
        let web = Plays::new([Played::new(status, "application/json", body.as_bytes()).header("retry-after", "7")]);
        message(search(&web, &service("tavily"), input("ferns")).unwrap_err())
    };
    for status in [401, 403] {
        let message = failed(status, r#"{"detail": {"error": "the key tvly-SECRET is wrong"}}"#);
        assert!(message.contains("does not accept the key") && !message.contains("SECRET"), "{message}");
    }
    assert!(failed(429, "{}").contains("after 7 seconds"));
    assert!(failed(432, "{}").contains("used up"));
    assert!(failed(302, "").contains("base URL"));
    assert!(failed(503, "x").contains("try again later"));
    assert!(failed(404, "x").contains("404"));
    assert!(failed(400, r#"{"detail": {"error": "Query is too long"}}"#).ends_with("Query is too long"));
    assert!(failed(422, r#"{"error": {"detail": "Unable to validate"}}"#).ends_with("Unable to validate"));
    assert!(failed(400, "<html>").ends_with("the service refuses the query"));
}

#[test]
fn answers_that_are_none_are_said() {
    let failed = |played| message(search(&Plays::new([played]), &service("brave"), input("ferns")).unwrap_err());
    assert!(failed(Played::new(200, "text/html", b"<html>")).contains("not what it should be"));
    assert!(
        failed(Played::new(200, "", br#"{"web": {"results": [{"title": "no url"}]}}"#)).contains("missing field `url`")
    );
    assert!(failed(Played::new(200, "", &vec![b' '; BODY_BYTES_MAX + 1])).contains("larger than"));
    assert!(failed(Played::failed(Error::new(ErrorKind::Dns, "there is no such host"))).contains("no such host"));
    let refused = Plays::new([Played::failed(Error::new(ErrorKind::Refused, "the request is not allowed"))]);
    match search(&refused, &service("brave"), input("ferns")) {
        Err(ToolError::NotPermitted(error)) => assert_eq!(error.power, "net:api.search.brave.com"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn inputs_that_mean_nothing_are_pointed_at() {
    let refused = |input| match search(&Plays::new([]), &service("brave"), input) {
        Err(ToolError::InvalidInput(error)) => error.pointer,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(input("  ")), "/query");
    assert_eq!(refused(input(&"x".repeat(QUERY_CHARS_MAX + 1))), "/query");
    assert_eq!(refused(SearchInput { max_results: Some(0), ..input("x") }), "/max_results");
    assert_eq!(refused(SearchInput { max_results: Some(21), ..input("x") }), "/max_results");
    let list = |domains: &[&str]| Some(domains.iter().map(|domain| (*domain).to_owned()).collect());
    assert_eq!(
        refused(SearchInput { allowed_domains: list(&["a.test", "https://b.test/"]), ..input("x") }),
        "/allowed_domains/1"
    );
    assert_eq!(refused(SearchInput { blocked_domains: list(&["127.0.0.1"]), ..input("x") }), "/blocked_domains/0");
    assert_eq!(refused(SearchInput { blocked_domains: list(&["a.test"; 21]), ..input("x") }), "/blocked_domains");
}
