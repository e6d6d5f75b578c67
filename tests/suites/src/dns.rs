//! A name server on loopback that changes its mind, and a resolver that asks it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Name, Packet, Question, ResourceRecord, TYPE};
use wardian_host::{Resolver, Resolving};

/// How long a question waits for its answer, and the server for a look at whether it is to end.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(50);

/// A datagram of DNS without extensions.
const DATAGRAM_BYTES_MAX: usize = 512;

/// Answers each question with the next of its addresses, not to be kept; the last one stays. Ends with the test.
pub struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl NameServer {
    pub fn new(answers: Vec<Ipv4Addr>) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(LOOK)).unwrap();
        let address = socket.local_addr().unwrap();
        let (asked, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, end) = (asked.clone(), ended.clone());
        thread::spawn(move || {
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            while !end.load(Ordering::Acquire) {
                let Ok((bytes, from)) = socket.recv_from(&mut buffer) else { continue };
                let question = Packet::parse(&buffer[..bytes]).expect("a question");
                let number = count.fetch_add(1, Ordering::SeqCst);
                let answer = answers[number.min(answers.len() - 1)];
                let mut reply = Packet::new_reply(question.id());
                for asked in &question.questions {
                    let record = RData::A(A { address: answer.into() });
                    reply.answers.push(ResourceRecord::new(asked.qname.clone(), CLASS::IN, 0, record));
                }
                socket.send_to(&reply.build_bytes_vec().unwrap(), from).unwrap();
            }
        });
        Self { address, asked, ended }
    }

    /// Questions that it got so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub fn resolver(&self) -> Arc<Dns> {
        Arc::new(Dns(self.address))
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// Asks this server for every name, each time anew.
pub struct Dns(SocketAddr);

impl Resolver for Dns {
    fn resolve(&self, host: String, port: u16) -> Resolving {
        let server = self.0;
        Box::pin(async move {
            let failed = |error: simple_dns::SimpleDnsError| io::Error::other(error.to_string());
            let mut question = Packet::new_query(1);
            let name = Name::new(&host).map_err(failed)?;
            question.questions.push(Question::new(name, TYPE::A.into(), CLASS::IN.into(), false));
            let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            socket.send_to(&question.build_bytes_vec().map_err(failed)?, server).await?;
            let mut buffer = [0; DATAGRAM_BYTES_MAX];
            let (bytes, _) = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await??;
            let reply = Packet::parse(&buffer[..bytes]).map_err(failed)?;
            let address = |record: &ResourceRecord<'_>| match &record.rdata {
                RData::A(a) => Some(SocketAddr::new(Ipv4Addr::from(a.address).into(), port)),
                _ => None,
            };
            Ok(reply.answers.iter().filter_map(address).collect())
        })
    }
}
