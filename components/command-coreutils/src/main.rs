//! The coreutils: uutils' utilities in one component. It goes by the name that it is called.
//!
//! Every utility writes to the process's own streams and ends the process when it likes, so each call is an instance.

mod sort;
mod stat;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use uucore::fs::mode;
use uucore::locale::{self, LocalizationError};

command_kit::program!(run);

/// What uutils' own program says when its texts cannot be read.
const NO_TEXTS: i32 = 99;
const NOT_FOUND: i32 = 127;

macro_rules! utilities {
    ($($name:literal $utility:ident,)*) => {
        /// The utility of that name.
        fn utility(name: &str) -> Option<fn(std::vec::IntoIter<OsString>) -> i32> {
            match name {
                $($name => Some($utility::uumain),)*
                _ => None,
            }
        }
    };
}

utilities! {
    "arch" uu_arch,
    "b2sum" uu_b2sum,
    "base32" uu_base32,
    "base64" uu_base64,
    "basename" uu_basename,
    "basenc" uu_basenc,
    "cat" uu_cat,
    "cksum" uu_cksum,
    "comm" uu_comm,
    "cp" uu_cp,
    "csplit" uu_csplit,
    "cut" uu_cut,
    "date" uu_date,
    "dd" uu_dd,
    "dir" uu_dir,
    "dircolors" uu_dircolors,
    "dirname" uu_dirname,
    "echo" uu_echo,
    "expand" uu_expand,
    "expr" uu_expr,
    "factor" uu_factor,
    "false" uu_false,
    "fmt" uu_fmt,
    "fold" uu_fold,
    "head" uu_head,
    "hostid" uu_hostid,
    "join" uu_join,
    "link" uu_link,
    "ln" uu_ln,
    "ls" uu_ls,
    "md5sum" uu_md5sum,
    "mkdir" uu_mkdir,
    "mktemp" uu_mktemp,
    "mv" uu_mv,
    "nice" uu_nice,
    "nl" uu_nl,
    "nproc" uu_nproc,
    "numfmt" uu_numfmt,
    "od" uu_od,
    "paste" uu_paste,
    "pathchk" uu_pathchk,
    "pr" uu_pr,
    "printenv" uu_printenv,
    "printf" uu_printf,
    "ptx" uu_ptx,
    "pwd" uu_pwd,
    "readlink" uu_readlink,
    "realpath" uu_realpath,
    "rm" uu_rm,
    "rmdir" uu_rmdir,
    "seq" uu_seq,
    "sha1sum" uu_sha1sum,
    "sha224sum" uu_sha224sum,
    "sha256sum" uu_sha256sum,
    "sha384sum" uu_sha384sum,
    "sha512sum" uu_sha512sum,
    "shred" uu_shred,
    "shuf" uu_shuf,
    "sleep" uu_sleep,
    "sort" uu_sort,
    "split" uu_split,
    "sum" uu_sum,
    "tail" uu_tail,
    "tee" uu_tee,
    "[" uu_test,
    "test" uu_test,
    "touch" uu_touch,
    "tr" uu_tr,
    "true" uu_true,
    "truncate" uu_truncate,
    "tsort" uu_tsort,
    "tty" uu_tty,
    "uname" uu_uname,
    "unexpand" uu_unexpand,
    "uniq" uu_uniq,
    "unlink" uu_unlink,
    "vdir" uu_vdir,
    "wc" uu_wc,
    "yes" uu_yes,
}

/// Whose texts a utility has.
fn texts(name: &str) -> &str {
    match name {
        "[" => "test",
        "dir" | "vdir" => "ls",
        _ => name,
    }
}

/// Asked by uutils' `ls`, as patches/uu_ls has it: what `st_mode` is elsewhere.
#[unsafe(no_mangle)]
extern "Rust" fn wardian_mode(path: &Path, metadata: &std::fs::Metadata) -> u32 {
    let kind = match metadata.file_type() {
        kind if kind.is_dir() => mode::S_IFDIR,
        kind if kind.is_symlink() => mode::S_IFLNK,
        kind if kind.is_file() => mode::S_IFREG,
        _ => mode::S_IFCHR,
    };
    kind | command_kit::modes::shown(path, metadata.file_type())
}

/// Called by uutils' `mkdir`, as patches/uu_mkdir has it.
#[unsafe(no_mangle)]
extern "Rust" fn wardian_set_mode(path: &Path, mode: u32) -> io::Result<()> {
    match command_kit::modes::set(path, mode & 0o777) {
        // The host has none for directories.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        result => result,
    }
}

/// Called by uutils' `cp`, as patches/uu_cp has it, for a file that is new.
#[unsafe(no_mangle)]
extern "Rust" fn wardian_copy_mode(from: &Path, to: &Path) {
    // As elsewhere, bits that cannot be set are no reason for a copy to fail.
    let _ = command_kit::modes::copy(from, to);
}

/// Called by uutils' `ln`, `cp` and `mv`, as patches has them.
#[unsafe(no_mangle)]
extern "Rust" fn wardian_symlink(target: &Path, link: &Path) -> io::Result<()> {
    command_kit::links::create(target, link)
}

/// Asked by the crate same-file, as patches has it: what tells whether two names are one file's.
#[unsafe(no_mangle)]
extern "Rust" fn wardian_identity(file: &std::fs::File) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::fstat(file)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn run() -> i32 {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_name).unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    if name == "stat" {
        return stat::run(std::env::args().skip(1));
    }
    let Some(utility) = utility(&name) else {
        eprintln!("{name}: there is no such utility among the coreutils");
        return NOT_FOUND;
    };
    if let Err(error) = locale::setup_localization(texts(&name)) {
        match error {
            LocalizationError::ParseResource { error, snippet } => eprintln!("{name}: {snippet}: {error:?}"),
            other => eprintln!("{name}: {other}"),
        }
        return NO_TEXTS;
    }
    let status = if name == "sort" { sort::run(arguments) } else { utility(arguments.into_iter()) };
    if let Err(error) = io::stdout().flush() {
        eprintln!("{name}: cannot write: {error}");
        return status.max(1);
    }
    status
}
