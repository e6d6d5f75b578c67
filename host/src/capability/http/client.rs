//! Requests of whoever uses the library, by the same rules as those of components.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use wasmtime_wasi_http::Error;

use super::net::Net;
use super::send::Sending;
use crate::capability::activities::Activities;
use crate::wit::{Activity, NetError, NetVerdict};

/// A response's body: counted, timed, ended with an error where it breaks off. Dropping it closes the connection.
pub type ResponseBody = UnsyncBoxBody<Bytes, io::Error>;

/// Sends requests into a network, at most its `concurrent_max` at once.
#[derive(Clone)]
pub struct Client {
    net: Net,
    under_way: Arc<AtomicU64>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// The policy refused it: nothing was sent, or nothing is handed on.
    pub denied: bool,
    message: String,
}

impl Net {
    /// Somebody who sends requests.
    pub fn client(&self) -> Client {
        Client { net: self.clone(), under_way: Arc::default() }
    }
}

impl Client {
    /// Sends it and waits for the head of its response. Dropping the future ends the request.
    ///
    /// # Errors
    /// [`SendError`], in words for people.
    pub async fn send<B>(&self, request: http::Request<B>) -> Result<http::Response<ResponseBody>, SendError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::fmt::Display,
    {
        let activities = Arc::<Activities>::default();
        let sending = Arc::new(Sending {
            options: self.net.policy(vec!["*".to_owned()], NetVerdict::Deny),
            net: self.net.clone(),
            policy: tokio::sync::Mutex::default(),
            activities: activities.clone(),
            under_way: self.under_way.clone(),
            is_over: AtomicBool::new(false),
        });
        let request = request.map(|body| body.map_err(|_| Error::HttpProtocolError).boxed_unsync());
        match sending.send(request, None).await {
            Ok(response) => {
                let broke = move |error: Error| io::Error::other(told(&activities, &error));
                Ok(response.map(|body| body.map_err(broke).boxed_unsync()))
            }
            Err(error) => {
                let denied = matches!(error, Error::HttpRequestDenied | Error::DestinationIpProhibited);
                Err(SendError { denied, message: told(&activities, &error) })
            }
        }
    }
}

/// The words that a session would read about it.
fn told(activities: &Activities, error: &Error) -> String {
    let mut requests = activities.take().into_iter().filter_map(|activity| match activity {
        Activity::NetRequest(request) => request.error,
        _ => None,
    });
    match requests.next_back() {
        Some(NetError { kind, message, at: Some(at) }) if kind == "limit" => {
            format!("{} reached ({at})", message.replace('-', "_"))
        }
        Some(NetError { message, .. }) => message,
        None => error.to_string(),
    }
}
