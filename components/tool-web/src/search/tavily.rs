//! Tavily: <https://docs.tavily.com>. The host adds the key as `authorization: Bearer …`.

use serde::Deserialize;
use serde_json::json;

use super::{Hit, Query, Result, Service, ask};
use crate::network::{Ask, Web};

pub const BASE: &str = "https://api.tavily.com";

#[derive(Deserialize)]
struct Answer {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    title: String,
    url: String,
    #[serde(default)]
    content: String,
    published_date: Option<String>,
}

pub fn search(web: &impl Web, service: &Service, query: &Query) -> Result<Vec<Hit>> {
    let mut body = json!({"query": query.words, "max_results": query.results_max, "search_depth": "basic"});
    for (key, domains) in [("include_domains", &query.allowed), ("exclude_domains", &query.blocked)] {
        if !domains.is_empty() {
            body[key] = json!(domains);
        }
    }
    let url = service.endpoint("/search");
    let headers = &[("accept", "application/json")];
    let answer: Answer = ask(web, service, &Ask { url: &url, headers, json: Some(body.to_string()) })?;
    let hit =
        |found: Found| Hit { title: found.title, url: found.url, excerpt: found.content, date: found.published_date };
    Ok(answer.results.into_iter().map(hit).collect())
}
