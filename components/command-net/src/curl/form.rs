//! `-F`: what a browser sends for a form with files in it.

use crate::content::Content;

/// A part of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    name: String,
    content: Content,
    file_name: Option<String>,
    media_type: Option<String>,
}

/// By the ending of a file's name, as curl has them.
const TYPES: [(&str, &str); 11] = [
    (".gif", "image/gif"),
    (".jpg", "image/jpeg"),
    (".jpeg", "image/jpeg"),
    (".png", "image/png"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain"),
    (".htm", "text/html"),
    (".html", "text/html"),
    (".pdf", "application/pdf"),
    (".xml", "application/xml"),
    (".json", "application/json"),
];

fn type_of(file: &str) -> &'static str {
    let file = file.to_ascii_lowercase();
    TYPES.iter().find(|(ending, _)| file.ends_with(ending)).map_or("application/octet-stream", |(_, kind)| kind)
}

/// Takes a value, perhaps in quotation marks, up to the next `;`.
fn word(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if is_escaped => {
                value.push(c);
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

impl Field {
    /// `name=content`, `name=@file`, `name=<file`, each with `;type=` and `;filename=`.
    pub fn read(given: &str) -> Result<Self, String> {
        let (name, rest) = given.split_once('=').ok_or_else(|| format!("-F {given:?}: there is no `=` in it"))?;
        let mut field = Self { name: name.to_owned(), content: Content::default(), file_name: None, media_type: None };
        let opened = |path: &str| {
            Content::file(path).map_err(|error| format!("-F: cannot open {path}: {}", crate::reason(&error)))
        };
        let mut rest = if let Some(file) = rest.strip_prefix('@') {
            let (path, rest) = word(file);
            if path.contains(',') && !file.starts_with('"') {
                return Err(format!("-F {given:?}: one file for each -F, please"));
            }
            field.content = opened(&path)?;
            field.file_name = Some(path.rsplit('/').next().unwrap_or_default().to_owned());
            field.media_type = Some(type_of(&path).to_owned());
            rest
        } else if let Some(file) = rest.strip_prefix('<') {
            let (path, rest) = word(file);
            field.content = opened(&path)?;
            rest
        } else {
            let (content, rest) = word(rest);
            field.content = Content::bytes(content);
            rest
        };
        while let Some(more) = rest.strip_prefix(';') {
            let (key, value) =
                more.trim_start().split_once('=').ok_or_else(|| format!("-F {given:?}: what is {more:?}?"))?;
            // A media type has parameters after a `;` of its own.
            let (value, mut left) = word(value);
            match key {
                "type" => {
                    let mut kind = value;
                    while let Some(parameter) = left.strip_prefix(';') {
                        let name = parameter.trim_start().split('=').next().unwrap_or_default();
                        if matches!(name, "filename" | "type" | "headers" | "encoder") {
                            break;
                        }
                        let (value, after) = word(parameter);
                        kind.push_str(&format!(";{value}"));
                        left = after;
                    }
                    field.media_type = Some(kind);
                }
                "filename" => field.file_name = Some(value),
                other => return Err(format!("-F {given:?}: `;{other}=` is not supported in this sandbox")),
            }
            rest = left;
        }
        Ok(field)
    }

    /// `--form-string`: nothing in it means anything.
    pub fn text(given: &str) -> Result<Self, String> {
        let (name, content) =
            given.split_once('=').ok_or_else(|| format!("--form-string {given:?}: there is no `=` in it"))?;
        Ok(Self { name: name.to_owned(), content: Content::bytes(content), file_name: None, media_type: None })
    }
}

fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// The whole form, with what stands between its parts.
pub fn encode(fields: &[Field], boundary: &str) -> Content {
    let mut content = Content::default();
    for field in fields {
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&field.name));
        if let Some(name) = &field.file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(name)));
        }
        if let Some(kind) = &field.media_type {
            head.push_str(&format!("\r\nContent-Type: {}", kind.replace(['\r', '\n'], "")));
        }
        head.push_str("\r\n\r\n");
        content.push(head);
        content.append(field.content.clone());
        content.push("\r\n");
    }
    content.push(format!("--{boundary}--\r\n"));
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(fields: &[Field]) -> String {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut encode(fields, "B").body().unwrap().bytes, &mut text).unwrap();
        text
    }

    #[test]
    fn parts_have_names_files_and_types() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt").display().to_string();
        std::fs::write(&path, "text").unwrap();
        let field = |given: &str| Field::read(given).unwrap();
        let head = "--B\r\nContent-Disposition: form-data; name=\"n\"";
        assert_eq!(sent(&[field("n=a b")]), format!("{head}\r\n\r\na b\r\n--B--\r\n"));
        assert_eq!(
            sent(&[field(&format!("n=@{path}"))]),
            format!("{head}; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\ntext\r\n--B--\r\n")
        );
        assert_eq!(
            sent(&[field(&format!("n=@\"{path}\";type=a/b; charset=c;filename=\"x\\\"y\""))]),
            format!("{head}; filename=\"x%22y\"\r\nContent-Type: a/b; charset=c\r\n\r\ntext\r\n--B--\r\n")
        );
        assert_eq!(sent(&[field(&format!("n=<{path}"))]), format!("{head}\r\n\r\ntext\r\n--B--\r\n"));
        assert_eq!(sent(&[Field::text("n=@x;y").unwrap()]), format!("{head}\r\n\r\n@x;y\r\n--B--\r\n"));
        for wrong in ["n", "n=@/no/such", "n=x;headers=y"] {
            assert!(Field::read(wrong).is_err(), "{wrong}");
        }
    }
}
