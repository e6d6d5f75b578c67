//! Python and the network: requests of programs under the policy, and packages from an index.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use suites::journal::of;
use suites::net::{Server, ok, redirect};
use suites::process::Done;
use suites::world::World;

fn python(world: &World, server: &Server, arguments: &[&str]) -> Done {
    let net = format!("127.0.0.1:{}", server.port());
    let port = format!("PORT={}", server.port());
    world.wardian(&[&["python", "--net", &net, "--env", &port], arguments].concat())
}

/// Says what it got: the request's line, and the body as it arrived.
fn echo(head: &str, stream: &mut TcpStream) -> bool {
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let path = line.split(' ').nth(1).unwrap_or_default();
    let header = |name: &str| {
        let found = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    };
    let body = body(stream, &header("content-length"), &header("transfer-encoding"));
    let answer =
        match path {
            "/redirect" => redirect("/landed"),
            "/chunks" => {
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\n, w\r\n0\r\n\r\n".to_owned()
            }
            "/missing" => "HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone".to_owned(),
            "/large" => ok(&"x".repeat(3_000_000)),
            _ if line.starts_with("HEAD ") => "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n".to_owned(),
            _ => ok(&json!({"line": line, "body": body, "agent": header("user-agent"), "mine": header("x-mine")})
                .to_string()),
        };
    stream.write_all(answer.as_bytes()).is_ok()
}

fn body(stream: &mut TcpStream, length: &str, coding: &str) -> String {
    let mut bytes = Vec::new();
    if coding.contains("chunked") {
        while !bytes.ends_with(b"0\r\n\r\n") {
            let mut byte = [0];
            if stream.read_exact(&mut byte).is_err() {
                break;
            }
            bytes.push(byte[0]);
        }
        // The chunks' sizes stay in it: how it is cut is the host's affair.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        return text.split("\r\n").skip(1).step_by(2).collect();
    }
    bytes.resize(length.parse().unwrap_or(0), 0);
    let _ = stream.read_exact(&mut bytes);
    if bytes.len() > 100 { format!("{} bytes", bytes.len()) } else { String::from_utf8_lossy(&bytes).into_owned() }
}

const STANDARD: &str = r#"
import http.client, json, os, urllib.error, urllib.parse, urllib.request
port = int(os.environ["PORT"])
base = f"http://127.0.0.1:{port}"
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
connection.request("GET", "/a?b=1", headers={"X-Mine": "yes"})
answer = connection.getresponse()
data = json.loads(answer.read())
print(answer.status, answer.reason, data["line"], data["mine"])
connection.request("POST", "/post", body=b"x" * 10000)
print(json.loads(connection.getresponse().read())["body"])
connection.request("PUT", "/put", body=(b"ab" for _ in range(3)), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)
print(json.loads(connection.getresponse().read())["body"])
connection.request("HEAD", "/head")
answer = connection.getresponse()
print(answer.getheader("content-length"), answer.read())
print(urllib.request.urlopen(base + "/chunks").read())
with urllib.request.urlopen(base + "/redirect") as answer:
    print(answer.url == base + "/landed", json.loads(answer.read())["line"])
print(json.loads(urllib.request.urlopen(base + "/form", urllib.parse.urlencode({"a": "ä"}).encode()).read())["body"])
print(len(urllib.request.urlopen(base + "/large").read()))
try:
    urllib.request.urlopen(base + "/missing")
except urllib.error.HTTPError as error:
    print(error, error.read())
"#;

#[test]
fn the_standard_library_sends_requests() {
    let (world, server) = (World::new(), Server::new(echo));
    let done = python(&world, &server, &["-c", STANDARD]).exits(0);
    let expected = "200 OK GET /a?b=1 HTTP/1.1 yes\n10000 bytes\nababab\n7 b''\nb'hello, w'\nTrue GET /landed HTTP/1.1\n\
                    a=%C3%A4\n3000000\nHTTP Error 404: Not Found b'gone'\n";
    assert_eq!(done.stdout, expected, "{done}");
}

const REQUESTS: &str = r#"
import os, requests
base = f"http://127.0.0.1:{os.environ['PORT']}"
session = requests.Session()
answer = session.get(base + "/redirect", params={"q": "ä"}, timeout=20)
print(answer.status_code, answer.url, answer.json()["line"])
print(session.get(base + "/landed", headers={"X-Mine": "yes"}).json()["mine"])
print(session.post(base + "/post", json={"a": 1}).json()["body"])
with session.get(base + "/large", stream=True) as answer:
    print(sum(len(piece) for piece in answer.iter_content(10000)))
try:
    session.get(base + "/missing").raise_for_status()
except requests.HTTPError as error:
    print(error.response.status_code)
abandoned = session.get(base + "/large", stream=True)
"#;

#[test]
fn requests_sends_requests() {
    let (world, server) = (World::new(), Server::new(echo));
    let done = python(&world, &server, &["-W", "error", "-c", REQUESTS]).exits(0);
    let base = format!("http://127.0.0.1:{}", server.port());
    let expected =
        format!("200 {base}/redirect?q=%C3%A4 GET /redirect?q=%C3%A4 HTTP/1.1\nyes\n{{\"a\": 1}}\n3000000\n404\n");
    assert_eq!(done.stdout, expected, "{done}");
    assert!(!done.stderr.contains("Traceback"), "{done}");
}

const REFUSED: &str = r#"
import http.client, socket, urllib.error, urllib.request
for secure in (http.client.HTTPConnection, http.client.HTTPSConnection):
    try:
        secure("example.com").request("GET", "/")
    except PermissionError as error:
        print(error.strerror)
try:
    urllib.request.urlopen("https://example.com:8443/")
except urllib.error.URLError as error:
    print(type(error.reason).__name__, error.reason.strerror)
for speak in (lambda connection: connection.recv(1), lambda connection: connection.sendall(b"EHLO x\r\n\r\n")):
    try:
        speak(socket.create_connection(("127.0.0.1", 25)))
    except PermissionError as error:
        print(error.strerror)
for make in (lambda: socket.socket(type=socket.SOCK_DGRAM), lambda: socket.socket().bind(("", 80)), socket.socketpair):
    try:
        make()
    except PermissionError as error:
        print(error.strerror)
"#;

#[test]
fn without_the_power_nothing_is_sent_and_the_flag_is_named() {
    let (world, server) = (World::new(), Server::new(echo));
    let done = world.wardian(&["python", "-c", REFUSED]).exits(0);
    let lines: Vec<&str> = done.stdout.lines().collect();
    let refused = "Wardian's sandbox lets this program send no request to example.com; --net example.com allows it";
    assert_eq!(lines[..2], [refused, refused], "{done}");
    assert!(lines[2].starts_with("PermissionError") && lines[2].contains("--net example.com:8443 allows it"), "{done}");
    let sockets =
        "Wardian's sandbox has no sockets; http and https work, through urllib.request, http.client and requests";
    assert_eq!(lines[3..], [sockets; 5], "{done}");
    // What is allowed is one place, and no other.
    let other = format!("import urllib.request; urllib.request.urlopen('http://127.0.0.1:{}/')", server.port());
    world.wardian(&["python", "--net", "127.0.0.1:1", "-c", &other]).exits(1).says(&["URLError", "--net 127.0.0.1:"]);
    assert!(server.heads().is_empty());
}

#[test]
fn what_does_not_answer_is_the_error_that_programs_expect() {
    let (world, server) = (
        World::new(),
        Server::new(|_, _| {
            loop {
                std::thread::park();
            }
        }),
    );
    let program = "
import os, socket, urllib.error, urllib.request
try:
    urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/', timeout=0.2)
except OSError as error:
    print(type(getattr(error, 'reason', error)).__name__)
";
    python(&world, &server, &["-c", program]).exits(0).prints(&["TimeoutError"]);
    let closed = "
import urllib.error, urllib.request
try:
    urllib.request.urlopen('http://127.0.0.1:1/')
except urllib.error.URLError as error:
    print(type(error.reason).__name__)
";
    world.wardian(&["python", "--net", "127.0.0.1:1", "-c", closed]).exits(0).prints(&["ConnectionRefusedError"]);
}

#[test]
fn requests_of_the_tools_program_are_in_the_journal() {
    let (world, server) = (World::new(), Server::new(echo));
    let net = format!("127.0.0.1:{}", server.port());
    let code = format!("import urllib.request\nprint(urllib.request.urlopen('http://{net}/seen').status)");
    let call = json!({"tool": "Python", "input": {"code": code}});
    let model = world.scenario(&json!({"turns": [{"calls": [call]}, {"text": "Done.", "expect": "200"}]}));
    world.wardian(&["run", "-m", &model, "--approve", "all", "--net", &net, "Go."]).exits(0);
    let session = world.session();
    let events = session.events();
    let requests = of(&events, "net.request");
    assert_eq!((requests.len(), &requests[0]["url"]), (1, &json!(format!("http://{net}/seen"))), "{events:?}");
    world.check(&session);
}

/// Makes wheels, and says what their bytes must be.
const WHEELS: &str = r#"
import base64, hashlib, io, json, os, zipfile

def wheel(name, version, needs=(), tag="py3-none-any", files={}):
    folder = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {need}\n" for need in needs)
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{folder}/METADATA": metadata,
        f"{folder}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        **files,
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    os.makedirs("wheels", exist_ok=True)
    with zipfile.ZipFile(f"wheels/{name}-{version}-{tag}.whl", "w") as archive:
        for path, text in {**files, f"{folder}/RECORD": record + f"{folder}/RECORD,,\n"}.items():
            archive.writestr(path, text)

wheel("alpha", "1.0", ["beta<3"])
wheel("alpha", "2.0", ["beta>=2; python_version > '3'", "gamma; extra == 'more'", "never; sys_platform == 'win32'"])
wheel("alpha", "3.0rc1")
wheel("beta", "1.5")
wheel("beta", "2.5")
wheel("beta", "3.0", tag="cp314-cp314-manylinux_2_17_x86_64")
wheel("gamma", "1.0")
wheel("native", "1.0", tag="cp314-cp314-manylinux_2_17_x86_64")
wheel("changed", "1.0")
wheel("escapes", "1.0", files={"../../escaped.py": "x = 1\n"})
wheel("attrs", "99.0")
"#;

/// A strict index: what is not asked for as the specification says is not answered.
fn index(wheels: BTreeMap<String, Vec<u8>>) -> Server {
    Server::new(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let sha256 = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let respond = |stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]| {
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_ok()
        };
        if let Some(name) = path.strip_prefix("/simple/").and_then(|rest| rest.strip_suffix('/')) {
            let accepts = head.contains("application/vnd.pypi.simple.v1+json");
            let is_normal = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte.is_ascii_digit());
            let files: Vec<Value> = wheels
                .iter()
                .filter(|(file, _)| file.split('-').next() == Some(name))
                .map(|(file, bytes)| {
                    let digest = if name == "changed" { "0".repeat(64) } else { sha256(bytes) };
                    json!({"filename": file, "url": format!("../../files/{file}"), "hashes": {"sha256": digest}})
                })
                .collect();
            if !accepts || !is_normal {
                return respond(stream, "400 Bad Request", "text/plain", b"not as it is asked");
            }
            if files.is_empty() {
                return respond(stream, "404 Not Found", "text/plain", b"");
            }
            let page = json!({"meta": {"api-version": "1.1"}, "name": name, "files": files}).to_string();
            return respond(stream, "200 OK", "application/vnd.pypi.simple.v1+json", page.as_bytes());
        }
        match path.strip_prefix("/files/").and_then(|file| wheels.get(file)) {
            Some(bytes) => respond(stream, "200 OK", "application/octet-stream", bytes),
            None => respond(stream, "404 Not Found", "text/plain", b""),
        }
    })
}

#[test]
fn packages_are_installed_from_an_index() {
    let world = World::new();
    world.wardian(&["python", "--direct", "-c", WHEELS]).exits(0);
    let folder = world.project().join("wheels");
    let wheels: BTreeMap<String, Vec<u8>> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    let server = index(wheels);
    let url = format!("PIP_INDEX_URL={}", server.url("/simple"));
    let net = format!("127.0.0.1:{}", server.port());
    let python = |arguments: &[&str]| {
        world.wardian(&[&["python", "--direct", "--env", &url, "--net", &net], arguments].concat())
    };
    let pip = |arguments: &[&str]| python(&[&["-m", "pip"], arguments].concat());

    // The newest one that is released, and what it needs, of that the newest one without native code.
    pip(&["install", "Alpha"]).exits(0).prints(&["Successfully installed Alpha-2.0 beta-2.5"]);
    let versions = "import alpha, beta; print(alpha.version, beta.version)";
    python(&["-c", versions]).exits(0).prints(&["2.0 2.5"]);
    // From a folder further down as well.
    fs::create_dir_all(world.project().join("sub")).unwrap();
    python(&["-c", &format!("import os; os.chdir('sub')\n{versions}")]).exits(0).prints(&["2.0 2.5"]);
    world
        .wardian(&["sh", "--direct", "-c", "cd sub && python3 -m pip freeze"])
        .exits(0)
        .prints(&["alpha==2.0", "beta==2.5"]);
    pip(&["install", "alpha"]).exits(0).prints(&["already satisfied"]);
    pip(&["install", "alpha==1.0", "beta"]).exits(0).prints(&["Successfully installed alpha-1.0"]);
    pip(&["install", "-U", "alpha[more]"]).exits(0).prints(&["alpha-2.0", "gamma-1.0"]);
    pip(&["install", "--pre", "-q", "-U", "alpha"]).exits(0);
    pip(&["show", "alpha"]).exits(0).prints(&["Version: 3.0rc1"]);
    pip(&["uninstall", "-y", "alpha"]).exits(0).prints(&["uninstalled alpha-3.0rc1"]);
    python(&["-c", "import alpha"]).exits(1).says(&["No module named 'alpha'"]);
    pip(&["install", "./wheels/alpha-1.0-py3-none-any.whl", "--no-deps"]).exits(0).prints(&["alpha-1.0"]);
    world.file("needs.txt", "# what we need\ngamma >= 1  # for nothing\n");
    pip(&["install", "-r", "needs.txt"]).exits(0).prints(&["already satisfied"]);

    for (package, reason) in [
        ("native", "native has native code for other machines"),
        ("missing", "there is no package missing"),
        ("changed", "is not what the index says it is"),
        ("alpha>5", "no versions go together: alpha>5"),
        ("escapes", "escapes-1.0-py3-none-any.whl is no sound wheel"),
        ("wheels/native-1.0-cp314-cp314-manylinux_2_17_x86_64.whl", "native code for other machines"),
        ("nonsense==", "ERROR: "),
    ] {
        pip(&["install", package]).exits(1).says(&[reason]);
    }
    assert!(!world.project().join("escaped.py").exists() && !world.project().join(".wardian/escaped.py").exists());
    let refused = world.wardian(&["python", "--env", &url, "-m", "pip", "install", "-U", "beta"]).exits(1);
    refused.says(&[&format!("--net 127.0.0.1:{} allows it", server.port())]);
    // In the workspace it is a change to be reviewed.
    world
        .wardian(&["python", "--env", &url, "--net", &net, "-m", "pip", "install", "-q", "-t", "lib", "gamma"])
        .exits(0);
    assert!(!world.project().join("lib").exists());
    world.wardian(&["changes"]).exits(0).prints(&["lib/gamma/__init__.py"]);
}
