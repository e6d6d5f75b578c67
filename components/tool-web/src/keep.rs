//! Files below `/tmp`, for what is too long for a result, or no text.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::PathBuf;

use url::Url;

/// Characters of a name that come from the URL: enough to know it again.
const NAME_CHARS_MAX: usize = 60;

/// Where files are kept.
pub struct Keep {
    /// The folder as the file system has it.
    folder: PathBuf,
}

/// How results name the folder.
const SHOWN: &str = "/tmp/web";

impl Keep {
    /// In the session's scratch folder.
    pub fn mounted() -> Self {
        Self { folder: SHOWN.into() }
    }

    #[cfg(test)]
    pub fn within(folder: &std::path::Path) -> Self {
        Self { folder: folder.join("web") }
    }

    /// Keeps `bytes`, which came from `url`, and says where. Whoever looks sees the whole file or none.
    ///
    /// # Errors
    /// What the file system says: it is full, or not lent.
    pub fn keep(&self, url: &Url, extension: &str, bytes: &[u8]) -> io::Result<String> {
        fs::create_dir_all(&self.folder)?;
        // Calls run at once, and know nothing of each other. A state of the map hashes nothing to another number each time.
        let number = RandomState::new().build_hasher().finish() as u32;
        let name = format!("{}-{number:08x}.{extension}", stem(url));
        let temporary = self.folder.join(format!(".{name}.tmp"));
        let done = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, self.folder.join(&name)));
        if done.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        done.map(|()| format!("{SHOWN}/{name}"))
    }
}

/// What of a URL can be in a file name: its host, and the last part of its path.
fn stem(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut parts| parts.rfind(|part| !part.is_empty())).unwrap_or_default();
    let last = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let mut stem = url.host_str().unwrap_or_default().to_owned();
    if !last.is_empty() {
        stem = format!("{stem}-{last}");
    }
    let fine = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' };
    let stem: String = stem.chars().take(NAME_CHARS_MAX).map(fine).collect();
    stem.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_whatever_the_url() {
        for (url, name) in [
            ("https://example.org/", "example.org"),
            ("https://example.org/a/b.tar.gz?x=/etc", "example.org-b.tar"),
            ("http://[::1]:80/%2e%2e/%00a/", "1---00a"),
            ("https://example.org/..%2f..%2fetc%2fpasswd", "example.org-..-2f"),
            ("https://example.org/ä b", "example.org--C3-A4-20b"),
        ] {
            assert_eq!(stem(&Url::parse(url).unwrap()), name, "{url}");
        }
        let long = Url::parse(&format!("https://example.org/{}", "x".repeat(500))).unwrap();
        assert_eq!(stem(&long).len(), NAME_CHARS_MAX);
    }

    #[test]
    fn each_file_is_whole_and_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::within(folder.path());
        let url = Url::parse("https://example.org/a.pdf").unwrap();
        let (one, two) = (keep.keep(&url, "pdf", b"1").unwrap(), keep.keep(&url, "pdf", b"2").unwrap());
        assert_ne!(one, two);
        let name = one.strip_prefix("/tmp/web/example.org-a-").unwrap();
        assert!(name.ends_with(".pdf"), "{name}");
        let real = folder.path().join("web").join(one.strip_prefix("/tmp/web/").unwrap());
        assert_eq!(fs::read(real).unwrap(), b"1");
        assert_eq!(fs::read_dir(folder.path().join("web")).unwrap().count(), 2, "a temporary file is left");
    }

    #[test]
    fn a_folder_that_is_not_lent_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(Keep::within(&file).keep(&Url::parse("http://a.test").unwrap(), "md", b"").is_err());
    }
}
