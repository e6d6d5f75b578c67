//! Tools that send requests: what they were told comes back as data.

use tool_kit::serde_json::{Value, json};
use tool_kit::{Context, Outcome, ToolError};

use wasi::http::outgoing_handler::handle;
use wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use wasi::io::streams::StreamError;

type Result = std::result::Result<Outcome, ToolError>;

wit_bindgen::generate!({
    inline: "
        package wardian:guests-net;
        world guests-net {
            import wasi:http/outgoing-handler@0.2.6;
        }
    ",
    path: [
        "../../wit/wasi-io",
        "../../wit/wasi-clocks",
        "../../wit/wasi-random",
        "../../wit/wasi-filesystem",
        "../../wit/wasi-sockets",
        "../../wit/wasi-cli",
        "../../wit/wasi-http",
    ],
    world: "wardian:guests-net/guests-net",
    generate_all,
});

tool_kit::input! {
    pub struct Fetch {
        pub url: String,
        pub method: Option<String>,
        /// Names and values.
        #[serde(default)]
        pub headers: Vec<(String, String)>,
        /// Send a body of so many bytes.
        pub send_bytes: Option<u64>,
        /// How often, one after the other.
        pub times: Option<u32>,
        /// So many at once, of which none is read.
        pub at_once: Option<u32>,
        /// Give up after so many bytes of the body.
        pub stop_after_bytes: Option<u64>,
        /// Wait so long before the body is read.
        pub first_byte_ms: Option<u64>,
    }
}

/// How much of a body comes back as text.
const SHOWN_BYTES_MAX: usize = 4096;

/// What is read, or written, at a time.
const STEP_BYTES: u64 = 64 << 10;

/// The case's name.
fn told(error: &ErrorCode) -> String {
    let text = format!("{error:?}");
    text.trim_start_matches("ErrorCode::").split('(').next().unwrap_or_default().to_owned()
}

/// Takes a URL apart, without looking at it any closer: that is what is tested.
fn start(input: &Fetch) -> std::result::Result<FutureIncomingResponse, String> {
    let (scheme, rest) = input.url.split_once("://").ok_or("no scheme")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let headers = Fields::new();
    for (name, value) in &input.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match input.method.as_deref() {
        None | Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        Some(other) => Method::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "the method is refused")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "the scheme is refused")?;
    request.set_authority(Some(authority)).map_err(|()| "the authority is refused")?;
    let path = if path.starts_with('#') { "/" } else { path.split('#').next().unwrap_or_default() };
    request.set_path_with_query(Some(path)).map_err(|()| "the path is refused")?;
    let options = RequestOptions::new();
    let first_byte = input.first_byte_ms.map(|ms| ms * 1_000_000);
    options.set_first_byte_timeout(first_byte).map_err(|()| "the time is refused")?;
    let body = input.send_bytes.map(|bytes| (request.body(), bytes));
    let response = handle(request, Some(options)).map_err(|error| told(&error))?;
    if let Some((body, mut left)) = body {
        let body = body.map_err(|()| "there is no body")?;
        let stream = body.write().map_err(|()| "the body cannot be written")?;
        while left > 0 {
            let step = left.min(4096);
            // A server that has heard enough closes the stream: the response tells.
            if stream.blocking_write_and_flush(&vec![b'x'; step as usize]).is_err() {
                break;
            }
            left -= step;
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
    Ok(response)
}

fn wait(response: &FutureIncomingResponse) -> std::result::Result<IncomingResponse, String> {
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(error))) => Err(told(&error)),
        _ => Err("no response".to_owned()),
    }
}

fn once(input: &Fetch) -> std::result::Result<Value, String> {
    let response = wait(&start(input)?)?;
    let fields = response.headers().entries();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<(String, String)> = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let status = response.status();
    let body = response.consume().map_err(|()| "there is no body")?;
    let stream = body.stream().map_err(|()| "the body cannot be read")?;
    let (mut bytes, mut shown) = (0, Vec::new());
    loop {
        match stream.blocking_read(STEP_BYTES) {
            Ok(read) => {
                bytes += read.len() as u64;
                let room = SHOWN_BYTES_MAX - shown.len();
                shown.extend_from_slice(&read[..read.len().min(room)]);
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasi::http::types::http_error_code(&error);
                let code = code.map_or_else(|| error.to_debug_string(), |code| told(&code));
                return Err(format!("after {bytes} bytes: {code}"));
            }
        }
        if input.stop_after_bytes.is_some_and(|stop| bytes >= stop) {
            break;
        }
    }
    Ok(json!({"status": status, "headers": headers, "bytes": bytes, "body": text(&shown)}))
}

pub fn fetch(input: Fetch, _: &Context) -> Result {
    if let Some(count) = input.at_once {
        let started: Vec<_> = (0..count).map(|_| start(&input)).collect();
        let ended: Vec<String> = started
            .iter()
            .map(|response| match response.as_ref().map_err(Clone::clone).and_then(wait) {
                Ok(response) => response.status().to_string(),
                Err(error) => error,
            })
            .collect();
        return Outcome::text(ended.join("\n")).with_data(&ended);
    }
    let mut last = Value::Null;
    for _ in 0..input.times.unwrap_or(1) {
        last = once(&input).map_err(ToolError::failed)?;
    }
    Outcome::text(last["body"].as_str().unwrap_or_default()).with_data(&last)
}
