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
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

struct Tls {
    address: SocketAddr,
    certificate: Vec<u8>,
    connections: Arc<AtomicUsize>,
}

/// Says which version of HTTP it was asked in. Speaks only this protocol.
async fn server(protocol: &'static [u8]) -> Tls {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
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
    Tls { address, certificate: certificate.to_vec(), connections }
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
        let tls = server(protocol).await;
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
    let (tls, other) = (server(b"http/1.1").await, server(b"http/1.1").await);
    let url = |host: &str| json!({"url": format!("https://{host}:{}/", tls.address.port())});
    let stranger = client(other.certificate).await.fetch(url("localhost")).await;
    assert_eq!(stranger.failed().0, "tls");
    assert!(stranger.result.unwrap_err().contains("TlsCertificateError"));
    // Vouched for, under another name.
    let client = client(tls.certificate.clone()).await;
    assert_eq!(client.fetch(url("127.0.0.1")).await.failed().0, "tls");
    client.fetch(url("localhost")).await.data();
}
