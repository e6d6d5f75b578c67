//! What the whole stack (host, network policy, provider, session, agent) adds to a request to a model, against a bare client
//! on the same server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use suites::models::{Answer, KEY, Protocol, Reply, Server, now};
use wardian_host::wit::{
    Answer as Leave, Event, NetLimits, NetPort, NetReach, NetRedirects, NetRule, NetSchemes, NetVerdict, Options,
    Question, Update,
};
use wardian_host::{
    Agent, AgentOptions, Credential, Net, NetOptions, ProjectAccess, SessionAccess, SystemResolver, Ui, UiFuture,
};

use crate::Bench;
use crate::table::{Table, median, millis};

/// Requests that are timed.
const ROUNDS: usize = 60;
/// Of the long answer.
const EVENTS: u32 = 5_000;
const EVENTS_PER_SECOND: u32 = 1_000;

pub fn run(bench: &Bench, runtime: &tokio::runtime::Runtime, table: &mut Table) -> Result<()> {
    runtime.block_on(async {
        bench.first_delta(table).await?;
        bench.pace(table).await
    })
}

impl Bench {
    /// From the request to the first word of the answer, on connections that are there already.
    async fn first_delta(&self, table: &mut Table) -> Result<()> {
        let answers: Vec<Reply> = vec![Reply::text("one two three"); 2 * ROUNDS + 20];
        let server = Server::start(Protocol::Chat, answers);
        let watch = Arc::new(Watch::default());
        let mut agent = self.talk("first-delta", &server, watch.clone()).await?;
        let (answer, _) = agent.run("hi").await?.map_err(anyhow::Error::msg)?;
        answer.map_err(|stop| anyhow::anyhow!("{stop:?}"))?;
        let body = server.took(1)[0].body.to_string();
        let mut bare = connect(&server).await?;
        let (mut bares, mut stacks) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS + 5 {
            let first = first_bare(&mut bare, &server, &body).await?;
            watch.texts.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.clear();
            let start = Instant::now();
            let (result, _) = agent.run("hi").await?.map_err(anyhow::Error::msg)?;
            ensure!(result.is_ok(), "the run failed: {result:?}");
            let texts = watch.texts.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            let stack = texts.first().context("no text")?.0 - start;
            if round >= 5 {
                bares.push(first);
                stacks.push(stack);
            }
        }
        let (bare, stack) = (millis(median(bares)), millis(median(stacks)));
        let figure = format!("{stack:.2} ms; bare client {bare:.2} ms");
        table.row("time to the first delta (p50)", figure, "1.1 × + 5 ms", stack <= bare * 1.1 + 5.0);
        Ok(())
    }

    /// A long answer at a steady pace: each event has in it when it was sent.
    async fn pace(&self, table: &mut Table) -> Result<()> {
        let paced = Answer::Paced { events: EVENTS, per_second: EVENTS_PER_SECOND };
        let server = Server::start(Protocol::Chat, [paced]);
        let watch = Arc::new(Watch::default());
        let mut agent = self.talk("pace", &server, watch.clone()).await?;
        let (result, _) = agent.run("hi").await?.map_err(anyhow::Error::msg)?;
        ensure!(result.is_ok(), "the run failed: {result:?}");
        let texts = watch.texts.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
        ensure!(texts.len() == EVENTS as usize, "{} events of {EVENTS} arrived", texts.len());
        let fifth = texts.len() / 5;
        let lag = |part: &[Arrived]| median(part.iter().map(|arrived| arrived.1).collect());
        let (early, late) = (lag(&texts[..fifth]), lag(&texts[texts.len() - fifth..]));
        let figure = format!("{:.2} ms at first, {:.2} ms at last", millis(early), millis(late));
        let holds = late <= early * 2 + Duration::from_millis(5);
        table.row("lag of an event, 1,000 a second for 5 s (p50)", figure, "not growing: 2 × + 5 ms", holds);
        if let (Some(early), Some(late)) = (texts[fifth].2, texts.last().and_then(|arrived| arrived.2)) {
            let figure = format!("{early} KiB after a fifth, {late} KiB at the end");
            // What the answer itself has, several times over.
            table.row("memory during that answer", figure, "4 MiB more", late <= early + (4 << 10));
        }
        Ok(())
    }

    async fn talk(&self, name: &str, server: &Server, ui: Arc<Watch>) -> Result<Agent> {
        let host = self.host()?;
        let session = self.folder.join(name).join("session");
        std::fs::create_dir_all(&session)?;
        let rule = NetRule {
            name: "bench".to_owned(),
            verdict: NetVerdict::Allow,
            schemes: NetSchemes::HTTP,
            host: server.address().ip().to_string(),
            port: Some(NetPort::Number(server.address().port())),
            methods: vec![],
            content_types: vec![],
            reach: NetReach::Any,
        };
        let limits = NetLimits { requests_max: u32::MAX, ..NetLimits::default() };
        let bearer = Credential::new(&server.base_url(), "authorization", &format!("Bearer {KEY}"));
        let options = NetOptions {
            netfetch: host.load("netfetch", &self.read("components/netfetch.wasm")?, None)?,
            rules: vec![rule],
            unlisted_max: NetVerdict::Deny,
            limits,
            redirects: NetRedirects::Refuse,
            credentials: vec![bearer.map_err(anyhow::Error::msg)?],
            resolver: Arc::new(SystemResolver),
            roots: Arc::new(|| Err("nothing here is encrypted".to_owned())),
        };
        let agent = host.load("agent", &self.read("bundles/default/agent-provider-chat.wasm")?, None)?;
        let config = [("base-url", server.base_url()), ("model", "bench".to_owned())];
        let options = AgentOptions {
            agent,
            tools: vec![],
            commands: Arc::default(),
            files: self.files(name)?,
            project: ProjectAccess::Read,
            session,
            access: SessionAccess::Write,
            config: config.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<HashMap<_, _>>(),
            provider_net: Some(Net::new(&host, options).await?),
            net: None,
            ui,
        };
        let mut agent = Agent::start(&host, options).await?;
        let options = Options { model: "chat/bench".to_owned(), ..crate::session::options() };
        agent.open(&options).await?.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(agent)
    }
}

async fn connect(server: &Server) -> Result<SendRequest<Full<Bytes>>> {
    let stream = tokio::net::TcpStream::connect(server.address()).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Time until the first word of the answer; reads it to its end.
async fn first_bare(sender: &mut SendRequest<Full<Bytes>>, server: &Server, body: &str) -> Result<Duration> {
    let request = Request::post("/v1/chat/completions")
        .header("host", server.address().to_string())
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    let start = Instant::now();
    let mut response = sender.send_request(request).await?;
    ensure!(response.status() == 200, "the server refused: {}", response.status());
    let (mut text, mut first) = (Vec::new(), None);
    while let Some(frame) = response.frame().await {
        if let Some(data) = frame?.data_ref() {
            text.extend_from_slice(data);
        }
        if first.is_none() && text.windows(3).any(|window| window == b"one") {
            first = Some(start.elapsed());
        }
    }
    sender.ready().await?;
    first.context("no text")
}

/// When a text arrived, how long after it was sent (where it says when), and the memory of this process then, in KiB.
type Arrived = (Instant, Duration, Option<u64>);

#[derive(Default)]
struct Watch {
    texts: Mutex<Vec<Arrived>>,
}

impl Ui for Watch {
    fn event(&self, event: Event) {
        if let (Event::Text(text), Ok(mut texts)) = (event, self.texts.lock()) {
            let sent = text.trim().parse().unwrap_or_else(|_| now());
            let lag = Duration::from_micros(now().saturating_sub(sent));
            // Reading it takes a while: only now and then.
            let memory = if texts.len() % 500 == 0 { resident_kib() } else { texts.last().and_then(|last| last.2) };
            texts.push((Instant::now(), lag, memory));
        }
    }

    fn progress(&self, _: &str, _: Update) {}

    fn ask(&self, _: Question) -> UiFuture<Leave> {
        Box::pin(async { Leave::Unavailable })
    }
}

/// None where the system does not say.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
