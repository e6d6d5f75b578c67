//! The shell's standard input, taken when a command of the script reads, and no sooner: what nobody reads stays with whoever
//! started the shell, and a script that reads nothing does not wait for its end.

use std::sync::Mutex;

use tokio::sync::{mpsc, oneshot};

use crate::bindings::wasi::cli::stdin::get_stdin;
use crate::bindings::wasi::io::streams::InputStream;
use crate::wait::ready;

/// Bytes that are taken at once.
const PIECE_BYTES_MAX: u64 = 64 << 10;

/// Where the next bytes are wanted. None is the end.
pub type Request = oneshot::Sender<Vec<u8>>;

/// What the interpreter finds among the extensions of an execution.
pub type Requests = Mutex<Option<mpsc::Sender<Request>>>;

/// Where to ask, and the work of answering.
pub fn standard() -> (Requests, impl Future<Output = ()>) {
    let (sender, mut receiver) = mpsc::channel::<Request>(1);
    let answer = async move {
        let stream = get_stdin();
        while let Some(request) = receiver.recv().await {
            let bytes = next(&stream).await;
            // Who asked may be gone: the script has ended.
            let _ = request.send(bytes);
        }
    };
    (Mutex::new(Some(sender)), answer)
}

async fn next(stream: &InputStream) -> Vec<u8> {
    loop {
        match stream.read(PIECE_BYTES_MAX) {
            Ok(bytes) if bytes.is_empty() => ready(stream.subscribe()).await,
            Ok(bytes) => return bytes,
            Err(_) => return Vec::new(),
        }
    }
}
