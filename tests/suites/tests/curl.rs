//! `curl` and `wget`: what is sent, what is shown, how it ends, and whom they may ask.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use suites::journal::of;
use suites::net::{Server, ok};
use suites::process::Done;
use suites::world::World;

/// Runs a script that may ask the server, which is `$URL`.
fn sh(world: &World, server: &Server, script: &str) -> Done {
    let net = format!("127.0.0.1:{}", server.port());
    let url = format!("URL=http://{net}");
    world.wardian(&["sh", "--direct", "--net", &net, "--env", &url, "-c", script])
}

fn header(head: &str, name: &str) -> String {
    let found = head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_default()
}

/// The body of a request, whichever way it comes.
fn body(head: &str, stream: &mut TcpStream) -> Vec<u8> {
    let mut body = Vec::new();
    if !header(head, "transfer-encoding").contains("chunked") {
        body.resize(header(head, "content-length").parse().unwrap_or(0), 0);
        let _ = stream.read_exact(&mut body);
        return body;
    }
    loop {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while !line.ends_with(b"\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            line.push(byte[0]);
        }
        let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).unwrap_or(0);
        let mut chunk = vec![0; size + 2];
        if stream.read_exact(&mut chunk).is_err() || size == 0 {
            return body;
        }
        body.extend(&chunk[..size]);
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

/// Tells what it was asked, redirects, fails and falls silent, as the path says.
fn serve(head: &str, stream: &mut TcpStream) -> bool {
    let line = head.lines().next().unwrap_or_default().to_owned();
    let (method, path) = (line.split(' ').next().unwrap_or_default(), line.split(' ').nth(1).unwrap_or_default());
    let sent = body(head, stream);
    let code = path.rsplit('/').next().unwrap_or_default();
    let said = match path.split('/').nth(1).unwrap_or_default() {
        "file.txt" if header(head, "range") == "bytes=4-" => answer("206 Partial Content", "", "efgh"),
        "file.txt" => ok("abcdefgh"),
        "to" => answer(&format!("{code} Moved"), "location: /landed?x=1\r\n", "moved"),
        "around" => answer("302 Found", "location: /around\r\n", ""),
        "status" => answer(&format!("{code} Whatever"), "", "sorry"),
        "silent" => loop {
            std::thread::park();
        },
        "breaks" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
            return false;
        }
        "size" => sent.len().to_string(),
        "large" => "x".repeat(code.parse().unwrap()),
        _ => json!({
            "line": line, "body": String::from_utf8_lossy(&sent), "type": header(head, "content-type"),
            "length": header(head, "content-length"), "agent": header(head, "user-agent"), "mine": header(head, "x-mine"),
            "auth": header(head, "authorization"), "accept": header(head, "accept"), "redirect": header(head, "wardian-redirect"),
        })
        .to_string(),
    };
    let said = if said.starts_with("HTTP/") { said } else { ok(&said) };
    let said = if method == "HEAD" { said.split("\r\n\r\n").next().unwrap().to_owned() + "\r\n\r\n" } else { said };
    stream.write_all(said.as_bytes()).is_ok()
}

/// What the server was asked by `curl ARGUMENTS $URL/it`.
fn asked(world: &World, server: &Server, arguments: &str) -> Value {
    let done = sh(world, server, &format!("curl -sS {arguments} $URL/it")).exits(0);
    done.stdout.parse().unwrap_or_else(|_| panic!("{done}"))
}

#[test]
fn curl_sends_what_its_options_say() {
    let (world, server) = (World::new(), Server::new(serve));
    world.file("data.txt", "one\ntwo\n");
    let is = |arguments: &str, expected: &[(&str, &str)]| {
        let asked = asked(&world, &server, arguments);
        for (name, value) in expected {
            assert_eq!(asked[name], *value, "{arguments}: {asked}");
        }
    };
    is("", &[("line", "GET /it HTTP/1.1"), ("accept", "*/*"), ("redirect", ""), ("body", "")]);
    let form = "application/x-www-form-urlencoded";
    is("-d a=1 -d 'b=x y'", &[("line", "POST /it HTTP/1.1"), ("body", "a=1&b=x y"), ("type", form), ("length", "9")]);
    is("-d @data.txt", &[("body", "onetwo")]);
    is("--data-binary @data.txt", &[("body", "one\ntwo\n"), ("length", "8")]);
    is("--data-raw @data.txt", &[("body", "@data.txt")]);
    is("--data-urlencode 'q=ä b'", &[("body", "q=%C3%A4%20b")]);
    is("-G -d a=1 --data-urlencode 'b=&'", &[("line", "GET /it?a=1&b=%26 HTTP/1.1"), ("body", "")]);
    is("--json '{\"a\":1}'", &[("body", "{\"a\":1}"), ("type", "application/json"), ("accept", "application/json")]);
    is("-X DELETE", &[("line", "DELETE /it HTTP/1.1")]);
    is("-T data.txt", &[("line", "PUT /it HTTP/1.1"), ("body", "one\ntwo\n")]);
    is("-H 'X-Mine: yes' -A me -u u:p", &[("mine", "yes"), ("agent", "me"), ("auth", "Basic dTpw")]);
    is("-H 'Accept:' --oauth2-bearer t", &[("accept", ""), ("auth", "Bearer t")]);
    let form = asked(&world, &server, "-F a=1 -F 'f=@data.txt;type=text/x'");
    assert!(form["type"].as_str().unwrap().starts_with("multipart/form-data; boundary="), "{form}");
    let sent = form["body"].as_str().unwrap();
    assert!(
        sent.contains("name=\"a\"\r\n\r\n1\r\n")
            && sent.contains("filename=\"data.txt\"\r\nContent-Type: text/x\r\n\r\none\ntwo\n\r\n"),
        "{sent}"
    );
    // More than is held at once, from a pipe and with no length.
    let done = sh(&world, &server, "yes | head -c 5000000 | curl -sS --data-binary @- $URL/size").exits(0);
    assert_eq!(done.stdout, "5000000", "{done}");
    sh(&world, &server, "echo hi | curl -sS -T - $URL/size").exits(0).prints(&["3"]);
}

#[test]
fn curl_shows_what_its_options_say() {
    let (world, server) = (World::new(), Server::new(serve));
    let prints = |script: &str, stdout: &str| {
        let done = sh(&world, &server, script).exits(0);
        assert_eq!(done.stdout, stdout, "{script}\n{done}");
    };
    prints("curl -s $URL/file.txt", "abcdefgh");
    prints(
        "curl -s -o out $URL/file.txt -w '%{http_code} %{size_download} %{content_type}\\n'; cat out",
        "200 8 text/plain\nabcdefgh",
    );
    prints("mkdir -p d; curl -sO --output-dir d $URL/file.txt; cat d/file.txt", "abcdefgh");
    prints("curl -sI $URL/file.txt | tr -d '\\r'", "HTTP/1.1 200 OK\ncontent-type: text/plain\ncontent-length: 8\n\n");
    prints("curl -si $URL/file.txt | tail -1", "abcdefgh");
    prints("curl -s -D head -o /dev/null $URL/file.txt; head -1 head | tr -d '\\r'", "HTTP/1.1 200 OK\n");
    prints("curl -s $URL/status/404; echo \" $?\"", "sorry 0\n");
    prints("printf abcd > part; curl -s -C - -o part $URL/file.txt; cat part", "abcdefgh");
    prints("curl -s $URL/file.txt $URL/status/500", "abcdefghsorry");
    prints("curl -s -o /dev/null -w '%{http_code}' $URL/status/201", "201");
    let done = sh(&world, &server, "curl -sv $URL/file.txt -o /dev/null").exits(0);
    done.says(&["> GET /file.txt HTTP/1.1", "< HTTP/1.1 200 OK", "< content-length: 8"]);
    prints("curl -s $URL/large/30000000 | wc -c", "30000000\n");
}

#[test]
fn redirects_are_walked_where_curl_would() {
    let (world, server) = (World::new(), Server::new(serve));
    let line = |arguments: &str| {
        let done = sh(&world, &server, &format!("curl -sS {arguments}")).exits(0);
        let told: Value = done.stdout.parse().unwrap_or_else(|_| panic!("{done}"));
        format!("{} {}", told["line"].as_str().unwrap(), told["body"].as_str().unwrap())
    };
    sh(&world, &server, "curl -s -w ' %{http_code} %{redirect_url}' $URL/to/302")
        .exits(0)
        .prints(&["moved 302 http://127.0.0.1:"]);
    assert_eq!(line("-L $URL/to/301"), "GET /landed?x=1 HTTP/1.1 ");
    assert_eq!(line("-L -d a $URL/to/302"), "GET /landed?x=1 HTTP/1.1 ");
    assert_eq!(line("-L -d a $URL/to/307"), "POST /landed?x=1 HTTP/1.1 a");
    assert_eq!(line("-L -X PUT -d a $URL/to/308"), "PUT /landed?x=1 HTTP/1.1 a");
    sh(&world, &server, "curl -sSL --max-redirs 3 $URL/around").exits(47).says(&["curl: (47) Maximum (3) redirects"]);
    let done = sh(&world, &server, "curl -sL -o /dev/null -w '%{num_redirects} %{url_effective}' $URL/to/302").exits(0);
    assert_eq!(done.stdout, format!("1 {}", server.url("/landed?x=1")));
    // Each hop is a request of its own, which the policy decides about.
    let other = Server::says(ok("elsewhere"));
    let place = other.url("/");
    let leads = Server::new(move |_, stream| stream.write_all(suites::net::redirect(&place).as_bytes()).is_ok());
    sh(&world, &leads, "curl -sSL $URL/")
        .exits(7)
        .says(&["curl: (7)", &format!("--net 127.0.0.1:{} allows it", other.port())]);
    assert_eq!(other.connections(), 0);
}

#[test]
fn curl_ends_with_its_own_statuses() {
    let (world, server) = (World::new(), Server::new(serve));
    let ends = |script: &str, status: i32, says: &str| {
        let done = sh(&world, &server, script).exits(status);
        if says.is_empty() {
            assert_eq!((done.stdout.as_str(), done.stderr.contains("curl:")), ("", false), "{script}\n{done}");
        } else {
            done.says(&[says]);
        }
    };
    ends("curl -f $URL/status/404", 22, "curl: (22) The requested URL returned error: 404");
    ends("curl -sf $URL/status/503", 22, "");
    let done = sh(&world, &server, "curl -sS --fail-with-body $URL/status/404").exits(22);
    assert_eq!(done.stdout, "sorry", "{done}");
    ends("curl -sS -m 0.3 $URL/silent", 28, "curl: (28)");
    ends("curl -sS $URL/breaks", 18, "curl: (18)");
    ends("curl -sS --max-filesize 10 $URL/large/100", 63, "curl: (63)");
    ends("curl -sS -d @/no/such $URL/it", 2, "/no/such");
    ends("curl -sS -T /no/such $URL/it", 26, "curl: (26)");
    ends("curl -sS -o /no/such/file $URL/it", 23, "curl: (23)");
    ends("curl -sS 'http://a b/'", 3, "curl: (3)");
    ends("curl -sS ftp://a/", 1, "curl: (1) Protocol \"ftp\" not supported");
    ends("curl -k $URL/it", 2, "option -k: is not supported in this sandbox");
    ends("curl --no-such-thing $URL/it", 2, "option --no-such-thing: is unknown");
    ends("curl", 2, "no URL specified");
    let closed = world.wardian(&["sh", "--net", "127.0.0.1:1", "-c", "curl -sS http://127.0.0.1:1/"]).exits(7);
    closed.says(&["curl: (7) Failed to connect to 127.0.0.1 port 1"]);
    let nowhere = world.wardian(&["sh", "--net", "nowhere.invalid", "-c", "curl -sS http://nowhere.invalid/"]);
    nowhere.exits(6).says(&["curl: (6) Could not resolve host: nowhere.invalid"]);
}

#[test]
fn curl_tries_again_where_it_is_told_to() {
    let world = World::new();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let server = Server::new(move |_, stream| {
        let said =
            if counted.fetch_add(1, Ordering::SeqCst) < 2 { answer("503 Busy", "", "busy") } else { ok("there") };
        stream.write_all(said.as_bytes()).is_ok()
    });
    let done = sh(&world, &server, "curl -s --retry 5 --retry-delay 1 $URL/").exits(0);
    assert_eq!((done.stdout.as_str(), tries.load(Ordering::SeqCst)), ("there", 3), "{done}");
    tries.store(0, Ordering::SeqCst);
    let done = sh(&world, &server, "curl -s --retry 1 --retry-delay 1 $URL/").exits(0);
    assert_eq!((done.stdout.as_str(), tries.load(Ordering::SeqCst)), ("busy", 2), "{done}");
}

#[test]
fn wget_fetches_as_wget_does() {
    let (world, server) = (World::new(), Server::new(serve));
    let run = |script: &str| sh(&world, &server, script);
    assert_eq!(run("wget -qO- $URL/file.txt").exits(0).stdout, "abcdefgh");
    run("wget -q $URL/file.txt").exits(0);
    run("wget -nv $URL/file.txt").exits(0).says(&["-> \"file.txt.1\" [8 bytes"]);
    for name in ["file.txt", "file.txt.1"] {
        assert_eq!(fs::read_to_string(world.project().join(name)).unwrap(), "abcdefgh");
    }
    run("wget -nv -nc $URL/file.txt").exits(0).says(&["already there"]);
    run("wget -q -P a/b $URL/to/302").exits(0);
    assert!(fs::read_to_string(world.project().join("a/b/302")).unwrap().contains("GET /landed?x=1"));
    run("printf abcd > part; wget -qc -O part $URL/file.txt; cat part").exits(0).prints(&["abcdefgh"]);
    run("wget -qO- --post-data=x=1 --header='X-Mine: yes' $URL/it").exits(0).prints(&[
        "\"POST /it",
        "x=1",
        "\"mine\":\"yes\"",
    ]);
    run("wget -qO- --method=PUT --body-data=z $URL/it").exits(0).prints(&["\"PUT /it"]);
    run("wget -S -qO- $URL/file.txt").exits(0).says(&["HTTP/1.1 200 OK", "content-length: 8"]);
    run("wget --spider -nv $URL/file.txt").exits(0).says(&["Remote file exists"]);
    run("wget -qO- $URL/status/404").exits(8);
    run("wget -nv -O- $URL/status/404").exits(8).says(&["ERROR 404"]);
    run("wget -q --spider $URL/status/401").exits(6);
    run("wget -nv -T 0.3 -t 1 -O- $URL/silent").exits(4).says(&["wget: "]);
    run("wget -r $URL/").exits(2).says(&["option -r is not supported in this sandbox"]);
    run("wget").exits(2).says(&["missing URL"]);
}

#[test]
fn without_the_power_nothing_is_sent_and_the_flag_is_named() {
    let (world, server) = (World::new(), Server::new(serve));
    let url = server.url("/it");
    let flag = format!("--net 127.0.0.1:{} allows it", server.port());
    world.wardian(&["sh", "-c", &format!("curl -sS {url}")]).exits(7).says(&["curl: (7) Wardian's sandbox", &flag]);
    world.wardian(&["sh", "-c", &format!("wget -O- {url}")]).exits(4).says(&["wget: Wardian's sandbox", &flag]);
    world.wardian(&["sh", "--net", "example.org", "-c", &format!("curl -sS {url}")]).exits(7).says(&[&flag]);
    assert!(server.heads().is_empty());
}

#[test]
fn requests_of_a_scripts_curl_are_in_the_journal() {
    let (world, server) = (World::new(), Server::new(serve));
    let net = format!("127.0.0.1:{}", server.port());
    let call = json!({"tool": "Bash", "input": {"command": format!("curl -sL http://{net}/to/302")}});
    let model = world.scenario(&json!({"turns": [{"calls": [call]}, {"text": "Done.", "expect": "landed"}]}));
    world.wardian(&["run", "-m", &model, "--approve", "all", "--net", &net, "Go."]).exits(0);
    let session = world.session();
    let events = session.events();
    let requests = of(&events, "net.request");
    assert_eq!(requests.len(), 2, "{events:?}");
    world.check(&session);
}
