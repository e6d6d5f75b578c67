//! The file tools: Read, Write, Edit, MultiEdit, Glob, Grep, ListDir.
//!
//! They reach files through std alone, so their powers are what the host mounts at `/workspace` and `/tmp`. Each
//! tool is a module: its input, its description, and a function from a [`Project`](project::Project) and an input to
//! an outcome, which tests run in a directory of their own.

mod edit;
mod glob;
mod grep;
mod image;
mod list_dir;
mod project;
mod read;
mod store;
mod text;
mod walk;
mod write;

use project::{Project, Result};
use tool_kit::{Context, Tool};

tool_kit::export!([
    Tool::new("Read", read::DESCRIPTION, mounted(read::read)).reads_files(),
    Tool::new("Write", write::DESCRIPTION, mounted(write::write)).writes_files(),
    Tool::new("Edit", edit::EDIT_DESCRIPTION, mounted(edit::edit)).writes_files(),
    Tool::new("MultiEdit", edit::MULTI_EDIT_DESCRIPTION, mounted(edit::multi_edit)).writes_files(),
    Tool::new("Glob", glob::DESCRIPTION, mounted(glob::glob)).reads_files(),
    Tool::new("Grep", grep::DESCRIPTION, mounted(grep::grep)).reads_files(),
    Tool::new("ListDir", list_dir::DESCRIPTION, mounted(list_dir::list_dir)).reads_files(),
]);

/// Runs a tool where the host mounts the files.
fn mounted<I>(run: fn(&Project, I) -> Result) -> impl Fn(I, &Context) -> Result {
    move |input, _| run(&Project::mounted(), input)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};
    use tool_kit::{FileAccess, ToolCall, ToolError};

    /// The table of the command line's contract: names, fields, which are needed.
    #[test]
    fn inputs_are_those_of_the_contract() {
        let expected = [
            ("Read", FileAccess::Read, "file_path", "offset limit"),
            ("Write", FileAccess::Write, "file_path content", ""),
            ("Edit", FileAccess::Write, "file_path old_string new_string", "replace_all"),
            ("MultiEdit", FileAccess::Write, "file_path edits", ""),
            ("Glob", FileAccess::Read, "pattern", "path"),
            ("Grep", FileAccess::Read, "pattern", "path glob type output_mode -A -B -C -i -n multiline head_limit"),
            ("ListDir", FileAccess::Read, "path", ""),
        ];
        let tools = tool_kit::list(&crate::tools());
        assert_eq!(tools.len(), expected.len());
        for (tool, (name, files, needed, optional)) in tools.iter().zip(expected) {
            assert_eq!((tool.name.as_str(), tool.powers.files), (name, files));
            assert!(tool.powers.net.is_empty() && tool.powers.process.is_empty(), "{name}");
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
    fn unknown_fields_are_refused() {
        let input = r#"{"path": ".", "depth": 2}"#.to_owned();
        let call = ToolCall { id: "c".into(), tool: "ListDir".into(), input };
        match tool_kit::call(&crate::tools(), &call) {
            Err(ToolError::InvalidInput(error)) => assert_eq!(error.pointer, "/depth"),
            other => panic!("{other:?}"),
        }
    }
}
