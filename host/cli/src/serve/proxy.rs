//! The way from the page to models: one path for each service, with the key that stays here.
//!
//! The page's provider sends what it would send to the service itself. What goes on is the method, the one path that
//! providers ask for, a few headers and the body; what comes back is streamed. Everything is asked of the network policy and
//! bounded by it, as the native host's own requests to models are.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::Url;
use wardian_host::{Client, Host, ResponseBody};

use super::{Body, Log, json_body};
use crate::case;
use crate::failure::Failure;
use crate::model::{Chosen, Service};
use crate::provider_net::provider_net;
use crate::settings::Settings;

/// Of a request: what providers say about what they send. Cookies, origins and what else a browser adds stay here.
const SENT: [&str; 5] = ["accept", "anthropic-beta", "anthropic-version", "content-type", "openai-beta"];

/// Of a response: what providers read.
const RECEIVED: [&str; 5] = ["content-type", "request-id", "retry-after", "retry-after-ms", "x-request-id"];

pub struct Upstreams {
    services: Vec<(Service, Result<Upstream, String>)>,
    /// As `-m` has it.
    model: String,
}

struct Upstream {
    chosen: Chosen,
    client: Client,
}

impl Upstreams {
    /// The services that the environment and the settings know the way to.
    pub async fn new(host: &Host, settings: &Settings, model: &str) -> Result<Self, Failure> {
        let mut services = Vec::new();
        for service in Service::ALL {
            let chosen = service.choose("NAME", settings, |name| std::env::var(name).ok());
            let upstream = match chosen {
                Ok(chosen) => {
                    let net = provider_net(host, case::netfetch(host)?, &chosen).await?;
                    Ok(Upstream { client: net.client(), chosen })
                }
                Err(failure) => Err(failure.text()),
            };
            services.push((service, upstream));
        }
        Ok(Self { services, model: model.to_owned() })
    }

    /// What the page has to know: where each service is, from its point of view. No key, and no way to one.
    pub fn describe(&self) -> Value {
        let services = self.services.iter().map(|(service, upstream)| match upstream {
            Ok(Upstream { chosen, .. }) => {
                let mut config = chosen.config.clone();
                config.remove("base-url");
                config.remove("model");
                json!({
                    "name": service.name(),
                    "path": format!("/model/{}{}", service.name(), &chosen.base_url[url::Position::BeforePath..]),
                    "server": chosen.base_url.origin().ascii_serialization(),
                    "has_key": chosen.credential.is_some(),
                    "config": config,
                })
            }
            Err(why) => json!({"name": service.name(), "missing": why}),
        });
        json!({
            "wardian": env!("CARGO_PKG_VERSION"),
            "model": self.model,
            "services": services.collect::<Vec<_>>(),
        })
    }

    pub(super) async fn forward(&self, request: Request<Incoming>, log: Log) -> Response<Body> {
        let start = Instant::now();
        let (parts, body) = request.into_parts();
        let Some((service, rest)) = parts.uri.path().strip_prefix("/model/").and_then(|path| {
            let (name, _) = path.split_once('/')?;
            Some((Service::named(name)?, &path[name.len()..]))
        }) else {
            return refusal(StatusCode::NOT_FOUND, "there is no such service");
        };
        let upstream = match self.services.iter().find(|(known, _)| *known == service) {
            Some((_, Ok(upstream))) => upstream,
            Some((_, Err(why))) => return refusal(StatusCode::NOT_FOUND, why),
            None => return refusal(StatusCode::NOT_FOUND, "there is no such service"),
        };
        if parts.method != Method::POST {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "models are asked with POST");
        }
        let Some(url) = target(&upstream.chosen, service, rest, parts.uri.query()) else {
            let message = format!("only {} of {} is passed on", service.endpoint(), service.name());
            return refusal(StatusCode::FORBIDDEN, &message);
        };
        let mut forwarded = Request::new(body);
        *forwarded.method_mut() = Method::POST;
        *forwarded.headers_mut() = select(&parts.headers, &SENT);
        let Ok(uri) = url.as_str().parse() else {
            return refusal(StatusCode::BAD_REQUEST, "the address cannot be sent");
        };
        *forwarded.uri_mut() = uri;
        // When the page goes away, the connection's task is dropped, and this with it: the request ends.
        let mut telling = Telling { log, service, start, status: 0, bytes: 0, error: None };
        match upstream.client.send(forwarded).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                telling.status = parts.status.as_u16();
                let mut response = Response::new(Watched { body, telling }.boxed_unsync());
                *response.status_mut() = parts.status;
                *response.headers_mut() = select(&parts.headers, &RECEIVED);
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(error) => {
                let status = if error.denied { StatusCode::FORBIDDEN } else { StatusCode::BAD_GATEWAY };
                telling.status = status.as_u16();
                telling.error = Some(error.to_string());
                refusal(status, &error.to_string())
            }
        }
    }
}

impl Service {
    /// What providers ask of it.
    fn endpoint(self) -> &'static str {
        match self {
            Self::OpenAi => "/responses",
            Self::Chat => "/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }
}

/// Where a request goes: to the service's own path below its base URL. None: anywhere else.
fn target(chosen: &Chosen, service: Service, path: &str, query: Option<&str>) -> Option<Url> {
    let base = chosen.base_url.path().trim_end_matches('/');
    let is_plain = path.split('/').skip(1).all(|name| !matches!(name, "" | "." | "..") && !name.contains(['%', '\\']));
    let is_endpoint = path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && path.ends_with(service.endpoint());
    if !is_plain || !is_endpoint || query != chosen.base_url.query() {
        return None;
    }
    let mut url = chosen.base_url.clone();
    url.set_path(path);
    (url.path() == path).then_some(url)
}

fn select(headers: &HeaderMap, names: &[&'static str]) -> HeaderMap {
    names.iter().filter_map(|&name| Some((header::HeaderName::from_static(name), headers.get(name)?.clone()))).collect()
}

/// In the form in which services say it, so that providers understand it.
pub(super) fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    let message = format!("wardian serve: {message}");
    json_body(status, &json!({"type": "error", "error": {"type": "wardian_serve", "message": message}}))
}

/// Tells of a request when it is over, however it ended.
struct Telling {
    log: Log,
    service: Service,
    start: Instant,
    /// 0: the page went away before there was one.
    status: u16,
    bytes: u64,
    error: Option<String>,
}

impl Drop for Telling {
    fn drop(&mut self) {
        let error = match self.status {
            0 => Some("the page went away"),
            _ => self.error.as_deref(),
        };
        if self.status != 0 || error.is_some() {
            self.log.tell(self.service.name(), self.status, self.bytes, self.start.elapsed(), error);
        }
    }
}

struct Watched {
    body: ResponseBody,
    telling: Telling,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.telling.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(error)) => self.telling.error = Some(error.to_string()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(service: Service, base_url: &str) -> Chosen {
        let settings = Settings::for_models(Default::default());
        let (variable, _) = service.variables();
        service.choose("m", &settings, |name| (name == variable).then(|| base_url.to_owned())).unwrap()
    }

    #[test]
    fn one_path_of_each_service_is_passed_on() {
        for (service, base, path, query, expected) in [
            (Service::OpenAi, "https://a.example/v1", "/v1/responses", None, Some("https://a.example/v1/responses")),
            (
                Service::Chat,
                "http://127.0.0.1:1",
                "/chat/completions",
                None,
                Some("http://127.0.0.1:1/chat/completions"),
            ),
            (Service::Anthropic, "https://a.example", "/v1/messages", None, Some("https://a.example/v1/messages")),
            (Service::Anthropic, "https://a.example/v1", "/v1/messages", None, Some("https://a.example/v1/messages")),
            (Service::OpenAi, "https://a/o?v=1", "/o/responses", Some("v=1"), Some("https://a/o/responses?v=1")),
            (Service::OpenAi, "https://a/o?v=1", "/o/responses", None, None),
            (Service::OpenAi, "https://a/v1", "/v1/responses", Some("x=1"), None),
            (Service::OpenAi, "https://a/v1", "/v1/files", None, None),
            (Service::OpenAi, "https://a/v1", "/v1x/responses", None, None),
            (Service::OpenAi, "https://a/v1", "/v1/../admin/responses", None, None),
            (Service::OpenAi, "https://a/v1", "/v1/%2e%2e/responses", None, None),
            (Service::OpenAi, "https://a/v1", "//evil/v1/responses", None, None),
            (Service::OpenAi, "https://a/v1", "/v1//responses", None, None),
        ] {
            let url = target(&chosen(service, base), service, path, query);
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{base} {path}");
        }
    }

    #[test]
    fn no_cookie_goes_out_and_none_comes_in() {
        let all = ["accept", "cookie", "authorization", "origin", "wardian-token", "set-cookie", "content-type"];
        let headers: HeaderMap =
            all.iter().map(|name| (header::HeaderName::from_static(name), HeaderValue::from_static("v"))).collect();
        let names = |map: HeaderMap| map.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(select(&headers, &SENT)), ["accept", "content-type"]);
        assert_eq!(names(select(&headers, &RECEIVED)), ["content-type"]);
    }
}
