//! Jinja in a scenario: what templates see, and how much they may do.

mod filters;

use std::cell::OnceCell;
use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;

use crate::results;
use crate::scenario::Scenario;
use crate::world::wardian::agent::types::{Message, Request, ToolMessage};

/// Instructions, roughly, of one template; also bounds its memory, to 64 bytes each.
const TEMPLATE_FUEL_MAX: u64 = 2_000_000;
/// What one template may make.
const TEMPLATE_OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Texts and data that templates get to see: parsed, they take many times their size.
const RESULTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Nested blocks and macros. Less than the engine's own bound, which supposes a larger stack than an instance has.
const RECURSION_DEPTH_MAX: usize = 100;

/// Stands between what the prelude prints, which is dropped, and the template. No white space, so `{%-` keeps it.
const MARK: char = '\u{1e}';

/// The engine, set up for one scenario.
pub struct Templates {
    engine: Environment<'static>,
    /// With the mark after it, ready to be put in front.
    prelude: String,
    /// Whether texts and inputs are templates. `when` always is an expression.
    enabled: bool,
}

impl Templates {
    /// Checks the syntax of everything that will be rendered, so that a mistake shows before the first turn.
    pub fn new(scenario: &Scenario) -> Result<Templates, String> {
        let mut engine = Environment::new();
        engine.set_fuel(Some(TEMPLATE_FUEL_MAX));
        engine.set_recursion_limit(RECURSION_DEPTH_MAX);
        // What a tool did not say is empty, however deep one asks for it.
        engine.set_undefined_behavior(UndefinedBehavior::Chainable);
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
        engine.set_syntax(syntax.build().map_err(|error| error.to_string())?);
        filters::add(&mut engine);

        let prelude = scenario.prelude.as_ref().map_or_else(String::new, |prelude| format!("{}{MARK}\n", prelude.0));
        let templates = Templates { engine, prelude, enabled: scenario.template };
        templates.check(scenario).map_err(|problem| format!("the scenario is not valid: {problem}"))?;
        Ok(templates)
    }

    fn check(&self, scenario: &Scenario) -> Result<(), String> {
        let template = |place: String, text: &str| {
            if self.enabled && is_template(text) {
                let checked = self.engine.template_from_str(text).map(drop);
                return checked.map_err(|error| format!("{place}: {}", self.describe(&error, 0)));
            }
            Ok(())
        };
        let expression = |place: String, text: &str| {
            let checked = self.engine.compile_expression(text).map(drop);
            checked.map_err(|error| format!("{place}: {}", self.describe(&error, 0)))
        };
        if let Some(prelude) = &scenario.prelude {
            let checked = self.engine.template_from_str(&prelude.0).map(drop);
            checked.map_err(|error| format!("prelude: {}", self.describe(&error, 0)))?;
        }
        if let Some(compact) = &scenario.compact {
            template("compact".into(), &compact.0)?;
        }
        for (index, turn) in scenario.turns.iter().enumerate() {
            let turn_number = index + 1;
            if let Some(when) = &turn.when {
                expression(format!("turn {turn_number}, when"), &when.0)?;
            }
            for (key, lines) in [("reasoning", &turn.reasoning), ("text", &turn.text)] {
                if let Some(lines) = lines {
                    template(format!("turn {turn_number}, {key}"), &lines.0)?;
                }
            }
            for (index, call) in turn.calls.iter().enumerate() {
                let place = format!("turn {turn_number}, call {}", index + 1);
                if let Some(when) = &call.when {
                    expression(format!("{place}, when"), &when.0)?;
                }
                each_string(&call.input, &mut |text| template(format!("{place}, input"), text))?;
            }
        }
        Ok(())
    }

    /// What the templates of one request see.
    pub fn scene<'a>(&'a self, request: &'a Request) -> Scene<'a> {
        Scene { templates: self, request, context: OnceCell::new() }
    }

    /// Kind, detail and line. Lines of what was put in front of a template are not counted.
    fn describe(&self, error: &minijinja::Error, lines_before: usize) -> String {
        let mut said = match (error.kind(), error.detail()) {
            (ErrorKind::OutOfFuel, _) => {
                format!("it works too long: template-fuel-max is {TEMPLATE_FUEL_MAX}")
            }
            (kind, Some(detail)) => format!("{kind}: {detail}"),
            (kind, None) => kind.to_string(),
        };
        match error.line() {
            Some(line) if line > lines_before => said.push_str(&format!(" (line {})", line - lines_before)),
            Some(line) => said.push_str(&format!(" (line {line} of the prelude)")),
            None => {}
        }
        said
    }
}

/// The templates of a scenario before one request.
pub struct Scene<'a> {
    templates: &'a Templates,
    request: &'a Request,
    /// Made when the first template needs it: a plain scenario never pays for it.
    context: OnceCell<Value>,
}

impl Scene<'_> {
    /// A text with its templates filled in.
    pub fn text(&self, text: &str) -> Result<String, String> {
        if self.templates.enabled && is_template(text) { self.render(text) } else { Ok(text.to_owned()) }
    }

    /// A JSON value with the templates in its strings filled in. Keys stay as they are.
    pub fn value(&self, value: &Json) -> Result<Json, String> {
        Ok(match value {
            Json::String(text) => Json::String(self.text(text)?),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?),
            Json::Object(map) => {
                let filled = map.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                Json::Object(filled.collect::<Result<_, String>>()?)
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
        })
    }

    /// Whether an expression holds. It sees what the prelude defines, as texts do.
    pub fn is_true(&self, expression: &str) -> Result<bool, String> {
        Ok(!self.render(&format!("{{% if ({expression}\n) %}}1{{% endif %}}"))?.is_empty())
    }

    fn render(&self, text: &str) -> Result<String, String> {
        let Templates { engine, prelude, .. } = self.templates;
        let lines_before = prelude.matches('\n').count();
        let source = format!("{prelude}{text}");
        let context = self.context()?;
        let mut output = Bounded::default();
        let rendered = engine
            .template_from_str(&source)
            .and_then(|template| template.render_captured_to(context, &mut output).map(drop));
        if output.full {
            return Err(format!("it makes more than template-output-bytes-max, {TEMPLATE_OUTPUT_BYTES_MAX}"));
        }
        rendered.map_err(|error| self.templates.describe(&error, lines_before))?;
        let text = String::from_utf8(output.bytes).map_err(|error| error.to_string())?;
        if prelude.is_empty() {
            return Ok(text);
        }
        let (_, text) = text.split_once(MARK).unwrap_or(("", &text));
        Ok(text.strip_prefix('\n').unwrap_or(text).to_owned())
    }

    fn context(&self) -> Result<Value, String> {
        if let Some(context) = self.context.get() {
            return Ok(context.clone());
        }
        let messages: &[Message] = &self.request.messages;
        let bytes: usize = results::tools(messages).map(result_bytes).sum();
        if bytes > RESULTS_BYTES_MAX {
            return Err(format!("the results have {bytes} bytes, results-bytes-max is {RESULTS_BYTES_MAX}"));
        }
        let results: Vec<Value> = results::tools(messages).map(result_value).collect();
        let newest = |count: usize| Value::from(results[results.len().saturating_sub(count)..].to_vec());
        let context = Value::from_pairs([
            ("last", newest(results::last(messages).count())),
            ("run", newest(results::run(messages).count())),
            ("results", Value::from(results.clone())),
            ("prompt", Value::from(results::prompt(messages))),
            ("tools", self.request.tools.iter().map(|tool| Value::from(tool.name.as_str())).collect()),
        ]);
        Ok(self.context.get_or_init(|| context).clone())
    }
}

/// Output up to a bound.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > TEMPLATE_OUTPUT_BYTES_MAX {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Saves the engine from texts that it would only copy.
fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|open| text.contains(open))
}

fn each_string(value: &Json, visit: &mut impl FnMut(&str) -> Result<(), String>) -> Result<(), String> {
    match value {
        Json::String(text) => visit(text),
        Json::Array(items) => items.iter().try_for_each(|item| each_string(item, visit)),
        Json::Object(map) => map.values().try_for_each(|item| each_string(item, visit)),
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(()),
    }
}

fn result_bytes(message: &ToolMessage) -> usize {
    match &message.result {
        Ok(outcome) => results::text_bytes(outcome) + outcome.data.as_ref().map_or(0, String::len),
        Err(error) => error.message.len(),
    }
}

/// `{tool, text, data, error}`: `error` is none exactly if the tool succeeded.
fn result_value(message: &ToolMessage) -> Value {
    let (text, data, error) = match &message.result {
        Ok(outcome) => {
            let data = outcome.data.as_deref().and_then(|data| serde_json::from_str(data).ok());
            (results::text(outcome), data.as_ref().map_or(Value::from(()), value), Value::from(()))
        }
        Err(error) => (String::new(), Value::from(()), Value::from(error.message.as_str())),
    };
    let tool = Value::from(message.tool.as_str());
    Value::from_pairs([("tool", tool), ("text", Value::from(text)), ("data", data), ("error", error)])
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(bool) => Value::from(*bool),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(key, item)| (key.as_str(), value(item)))),
    }
}
