//! Answers of every kind, and what the tool makes of them.

use std::fs;

use http_kit::Error;
use http_kit::testing::Played;
use serde_json::Value;
use tool_kit::Part;

use super::*;
use crate::network::testing::Plays;

struct Here {
    folder: tempfile::TempDir,
}

impl Here {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn fetch(&self, played: Played) -> Result {
        self.fetch_from("https://site.test/dir/name.txt", played)
    }

    fn fetch_from(&self, url: &str, played: Played) -> Result {
        fetch(&Plays::new([played]), &Keep::within(self.folder.path()), FetchInput { url: url.into(), prompt: None })
    }

    fn kept(&self, path: &str) -> Vec<u8> {
        fs::read(self.folder.path().join("web").join(path.strip_prefix("/tmp/web/").unwrap())).unwrap()
    }

    fn kept_files(&self) -> usize {
        fs::read_dir(self.folder.path().join("web")).map_or(0, Iterator::count)
    }
}

fn text(outcome: &Outcome) -> &str {
    match &outcome.parts[0] {
        Part::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn data(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.data.as_deref().unwrap()).unwrap()
}

fn failed(result: Result) -> String {
    match result {
        Err(ToolError::Failed(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_comes_as_markdown_with_its_title() {
    let here = Here::new();
    let html = "<title>Fern\u{fc}</title><p>One <a href=two>two</a></p>".replace('\u{fc}', "\u{e4}");
    let latin1: Vec<u8> = html.chars().map(|c| c as u8).collect();
    let web =
        Plays::new(
            [Played::new(200, "text/html; charset=latin1", &latin1).header("wardian-url", "https://b.test/x/y")],
        );
    let input = FetchInput { url: " http://site.test/#part ".into(), prompt: Some(" how many\nferns? ".into()) };
    let outcome = fetch(&web, &Keep::within(here.folder.path()), input).unwrap();
    assert_eq!(
        text(&outcome),
        "https://b.test/x/y (redirected from http://site.test/#part)\n[to look for: how many ferns?]\n\n\
         # Fernä\n\nOne [two](https://b.test/x/two)"
    );
    assert_eq!(
        data(&outcome),
        json!({"url": "https://b.test/x/y", "status": 200, "content_type": "text/html", "bytes": html.chars().count(),
               "title": "Fernä", "part": "page"})
    );
    assert!(!outcome.truncated);
    let asked = web.asked.borrow();
    assert_eq!((asked[0].authority.as_str(), asked[0].path_with_query.as_str()), ("site.test", "/"));
    assert!(asked[0].headers.iter().any(|(name, value)| name == "accept" && value.starts_with("text/markdown")));
}

#[test]
fn text_comes_as_it_is() {
    let here = Here::new();
    for (media_type, body) in [
        ("application/json", "{\"a\": [1,\n 2]}"),
        ("text/plain", "<b>no page</b>"),
        ("application/atom+xml", "<feed>&lt;</feed>"),
    ] {
        let outcome = here.fetch(Played::new(200, media_type, body.as_bytes()).in_pieces(3)).unwrap();
        assert_eq!(text(&outcome), format!("https://site.test/dir/name.txt\n\n{body}"));
    }
    let nothing = here.fetch(Played::new(204, "", b"")).unwrap();
    assert!(text(&nothing).ends_with("[the answer is empty (HTTP status 204)]"), "{nothing:?}");
    assert_eq!(here.kept_files(), 0);
}

#[test]
fn what_is_too_long_is_cut_and_kept() {
    let here = Here::new();
    let lines: String = (0..20_000).map(|n| format!("line {n:08}\n")).collect();
    let outcome = here.fetch(Played::new(200, "text/plain", lines.as_bytes())).unwrap();
    let text = text(&outcome);
    assert!(outcome.truncated && text.len() < TEXT_BYTES_MAX + 500, "{}", text.len());
    let data = data(&outcome);
    let path = data["path"].as_str().unwrap();
    assert!(path.starts_with("/tmp/web/site.test-name-") && path.ends_with(".txt"), "{path}");
    let note = text.lines().last().unwrap();
    assert!(note.contains(path) && note.contains("of 280,000 bytes"), "{note}");
    assert_eq!(here.kept(path), lines.as_bytes());
    // Whole lines.
    assert!(text.lines().rev().nth(1).unwrap().starts_with("line 0"));

    let page = format!("<main>{}</main>", "<p>some words of a page</p>".repeat(10_000));
    let outcome = here.fetch_from("https://site.test/", Played::new(200, "text/html", page.as_bytes())).unwrap();
    let path = self::data(&outcome)["path"].as_str().unwrap().to_owned();
    assert!(path.ends_with(".md"), "{path}");
    assert_eq!(String::from_utf8(here.kept(&path)).unwrap().matches("some words").count(), 10_000);
}

#[test]
fn what_cannot_be_kept_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let long = "x\n".repeat(TEXT_BYTES_MAX);
    let ask = |played| {
        let input = FetchInput { url: "https://site.test/".into(), prompt: None };
        fetch(&Plays::new([played]), &Keep::within(file.path()), input)
    };
    let outcome = ask(Played::new(200, "text/plain", long.as_bytes())).unwrap();
    assert!(
        text(&outcome).lines().last().unwrap().contains("could not be kept"),
        "{}",
        &text(&outcome)[TEXT_BYTES_MAX..]
    );
    assert!(outcome.truncated);
    assert!(failed(ask(Played::new(200, "application/pdf", b"%PDF-1.7"))).contains("could not be kept"));
}

#[test]
fn an_endless_answer_is_read_to_a_bound() {
    let here = Here::new();
    let body = vec![b'a'; BODY_BYTES_MAX + 1];
    let outcome = here.fetch(Played::new(200, "text/plain", &body)).unwrap();
    assert!(outcome.truncated && text(&outcome).contains("longer than 16,777,216 bytes"));
    let mut pdf = b"%PDF-1.7".to_vec();
    pdf.resize(BODY_BYTES_MAX + 1, b'x');
    assert!(failed(here.fetch(Played::new(200, "application/pdf", &pdf))).contains("larger than 16,777,216 bytes"));
}

#[test]
fn images_are_shown_up_to_a_size() {
    let here = Here::new();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.resize(1_000, 7);
    let outcome = here.fetch(Played::new(200, "image/png", &png)).unwrap();
    assert!(text(&outcome).ends_with("image/png, 1,000 bytes"));
    assert!(matches!(&outcome.parts[1], Part::Image(image) if image.media_type == "image/png" && image.bytes == png));
    png.resize(IMAGE_BYTES_MAX + 1, 7);
    let outcome = here.fetch(Played::new(200, "image/png", &png)).unwrap();
    assert!(
        matches!(&outcome.parts[1], Part::File(file) if file.bytes == png.len() as u64 && here.kept(&file.path) == png)
    );
}

#[test]
fn a_pdf_is_kept_as_a_file() {
    let here = Here::new();
    let outcome =
        here.fetch_from("https://site.test/paper", Played::new(200, "application/pdf", b"%PDF-1.7 x")).unwrap();
    let Part::File(file) = &outcome.parts[1] else { panic!("{outcome:?}") };
    assert_eq!((file.media_type.as_str(), file.bytes), ("application/pdf", 10));
    assert!(file.path.starts_with("/tmp/web/site.test-paper-") && file.path.ends_with(".pdf"), "{}", file.path);
    assert!(text(&outcome).contains(&file.path));
    assert_eq!(here.kept(&file.path), b"%PDF-1.7 x");
}

#[test]
fn what_cannot_be_shown_is_named() {
    let here = Here::new();
    let zip = Played::new(200, "application/zip", b"PK\x03\x04").header("content-length", "123456");
    let message = failed(here.fetch(zip));
    assert!(message.contains("is application/zip, 123,456 bytes, which cannot be shown"), "{message}");
    assert!(failed(here.fetch(Played::new(200, "", b"\x7fELF\0\0"))).contains("of no known type"));
    let packed = Played::new(200, "text/plain", b"\x1f\x8b").header("content-encoding", "gzip");
    assert!(failed(here.fetch(packed)).contains("compressed (gzip)"));
}

#[test]
fn a_status_of_failure_is_a_failure_with_the_servers_words() {
    let here = Here::new();
    let page = b"<title>Not  Found</title><p>There is none";
    let message = failed(here.fetch(Played::new(404, "text/html", page)));
    assert_eq!(message, "https://site.test/dir/name.txt answers with HTTP status 404: Not Found");
    let message = failed(
        here.fetch(Played::new(429, "application/json", b"{\n \"error\": \"slow down\"\n}").header("retry-after", "3")),
    );
    assert!(message.ends_with(": { \"error\": \"slow down\" } (retry after 3)"), "{message}");
    let long = failed(here.fetch(Played::new(500, "text/plain", "x".repeat(200_000).as_bytes())));
    assert!(long.len() < 500, "{long}");
    assert!(failed(here.fetch(Played::new(503, "", b""))).ends_with("HTTP status 503"));
    let redirect = failed(here.fetch(Played::new(302, "", b"").header("location", "../other?x=1")));
    assert!(redirect.contains("leads to https://site.test/other?x=1, which was not followed"), "{redirect}");
}

#[test]
fn no_answer_is_a_failure_and_a_refusal_a_missing_power() {
    let here = Here::new();
    let error = |kind, message: &str| here.fetch(Played::failed(Error::new(kind, message)));
    let message = failed(error(ErrorKind::Connect, "the host refuses connections"));
    assert_eq!(message, "there is no answer from https://site.test/dir/name.txt: the host refuses connections");
    match error(ErrorKind::Refused, "the request is not allowed") {
        Err(ToolError::NotPermitted(error)) => assert_eq!(error.power, "net:site.test"),
        other => panic!("{other:?}"),
    }
    let cut = Played::new(200, "text/plain", b"abc").broken(Error::new(ErrorKind::Reset, "the answer broke off"));
    assert!(failed(here.fetch(cut)).ends_with("the answer broke off"));
}

#[test]
fn what_is_no_url_to_fetch_is_pointed_at() {
    let long = format!("https://a.test/{}", "x".repeat(URL_BYTES_MAX));
    for (url, why) in [
        ("", "no scheme"),
        ("example.org/page", "no scheme"),
        ("localhost:8080", "only https:// and http://"),
        ("file:///etc/passwd", "only https:// and http://"),
        ("ftp://a.test/", "only https:// and http://"),
        ("data:text/html,x", "only https:// and http://"),
        ("https://", "no URL"),
        ("https://a b/", "no URL"),
        ("https://me:SECRET@a.test/", "user name or a password"),
        (&long, "more than 8,192 bytes"),
    ] {
        let input = FetchInput { url: url.into(), prompt: None };
        match fetch(&Plays::new([]), &Keep::mounted(), input) {
            Err(ToolError::InvalidInput(error)) => {
                assert_eq!(error.pointer, "/url");
                assert!(error.message.contains(why) && !error.message.contains("SECRET"), "{url}: {}", error.message);
            }
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn a_page_of_scripts_alone_says_so() {
    let here = Here::new();
    let outcome = here.fetch(Played::new(200, "text/html", b"<title>App</title><script>x()</script>")).unwrap();
    assert!(text(&outcome).contains("# App\n[the page has no text without its scripts"), "{}", text(&outcome));
    let refresh = b"<meta http-equiv=refresh content='0;url=/new'><p>moved";
    let outcome = here.fetch(Played::new(200, "text/html", refresh)).unwrap();
    assert!(text(&outcome).contains("[the page sends browsers on to https://site.test/new]"), "{}", text(&outcome));
}
