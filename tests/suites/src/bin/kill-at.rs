//! `kill-at N PROGRAM ARGUMENT..`: runs a program and kills it (SIGKILL) right before its N-th system call that changes a
//! file, counted from 1 over all of its threads and processes.
//!
//! Exit status: 0 if it was killed, 9 if it ended by itself before that; its own status is then on stderr.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<std::process::ExitCode> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    panic!("system calls can be counted on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, ExitCode};

    use anyhow::{Context, Result, bail};
    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::ptrace::{self, Options};
    use nix::sys::signal::{self, Signal};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::Pid;

    const ENDED_BY_ITSELF: u8 = 9;

    pub fn main() -> Result<ExitCode> {
        let mut arguments = std::env::args_os().skip(1);
        let n: u64 = arguments
            .next()
            .and_then(|n| n.to_str()?.parse().ok())
            .filter(|n| *n > 0)
            .context("the first argument is a number from 1 on")?;
        let mut command = Command::new(arguments.next().context("the second argument is a program")?);
        command.args(arguments);
        // SAFETY: between fork and exec nothing but a system call is made.
        unsafe { command.pre_exec(|| ptrace::traceme().map_err(std::io::Error::from)) };
        let child = command.spawn().context("cannot start the program")?;
        let child = Pid::from_raw(i32::try_from(child.id())?);

        // Stopped at its exec.
        waitpid(child, Some(WaitPidFlag::__WALL))?;
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(child, options)?;
        ptrace::syscall(child, None)?;
        follow(child, n)
    }

    /// Lets everything go on from stop to stop, until the count is reached or nobody is left.
    fn follow(child: Pid, n: u64) -> Result<ExitCode> {
        let mut count = 0;
        // Each system call stops twice: at its entry and at its exit.
        let mut inside: HashMap<Pid, bool> = HashMap::new();
        loop {
            let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
                Ok(status) => status,
                Err(Errno::ECHILD) => bail!("the program is gone, and its end was not seen"),
                Err(error) => return Err(error.into()),
            };
            let go_on = |pid, signal| match ptrace::syscall(pid, signal) {
                // It ended meanwhile: there will be word of it.
                Err(Errno::ESRCH) | Ok(()) => Ok(()),
                Err(error) => Err(error),
            };
            match status {
                WaitStatus::PtraceSyscall(pid) => {
                    let entered = inside.entry(pid).or_default();
                    *entered = !*entered;
                    if *entered && changes_a_file(pid) {
                        count += 1;
                        if count == n {
                            // The whole program, before the call takes place.
                            signal::kill(child, Signal::SIGKILL)?;
                            while waitpid(None, Some(WaitPidFlag::__WALL)).is_ok() {}
                            return Ok(ExitCode::SUCCESS);
                        }
                    }
                    go_on(pid, None)?;
                }
                WaitStatus::Stopped(pid, signal) => {
                    // A new thread begins with a stop that is no signal of its own.
                    let own = (signal != Signal::SIGSTOP && signal != Signal::SIGTRAP).then_some(signal);
                    go_on(pid, own)?;
                }
                WaitStatus::PtraceEvent(pid, ..) => go_on(pid, None)?,
                WaitStatus::Exited(pid, code) if pid == child => {
                    eprintln!("kill-at: ended by itself after {count} changes with status {code}");
                    return Ok(ExitCode::from(ENDED_BY_ITSELF));
                }
                WaitStatus::Signaled(pid, signal, _) if pid == child => bail!("ended by {signal}"),
                _ => {}
            }
        }
    }

    /// Whether the system call that a thread is about to make may change a file or a folder.
    fn changes_a_file(pid: Pid) -> bool {
        let Ok(info) = ptrace::syscall_info(pid) else { return false };
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return false;
        }
        // SAFETY: `op` says that this is what is there.
        let entry = unsafe { info.u.entry };
        let flags =
            |at: usize| entry.args.get(at).is_some_and(|flags| *flags & (libc::O_CREAT | libc::O_TRUNC) as u64 != 0);
        let number = entry.nr as i64;
        #[cfg(target_arch = "x86_64")]
        if number == libc::SYS_open {
            return flags(1);
        }
        #[cfg(target_arch = "x86_64")]
        if [libc::SYS_rename, libc::SYS_unlink, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_symlink, libc::SYS_link]
            .contains(&number)
        {
            return true;
        }
        if number == libc::SYS_openat {
            return flags(2);
        }
        [
            libc::SYS_openat2,
            libc::SYS_write,
            libc::SYS_writev,
            libc::SYS_pwrite64,
            libc::SYS_pwritev,
            libc::SYS_pwritev2,
            libc::SYS_copy_file_range,
            libc::SYS_sendfile,
            libc::SYS_ftruncate,
            libc::SYS_truncate,
            libc::SYS_renameat2,
            libc::SYS_renameat,
            libc::SYS_unlinkat,
            libc::SYS_mkdirat,
            libc::SYS_symlinkat,
            libc::SYS_linkat,
            libc::SYS_fchmod,
            libc::SYS_fchmodat,
            libc::SYS_utimensat,
            libc::SYS_fsync,
            libc::SYS_fdatasync,
        ]
        .contains(&number)
    }
}
