//! Servers on loopback, well-behaved and not, and tools that send requests to them through the host.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use wardian_host::wit::{
    Activity, Fault, FileAccess, Grant, Limits, NetLimits, NetPort, NetReach, NetRedirects, NetRequest, NetRule,
    NetSchemes, NetVerdict, Powers, ToolCall, ToolError, Unlisted,
};
use wardian_host::{Activities, Files, Host, HostOptions, Net, NetOptions, Resolver, Resolving, Tool, ToolCallOptions};

use crate::dist;

/// Longest head of a request that a server reads.
const HEAD_BYTES_MAX: usize = 256 << 10;

/// A server that does with each request what it was told to. Ends with the test.
pub struct Server {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// `answer` gets each request's head, and the connection to write to; true: there may be another request on it.
    pub fn new(answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (heads, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        let (kept, counted, answer) = (heads.clone(), connections.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let (kept, answer) = (kept.clone(), answer.clone());
                thread::spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Self { address, heads, connections }
    }

    /// The same bytes for every request.
    pub fn says(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::new(move |_, stream| stream.write_all(&response).is_ok())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Heads of the requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, heads: &Mutex<Vec<String>>, answer: &(impl Fn(&str, &mut TcpStream) -> bool + ?Sized)) {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        heads.lock().unwrap().push(head.clone());
        if !answer(&head, &mut stream) {
            return;
        }
    }
}

/// A response with this body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// Writes the same over and over until the other side has enough.
pub fn forever(stream: &mut TcpStream, piece: &[u8], pause: Duration) -> bool {
    while stream.write_all(piece).is_ok() {
        thread::sleep(pause);
    }
    false
}

/// A rule that allows a host, as settings make it.
pub fn allow(host: &str) -> NetRule {
    NetRule {
        name: format!("allow {host}"),
        verdict: NetVerdict::Allow,
        schemes: NetSchemes::HTTP | NetSchemes::HTTPS,
        host: host.to_owned(),
        port: Some(NetPort::Any),
        methods: vec![],
        content_types: vec![],
        reach: NetReach::Public,
    }
}

/// Small bounds, so that each is reached soon.
pub fn limits() -> NetLimits {
    NetLimits {
        requests_max: 10,
        redirects_max: 3,
        header_bytes_max: 16 << 10,
        request_bytes_max: 64 << 10,
        response_bytes_max: 256 << 10,
        connect_ms_max: 2_000,
        first_byte_ms_max: 2_000,
        between_bytes_ms_max: 2_000,
        total_ms_max: 20_000,
        ..NetLimits::default()
    }
}

/// Answers for names what it is told to, one list for each lookup; the last one stays.
pub struct Names {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
    pub lookups: AtomicUsize,
}

impl Names {
    pub fn new(answers: &[&[&str]]) -> Arc<Self> {
        let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
        let answers = answers.iter().map(|answer| answer.iter().map(address).collect()).rev().collect();
        Arc::new(Self { answers: Mutex::new(answers), lookups: AtomicUsize::new(0) })
    }
}

/// A name server that never answers has no list.
impl Resolver for Names {
    fn resolve(&self, _: String, _: u16) -> Resolving {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        Box::pin(async move {
            match answer {
                Some(answer) => Ok(answer),
                None => std::future::pending().await,
            }
        })
    }
}

/// The tools of tests/guests, with a network.
pub struct Client {
    pub tool: Tool,
    pub net: Net,
}

/// What came of a call: the tool's data or its error, and what was done.
pub struct Fetched {
    pub result: Result<Value, String>,
    pub requests: Vec<NetRequest>,
}

impl Fetched {
    /// The last request's error: its kind and message.
    #[track_caller]
    pub fn failed(&self) -> (String, String) {
        let error = self.requests.last().and_then(|request| request.error.clone());
        let error = error.unwrap_or_else(|| panic!("no error: {:?} {:?}", self.result, self.requests));
        (error.kind, error.message)
    }

    /// It ended by this limit.
    #[track_caller]
    pub fn reached(&self, name: &str) {
        assert_eq!(self.failed(), ("limit".to_owned(), name.to_owned()), "{:?}", self.result);
        assert!(self.result.is_err(), "{:?}", self.result);
    }

    /// It was not sent, or not handed on, by this rule.
    #[track_caller]
    pub fn denied(&self, rule: &str) {
        let last = self.requests.last().unwrap_or_else(|| panic!("no request: {:?}", self.result));
        assert_eq!((last.allowed, last.rule.as_str()), (false, rule), "{last:?}");
        assert!(self.result.is_err(), "{:?}", self.result);
    }

    #[track_caller]
    pub fn data(&self) -> &Value {
        self.result.as_ref().unwrap_or_else(|error| panic!("{error} {:?}", self.requests))
    }
}

pub fn host() -> Host {
    let cache = std::env::temp_dir().join("wardian-tests-net");
    Host::new(HostOptions { cache: Some(cache) }).unwrap()
}

/// Options with these rules, and no secrets, names or certificates.
pub fn options(host: &Host, rules: Vec<NetRule>) -> NetOptions {
    let netfetch = std::fs::read(dist::built("components/netfetch.wasm")).unwrap();
    NetOptions {
        netfetch: host.load("netfetch", &netfetch, None).unwrap(),
        rules,
        unlisted_max: NetVerdict::Allow,
        limits: limits(),
        redirects: NetRedirects::Follow,
        credentials: vec![],
        resolver: Names::new(&[]),
        roots: Arc::new(|| Err("this test has no certificates".to_owned())),
    }
}

impl Client {
    pub async fn new(rules: Vec<NetRule>) -> Self {
        Self::with(rules, |_| {}).await
    }

    pub async fn with(rules: Vec<NetRule>, change: impl FnOnce(&mut NetOptions)) -> Self {
        let host = host();
        let mut options = options(&host, rules);
        change(&mut options);
        let net = Net::new(&host, options).await.unwrap();
        let guests = std::fs::read(dist::guests()).unwrap();
        let tool = Tool::new(&host, host.load("guests", &guests, None).unwrap()).await.unwrap();
        Self { tool, net }
    }

    pub fn grant(within: &[&str], unlisted: Unlisted) -> Grant {
        let net = within.iter().map(|host| (*host).to_owned()).collect();
        let powers = Powers { files: FileAccess::None, net, process: vec![], env: vec![] };
        Grant { powers, limits: Limits::default(), unlisted }
    }

    pub async fn fetch(&self, input: Value) -> Fetched {
        self.fetch_as(input, Self::grant(&["*"], Unlisted::Deny)).await
    }

    pub async fn fetch_as(&self, input: Value, grant: Grant) -> Fetched {
        let activities = Arc::<Activities>::default();
        let files = Files { project: std::env::temp_dir(), layer: None, direct: true };
        let options = ToolCallOptions {
            grant,
            files,
            net: Some(self.net.clone()),
            activities: activities.clone(),
            commands: Arc::default(),
            jobs: None,
            progress: None,
        };
        let input = ToolCall { id: "1".into(), tool: "Fetch".into(), input: input.to_string() };
        let finished = self.tool.call(&input, &options).await;
        let result = match finished.result {
            Ok(Ok(outcome)) => Ok(serde_json::from_str(&outcome.data.unwrap_or_default()).unwrap()),
            Ok(Err(ToolError::Failed(message))) => Err(message),
            Err(Fault::Refused(message)) => Err(message),
            other => panic!("{other:?}"),
        };
        let requests = activities.take().into_iter().map(|activity| match activity {
            Activity::NetRequest(request) => request,
            other => panic!("{other:?}"),
        });
        Fetched { result, requests: requests.collect() }
    }
}
