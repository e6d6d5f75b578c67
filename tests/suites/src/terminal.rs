//! A terminal with the binary at its other end, and a person who reads and types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::process::{PATIENCE, until};

/// What a terminal sends for Ctrl-C and Ctrl-D.
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";

const LOOK: Duration = Duration::from_millis(5);

pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// Ends when nothing has the other end open any more.
    reader: JoinHandle<()>,
    /// How much of the screen [`Terminal::sees`] has gone past.
    read: usize,
}

impl Terminal {
    /// Starts a command with a new terminal as its controlling one, so that Ctrl-C reaches it as a signal.
    pub fn new(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(&*name, flags, Mode::empty()).unwrap();
        tcsetwinsize(&ours, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let stdio = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        command.stdin(stdio(&theirs)).stdout(stdio(&theirs)).stderr(stdio(&theirs)).env("TERM", "xterm");
        // SAFETY: two system calls, which may be made between fork and exec.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        // The command holds further copies: with them open, reading would not end with the process.
        drop(command);
        drop(theirs);
        let keyboard = File::from(ours);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut from, shown) = (keyboard.try_clone().unwrap(), screen.clone());
        let reader = thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                shown.lock().unwrap().extend(&buffer[..read]);
            }
        });
        Self { child, keyboard, screen, reader, read: 0 }
    }

    /// Everything that was shown so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until this is shown, after what was waited for before.
    #[track_caller]
    pub fn sees(&mut self, text: &str) {
        let start = Instant::now();
        loop {
            let shown = self.screen.lock().unwrap().clone();
            let new = &shown[self.read..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.read += at + text.len();
                return;
            }
            let new = String::from_utf8_lossy(new);
            assert!(start.elapsed() < PATIENCE, "waited in vain for {text:?}; shown instead: {new}");
            thread::sleep(LOOK);
        }
    }

    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the end and returns the exit status.
    #[track_caller]
    pub fn ends(mut self) -> (Option<i32>, String) {
        let status = until("the end of the process", || self.child.try_wait().unwrap());
        until("the end of what it shows", || self.reader.is_finished().then_some(()));
        (status.code(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
