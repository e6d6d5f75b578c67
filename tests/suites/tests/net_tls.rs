//! TLS and HTTP/2, with certificates of this test's own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use suites::net::{Client, Names, allow};
use suites::process::Running;
use suites::world::World;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

struct Tls {
    address: SocketAddr,
    certificate: Vec<u8>,
    pem: String,
    connections: Arc<AtomicUsize>,
}

/// Says which version of HTTP it was asked in. Speaks only this protocol, under this name.
async fn server(protocol: &'static [u8], name: &str) -> Tls {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate.clone()], key).unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::<AtomicUsize>::default();
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us goes away here.
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = service_fn(|request: Request<Incoming>| async move {
                    let text = format!("{:?} {}", request.version(), request.uri().path());
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(text))))
                });
                let stream = TokioIo::new(stream);
                let served = if protocol == b"h2" {
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(stream, answer)
                        .await
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(stream, answer).await
                };
                drop(served);
            });
        }
    });
    Tls { address, certificate: certificate.to_vec(), pem: made.cert.pem(), connections }
}

async fn client(trusted: Vec<u8>) -> Client {
    Client::with(vec![allow("localhost"), allow("127.0.0.1")], |options| {
        options.resolver = Names::new(&[&["127.0.0.1"]]);
        options.roots = Arc::new(move || Ok(vec![trusted.clone()]));
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_of_http_over_tls_and_their_connections_are_used_again() {
    for (protocol, version) in [(&b"h2"[..], "HTTP/2.0"), (b"http/1.1", "HTTP/1.1")] {
        let tls = server(protocol, "localhost").await;
        let client = client(tls.certificate.clone()).await;
        let url = format!("https://localhost:{}/path", tls.address.port());
        let fetched = client.fetch(json!({"url": url, "times": 3})).await;
        assert_eq!(fetched.data()["body"], format!("{version} /path"));
        assert_eq!(tls.connections.load(Ordering::SeqCst), 1, "{version}");
        assert!(fetched.requests.iter().all(|request| request.error.is_none()), "{:?}", fetched.requests);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nobody_vouches_for_is_not_talked_to() {
    let (tls, other) = (server(b"http/1.1", "localhost").await, server(b"http/1.1", "localhost").await);
    let url = |host: &str| json!({"url": format!("https://{host}:{}/", tls.address.port())});
    let stranger = client(other.certificate).await.fetch(url("localhost")).await;
    assert_eq!(stranger.failed().0, "tls");
    assert!(stranger.result.unwrap_err().contains("TlsCertificateError"));
    // Vouched for, under another name.
    let client = client(tls.certificate.clone()).await;
    assert_eq!(client.fetch(url("127.0.0.1")).await.failed().0, "tls");
    client.fetch(url("localhost")).await.data();
}

const SECURE: &str = r#"
import http.client, requests, urllib.request
print(urllib.request.urlopen("https://PLACE/urllib").read().decode())
connection = http.client.HTTPSConnection("PLACE")
connection.request("GET", "/http.client")
print(connection.getresponse().read().decode())
print(requests.get("https://PLACE/requests").text)
"#;

#[tokio::test(flavor = "multi_thread")]
async fn programs_speak_tls_with_whom_the_machine_trusts() {
    let tls = server(b"http/1.1", "127.0.0.1").await;
    let place = format!("127.0.0.1:{}", tls.address.port());
    let world = World::new();
    let trusted = world.home().join("trusted.pem");
    std::fs::write(&trusted, &tls.pem).unwrap();
    let run = |arguments: &[&str], trusts: bool| {
        let mut command = world.command(arguments);
        if trusts {
            command.env("SSL_CERT_FILE", &trusted);
        }
        Running::new(command).wait()
    };
    let code = SECURE.replace("PLACE", &place);
    let done = run(&["python", "--net", &place, "-c", &code], true).exits(0);
    assert_eq!(done.stdout, "HTTP/1.1 /urllib\nHTTP/1.1 /http.client\nHTTP/1.1 /requests\n", "{done}");
    let curl = format!("curl -sS https://{place}/curl");
    let done = run(&["sh", "--net", &place, "-c", &curl], true).exits(0);
    assert_eq!(done.stdout, "HTTP/1.1 /curl", "{done}");
    run(&["python", "--net", &place, "-c", &code], false).exits(1).says(&["SSLCertVerificationError"]);
    run(&["sh", "--net", &place, "-c", &curl], false).exits(60).says(&["certificate"]);
}
