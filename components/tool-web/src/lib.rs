//! The tools of the web: WebFetch reads what is at a URL, WebSearch finds URLs.
//!
//! Requests go over `wasi:http`: which of them are allowed, where redirects lead and how long they may take is the host's
//! policy. Neither tool knows a key: the host adds it to requests to the search service. Files are only written below
//! `/tmp`, where what is too long for a result, or no text, is kept. Each tool is a function from a [`network::Web`] and an
//! input to an outcome, which tests run with answers of their own.

mod charset;
mod config;
mod content;
mod fetch;
mod keep;
mod network;
mod page;
mod search;
mod text;

use config::Config;
use keep::Keep;
use network::Network;
use tool_kit::Tool;

tool_kit::export!(offered(Config::read()));

/// WebSearch is there once a service is configured: a tool that can only fail costs a model its attention.
fn offered(config: Config) -> Vec<Tool> {
    let fetch = Tool::new("WebFetch", fetch::DESCRIPTION, |input, _| fetch::fetch(&Network, &Keep::mounted(), input))
        .sends_to(["*"])
        // For /tmp alone; there is no smaller power that has it.
        .writes_files();
    let mut tools = vec![fetch];
    if let Some(service) = config.search {
        let host = service.host();
        let run = move |input, _: &_| search::search(&Network, &service, input);
        tools.push(Tool::new("WebSearch", search::DESCRIPTION, run).sends_to([host.as_str()]));
    }
    tools
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use tool_kit::FileAccess;

    use super::*;

    /// The table of the command line's contract: names, fields, which are needed.
    #[test]
    fn inputs_and_powers_are_those_of_the_contract() {
        let config = Config::from(|key| (key == "search").then(|| "brave".to_owned()));
        let tools = tool_kit::list(&offered(config));
        let expected = [
            ("WebFetch", FileAccess::Write, "*", "url", "prompt"),
            (
                "WebSearch",
                FileAccess::None,
                "api.search.brave.com",
                "query",
                "max_results allowed_domains blocked_domains",
            ),
        ];
        assert_eq!(tools.len(), expected.len());
        for (tool, (name, files, net, needed, optional)) in tools.iter().zip(expected) {
            assert_eq!((tool.name.as_str(), tool.powers.files), (name, files));
            assert_eq!(tool.powers.net, [net], "{name}");
            assert!(tool.powers.process.is_empty() && tool.powers.env.is_empty(), "{name}");
            let schema: Value = serde_json::from_str(&tool.input_schema).unwrap();
            let words = |words: &str| words.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
            let required: BTreeSet<String> = serde_json::from_value(schema["required"].clone()).unwrap();
            assert_eq!(required, words(needed), "{name}");
            let properties: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(properties, &words(needed) | &words(optional), "{name}");
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
            for (field, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{name}: {field} is not described");
            }
        }
    }

    #[test]
    fn without_a_service_there_is_no_search() {
        let tools = tool_kit::list(&offered(Config::from(|_| None)));
        assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["WebFetch"]);
    }
}
