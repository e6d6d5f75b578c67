//! Brave: <https://api-dashboard.search.brave.com>. The host adds the key as `x-subscription-token`.

use dom_query::Document;
use serde::Deserialize;

use super::{Hit, QUERY_CHARS_MAX, Query, RESULTS_MAX, Result, Service, ask};
use crate::network::{Ask, Web};

pub const BASE: &str = "https://api.search.brave.com";

#[derive(Deserialize)]
struct Answer {
    /// Left out where nothing was found.
    web: Option<Section>,
}

#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    title: String,
    url: String,
    #[serde(default)]
    description: String,
    page_age: Option<String>,
}

pub fn search(web: &impl Web, service: &Service, query: &Query) -> Result<Vec<Hit>> {
    let mut url = service.endpoint("/res/v1/web/search");
    // Not all that comes may be from where it should be.
    let count = if query.is_filtered() { RESULTS_MAX } else { query.results_max };
    url.query_pairs_mut()
        .append_pair("q", &words(query))
        .append_pair("count", &count.to_string())
        .append_pair("text_decorations", "false");
    let headers = &[("accept", "application/json")];
    let answer: Answer = ask(web, service, &Ask { url: &url, headers, json: None })?;
    let hit = |found: Found| Hit {
        title: plain(&found.title),
        url: found.url,
        excerpt: plain(&found.description),
        // A moment; the day is enough.
        date: found.page_age.map(|age| age.split('T').next().unwrap_or_default().to_owned()),
    };
    Ok(answer.web.map(|web| web.results).unwrap_or_default().into_iter().map(hit).collect())
}

/// The query, with the domains as operators where there is room for them.
fn words(query: &Query) -> String {
    let sites: Vec<_> = query.allowed.iter().map(|domain| format!("site:{domain}")).collect();
    let mut words = query.words.to_owned();
    match sites.as_slice() {
        [] => {}
        [site] => words.push_str(&format!(" {site}")),
        sites => words.push_str(&format!(" ({})", sites.join(" OR "))),
    }
    for domain in &query.blocked {
        words.push_str(&format!(" -site:{domain}"));
    }
    if words.chars().count() > QUERY_CHARS_MAX { query.words.to_owned() } else { words }
}

/// The service writes HTML.
fn plain(text: &str) -> String {
    if text.contains(['<', '&']) { Document::fragment(text).text().to_string() } else { text.to_owned() }
}
