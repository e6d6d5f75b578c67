//! Tools that are trivial, or that misbehave in one way each: for the host's tests and benchmarks.
//!
//! What each one does is its description. None of them asks for a power, except where the name says so.

mod endless;
pub mod files;
mod net;
mod plain;
#[cfg(target_family = "wasm")]
mod raw;
mod walk;

use tool_kit::Tool;

tool_kit::input! {
    /// For the tools that take no input.
    struct Nothing {}

    struct Text {
        text: String,
    }

    struct Size {
        bytes: usize,
    }

    struct Milliseconds {
        ms: u64,
    }

    struct Source {
        path: String,
    }

    struct Target {
        path: String,
        text: String,
    }

    struct Tree {
        path: String,
        /// Look at each file's metadata.
        #[serde(default)]
        stat: bool,
        /// Read each file.
        #[serde(default)]
        read: bool,
    }

    struct Passes {
        /// A file that is there.
        path: String,
        /// How many times it is opened.
        passes: u64,
        /// What is written each time, from the beginning.
        #[serde(default)]
        bytes: usize,
    }

    struct Steps {
        /// In front of every path.
        root: String,
        /// A list of `files::Step`.
        steps: tool_kit::serde_json::Value,
    }

    struct Calls {
        /// A list of `raw::Call`.
        calls: tool_kit::serde_json::Value,
    }
}

tool_kit::export!([
    // These return.
    Tool::new("Echo", "Returns its text.", plain::echo),
    Tool::new("Big", "Returns a text of so many bytes.", plain::big),
    Tool::new("Sleep", "Waits, then says so.", plain::sleep),
    Tool::new("BadData", "Returns data that is no JSON.", plain::bad_data),
    Tool::new("ReadFile", "Reads a file without having asked for the power.", plain::read_file),
    Tool::new("WriteFile", "Writes a file.", plain::write_file).writes_files(),
    Tool::new("Files", "Does things to files, one after the other; the data are the answers.", plain::files)
        .writes_files(),
    Tool::new("RawFiles", "The same, straight through `wasi:filesystem`.", plain::raw_files).writes_files(),
    Tool::new("Env", "Lists the environment and the arguments that it sees.", plain::env),
    Tool::new("Time", "Says the system's time in milliseconds since 1970.", plain::time),
    Tool::new("Progress", "Reports its progress three times.", plain::progress),
    Tool::new("Attach", "Returns an image and a file.", plain::attach),
    Tool::new("Stderr", "Complains on stderr, then fails.", plain::stderr),
    Tool::new("Walk", "Counts the files below a directory.", walk::walk).reads_files(),
    Tool::new("ReadAll", "Reads a file from end to end, again and again.", walk::read_all).reads_files(),
    Tool::new("WriteAll", "Writes over a file, again and again.", walk::write_all).writes_files(),
    Tool::new("Fetch", "Sends a request and says what came back.", net::fetch).sends_to(["*"]),
    Tool::new("FetchUndeclared", "The same, without having asked for the power.", net::fetch),
    // These end the instance.
    Tool::new("Trap", "Panics with the text.", endless::trap),
    Tool::new("Exit", "Exits with status 3.", endless::exit),
    Tool::new("Recurse", "Overflows the stack.", endless::recurse),
    // These never end by themselves.
    Tool::new("Spin", "Computes for ever.", endless::spin),
    Tool::new("Allocate", "Takes and touches memory without end.", endless::allocate),
    Tool::new("Hostcalls", "Reads the clock for ever.", endless::hostcalls),
    Tool::new("FloodStdout", "Prints for ever.", endless::flood_stdout),
    Tool::new("FloodStderr", "Prints to stderr for ever.", endless::flood_stderr),
    Tool::new("FloodProgress", "Reports progress for ever.", endless::flood_progress),
]);

#[cfg(test)]
mod tests {
    use tool_kit::{FileAccess, Outcome, Part, ToolCall, ToolError};

    fn call(tool: &str, input: &str) -> Result<Outcome, ToolError> {
        let call = ToolCall { id: "c".into(), tool: tool.into(), input: input.into() };
        tool_kit::call(&crate::tools(), &call)
    }

    #[test]
    fn few_ask_for_a_power() {
        let list = tool_kit::list(&crate::tools());
        let asking = list.iter().filter(|tool| tool.powers.files != FileAccess::None);
        let asking: Vec<_> = asking.map(|tool| (tool.name.as_str(), tool.powers.files)).collect();
        let expected = [
            ("WriteFile", FileAccess::Write),
            ("Files", FileAccess::Write),
            ("RawFiles", FileAccess::Write),
            ("Walk", FileAccess::Read),
            ("ReadAll", FileAccess::Read),
            ("WriteAll", FileAccess::Write),
        ];
        assert_eq!(asking, expected);
    }

    #[test]
    fn walks_count_what_is_there() {
        let folder = std::env::temp_dir().join(format!("wardian-guests-walk-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("a/b")).unwrap();
        for (path, text) in [("one", "1"), ("a/two", "22"), ("a/b/three", "333")] {
            std::fs::write(folder.join(path), text).unwrap();
        }
        let said = |tool: &str, path: &std::path::Path, more: &str| {
            call(tool, &format!(r#"{{"path": {:?}, {more}}}"#, path.to_str().unwrap()))
        };
        for (how, bytes) in [(r#""stat": false"#, 0), (r#""stat": true"#, 6), (r#""stat": true, "read": true"#, 6)] {
            let expected = Outcome::text(format!("3 files, 2 directories, {bytes} bytes"));
            assert_eq!(said("Walk", &folder, how), Ok(expected), "{how}");
        }
        let one = folder.join("one");
        assert_eq!(said("WriteAll", &one, r#""passes": 2, "bytes": 100000"#), Ok(Outcome::text("wrote 200000 bytes")));
        assert_eq!(said("ReadAll", &one, r#""passes": 3"#), Ok(Outcome::text("read 300000 bytes")));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(said("Walk", &folder, r#""stat": false"#), Err(ToolError::Failed(_))));
    }

    #[test]
    fn trivial_tools_do_what_they_say() {
        assert_eq!(call("Echo", r#"{"text": "x"}"#), Ok(Outcome::text("x")));
        assert_eq!(call("Big", r#"{"bytes": 5}"#), Ok(Outcome::text("xxxxx")));
        assert_eq!(call("Sleep", r#"{"ms": 1}"#), Ok(Outcome::text("slept 1 ms")));
        assert_eq!(call("Stderr", "{}"), Err(ToolError::failed("complained on stderr")));
        assert_eq!(call("Progress", "{}"), Ok(Outcome::text("reported 3 times")));
        let data = call("BadData", "{}").unwrap().data.unwrap();
        assert!(tool_kit::serde_json::from_str::<tool_kit::serde_json::Value>(&data).is_err());
        assert!(matches!(
            call("Attach", "{}").unwrap().parts.as_slice(),
            [Part::Image(image), Part::File(_)] if image.bytes.starts_with(b"\x89PNG\r\n\x1a\n")
        ));
    }

    #[test]
    fn a_file_goes_out_and_comes_back() {
        let path = std::env::temp_dir().join(format!("wardian-guests-{}", std::process::id()));
        let path = path.to_str().unwrap();
        let target = tool_kit::serde_json::json!({"path": path, "text": "kept"}).to_string();
        assert_eq!(call("WriteFile", &target), Ok(Outcome::text("wrote 4 bytes")));
        let source = tool_kit::serde_json::json!({ "path": path }).to_string();
        assert_eq!(call("ReadFile", &source), Ok(Outcome::text("kept")));
        std::fs::remove_file(path).unwrap();
        assert!(matches!(call("ReadFile", &source), Err(ToolError::Failed(_))));
    }

    #[test]
    #[should_panic(expected = "as you wish")]
    fn trap_panics_with_the_text() {
        let _ = call("Trap", r#"{"text": "as you wish"}"#);
    }
}
