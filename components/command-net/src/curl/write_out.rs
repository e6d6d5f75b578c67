//! `--write-out`.

use super::transfer::Report;

/// What goes to stderr (true) and to stdout, in its order.
pub fn pieces(format: &str, report: &Report) -> Vec<(bool, String)> {
    let (mut pieces, mut text, mut to_stderr) = (Vec::new(), String::new(), false);
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = after;
        match c {
            '\\' => {
                let Some(escaped) = after.chars().next() else {
                    text.push('\\');
                    continue;
                };
                rest = &after[escaped.len_utf8()..];
                match escaped {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    other => text.extend(['\\', other]),
                }
            }
            '%' if after.starts_with('%') => {
                text.push('%');
                rest = &after[1..];
            }
            '%' if after.starts_with('{') && after.contains('}') => {
                let end = after.find('}').unwrap_or_default();
                let name = &after[1..end];
                rest = &after[end + 1..];
                if matches!(name, "stderr" | "stdout") {
                    pieces.push((to_stderr, std::mem::take(&mut text)));
                    to_stderr = name == "stderr";
                    continue;
                }
                if name == "onerror" {
                    // What follows is for failures only.
                    if report.status == 0 {
                        break;
                    }
                    continue;
                }
                match variable(name, report) {
                    Some(value) => text.push_str(&value),
                    None => pieces.push((true, format!("curl: unknown --write-out variable: '{name}'\n"))),
                }
            }
            '%' if after.starts_with("header{") && after.contains('}') => {
                let end = after.find('}').unwrap_or_default();
                let name = after["header{".len()..end].to_ascii_lowercase();
                rest = &after[end + 1..];
                let found = report.headers.iter().find(|(known, _)| *known == name);
                text.push_str(found.map_or("", |(_, value)| value));
            }
            c => text.push(c),
        }
    }
    pieces.push((to_stderr, text));
    pieces
}

/// None: it is not known here. How long looking up, connecting and TLS took only the host knows.
fn variable(name: &str, report: &Report) -> Option<String> {
    let seconds = |time: std::time::Duration| format!("{:.6}", time.as_secs_f64());
    let speed = |bytes: u64| (bytes as f64 / report.total.as_secs_f64().max(1e-6)).round().to_string();
    let scheme = || report.url.split(':').next().unwrap_or_default().to_owned();
    Some(match name {
        "http_code" | "response_code" => format!("{:03}", report.code),
        "content_type" => {
            let found = report.headers.iter().find(|(name, _)| name == "content-type");
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        }
        "url" => report.asked.clone(),
        "url_effective" => report.url.clone(),
        "method" => report.method.clone(),
        "scheme" => scheme(),
        "size_download" => report.received.to_string(),
        "size_upload" => report.sent.to_string(),
        "size_header" => report.head_bytes.to_string(),
        "speed_download" => speed(report.received),
        "speed_upload" => speed(report.sent),
        "num_redirects" => report.redirects.to_string(),
        "num_retries" => report.retries.to_string(),
        "num_headers" => report.headers.len().to_string(),
        "redirect_url" => report.leads_to.clone(),
        "time_total" => seconds(report.total),
        "time_starttransfer" => seconds(report.first_byte),
        "time_redirect" => seconds(report.redirect_time),
        "filename_effective" => report.file.clone().unwrap_or_default(),
        "exitcode" => report.status.to_string(),
        "errormsg" => report.error.clone(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_has_variables_headers_and_escapes() {
        let report = Report {
            code: 204,
            received: 5,
            url: "http://a.test/".into(),
            headers: vec![("content-type".into(), "a/b".into())],
            ..Report::default()
        };
        let said = |format: &str| pieces(format, &report);
        let text = "%{http_code} %{size_download}%%\\n%header{Content-Type}|%{content_type}|%{url_effective}";
        assert_eq!(said(text), [(false, "204 5%\na/b|a/b|http://a.test/".to_owned())]);
        assert_eq!(said("a%{stderr}b"), [(false, "a".to_owned()), (true, "b".to_owned())]);
        assert_eq!(said("a%{onerror}b"), [(false, "a".to_owned())]);
        let unknown = said("%{time_connect}x");
        assert!(unknown[0].0 && unknown[0].1.contains("'time_connect'") && unknown[1].1 == "x", "{unknown:?}");
        assert_eq!(said("100% %{open"), [(false, "100% %{open".to_owned())]);
    }
}
