//! The page's files: those that the binary carries, or those of a folder.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use super::{Body, full, text};
use crate::embedded::{self, Served};
use crate::failure::Failure;

/// Bytes of a file in a folder; Python has a fifth of this.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Where a path ends in nothing.
const INDEX: &str = "index.html";

pub enum Site {
    Embedded(HashMap<&'static str, &'static Served>),
    Folder(PathBuf),
}

/// A file, ready to be sent.
struct Found {
    bytes: Bytes,
    encoding: Option<&'static str>,
    tag: String,
}

impl Site {
    pub fn embedded() -> Result<Self, Failure> {
        let files: HashMap<_, _> = embedded::PAGE.iter().map(|file| (file.path, file)).collect();
        if files.contains_key(INDEX) {
            return Ok(Self::Embedded(files));
        }
        Err(Failure::failed("this wardian was built without the page").hint("build it with: cargo xtask build"))
    }

    pub fn folder(folder: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::usage(format!("--site {}: {why}", folder.display()));
        let found = std::fs::canonicalize(folder).map_err(|error| wrong(error.to_string()))?;
        if !found.join(INDEX).is_file() {
            return Err(wrong(format!("there is no {INDEX} in it")));
        }
        Ok(Self::Folder(found))
    }

    pub async fn answer<T>(&self, request: &Request<T>) -> Response<Body> {
        let path = request.uri().path().trim_start_matches('/');
        let path = if path.is_empty() { INDEX } else { path };
        let accepts = accepts(request.headers());
        let found = match self {
            Self::Embedded(files) => match files.get(path) {
                Some(file) => unpacked(file, accepts),
                None => Ok(None),
            },
            Self::Folder(folder) => read(folder, path, accepts).await,
        };
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => return text(StatusCode::NOT_FOUND, "there is nothing here"),
            Err(error) => return text(StatusCode::INTERNAL_SERVER_ERROR, &error),
        };
        let is_known = request.headers().get_all(header::IF_NONE_MATCH).iter().any(|known| {
            let mut tags = known.to_str().unwrap_or_default().split(',');
            tags.any(|tag| tag.trim().trim_start_matches("W/") == found.tag)
        });
        let length = found.bytes.len();
        let body = if is_known || request.method() == Method::HEAD { Bytes::new() } else { found.bytes };
        let mut response = Response::new(full(body));
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        // Asked about each time, which costs nothing on loopback: no part of an earlier version is ever mixed in.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        if let Ok(tag) = HeaderValue::from_str(&found.tag) {
            headers.insert(header::ETAG, tag);
        }
        if let Some(encoding) = found.encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        if !is_known && request.method() == Method::HEAD {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

/// Two contents of one file have tags of their own, as HTTP wants it.
fn tag(digest: &str, encoding: Option<&str>) -> String {
    match encoding {
        Some(encoding) => format!("\"{digest}-{encoding}\""),
        None => format!("\"{digest}\""),
    }
}

/// Whether the other side takes Brotli.
fn accepts(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().any(|value| {
        value.to_str().unwrap_or_default().split(',').any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let quality = quality.trim().strip_prefix("q=").and_then(|quality| quality.trim().parse::<f32>().ok());
            name.trim().eq_ignore_ascii_case("br") && quality.is_some_and(|quality| quality > 0.0)
        })
    })
}

fn unpacked(file: &'static Served, accepts_brotli: bool) -> Result<Option<Found>, String> {
    if file.is_brotli && accepts_brotli {
        let bytes = Bytes::from_static(file.content);
        return Ok(Some(Found { bytes, encoding: Some("br"), tag: tag(file.digest, Some("br")) }));
    }
    let bytes = if file.is_brotli {
        let mut plain = Vec::with_capacity(file.bytes as usize);
        let reader = brotli_decompressor::Decompressor::new(file.content, 64 << 10);
        reader
            .take(file.bytes)
            .read_to_end(&mut plain)
            .map_err(|error| format!("{} cannot be unpacked: {error}", file.path))?;
        Bytes::from(plain)
    } else {
        Bytes::from_static(file.content)
    };
    Ok(Some(Found { bytes, encoding: None, tag: tag(file.digest, None) }))
}

async fn read(folder: &Path, path: &str, accepts_brotli: bool) -> Result<Option<Found>, String> {
    // Plain names only: what is no such name is not below the folder, or not one of the page's.
    let is_plain = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !path.split('/').all(is_plain) {
        return Ok(None);
    }
    let plain = folder.join(path);
    let twin = folder.join(format!("{path}.br"));
    let (file, encoding) = match tokio::fs::try_exists(&twin).await {
        Ok(true) if accepts_brotli => (twin, Some("br")),
        _ => (plain, None),
    };
    // Links are followed as whoever made the folder meant them, out of it not.
    let file = match tokio::fs::canonicalize(&file).await {
        Ok(file) if file.starts_with(folder) => file,
        _ => return Ok(None),
    };
    match tokio::fs::metadata(&file).await {
        Ok(data) if data.is_file() && data.len() <= FILE_BYTES_MAX => {}
        Ok(data) if data.is_file() => return Err(format!("{path} has more than {FILE_BYTES_MAX} bytes")),
        _ => return Ok(None),
    }
    let bytes = tokio::fs::read(&file).await.map_err(|error| format!("{path} cannot be read: {error}"))?;
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Found { bytes: bytes.into(), encoding, tag: tag(&digest, encoding) }))
}

/// The page has files of these kinds, and of no other.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn request(path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri(path);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    async fn get(site: &Site, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
        let (parts, body) = site.answer(&request(path, headers)).await.into_parts();
        (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    fn folder() -> (tempfile::TempDir, Site) {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join("site");
        std::fs::create_dir_all(site.join("a")).unwrap();
        std::fs::write(root.path().join("secret"), "s").unwrap();
        std::fs::write(site.join("index.html"), "<p>").unwrap();
        std::fs::write(site.join("a/b.wasm"), "plain").unwrap();
        std::fs::write(site.join("a/b.wasm.br"), "small").unwrap();
        std::fs::write(site.join(".hidden"), "h").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path().join("secret"), site.join("link")).unwrap();
        let found = Site::folder(&site).unwrap();
        (root, found)
    }

    #[tokio::test]
    async fn files_with_their_types_and_encodings() {
        let (_root, site) = folder();
        let (status, headers, body) = get(&site, "/", &[]).await;
        assert_eq!((status, body.as_slice()), (200, &b"<p>"[..]));
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        let (_, headers, body) = get(&site, "/a/b.wasm?x=1", &[("accept-encoding", "gzip, br;q=0.5")]).await;
        assert_eq!((body.as_slice(), headers["content-encoding"].to_str().unwrap()), (&b"small"[..], "br"));
        assert_eq!(headers["content-type"], "application/wasm");
        for plain in ["gzip", "br;q=0", "identity", "brr"] {
            let (_, headers, body) = get(&site, "/a/b.wasm", &[("accept-encoding", plain)]).await;
            assert_eq!((body.as_slice(), headers.get("content-encoding")), (&b"plain"[..], None), "{plain}");
        }
    }

    #[tokio::test]
    async fn what_is_known_is_not_sent_again() {
        let (_root, site) = folder();
        let (_, headers, _) = get(&site, "/a/b.wasm", &[]).await;
        let tag = headers["etag"].to_str().unwrap();
        let (status, again, body) = get(&site, "/a/b.wasm", &[("if-none-match", tag)]).await;
        assert_eq!((status, body.len(), again["etag"].to_str().unwrap()), (304, 0, tag));
        let (status, ..) = get(&site, "/a/b.wasm", &[("if-none-match", tag), ("accept-encoding", "br")]).await;
        assert_eq!(status, 200);
    }

    #[tokio::test]
    async fn nothing_but_the_folders_files() {
        let (_root, site) = folder();
        for path in
            ["/../secret", "/a/../../secret", "/%2e%2e/secret", "/link", "/.hidden", "/a", "/a/", "//etc/passwd", "/x"]
        {
            assert_eq!(get(&site, path, &[]).await.0, 404, "{path}");
        }
    }
}
