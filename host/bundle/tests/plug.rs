//! A tool in the workspace: whatever it asks files of, it gets the workspace's.

use wardian_bundle::{Error, digest, inspect, plug, plug_key, validate};

/// A small workspace: descriptors of its own, which give streams of the host.
fn workspace() -> Vec<u8> {
    component(
        r#"(component
            (import "wasi:io/streams@0.2.6" (instance $io (export "input-stream" (type (sub resource)))))
            (alias export $io "input-stream" (type $stream))
            (import "wasi:filesystem/types@0.2.6" (instance $host (export "descriptor" (type (sub resource)))))
            (core module $m
                (func (export "size") (param i32) (result i32) i32.const 7)
                (func (export "read") (param i32) (result i32) unreachable)
                (func (export "root") (result i32) unreachable)
                (func (export "mode") (param i32) (result i32) i32.const 420))
            (core instance $m (instantiate $m))
            (type $own (resource (rep i32)))
            (func $size (param "self" (borrow $own)) (result u32) (canon lift (core func $m "size")))
            (func $read (param "self" (borrow $own)) (result (own $stream)) (canon lift (core func $m "read")))
            (func $root (result (own $own)) (canon lift (core func $m "root")))
            (func $mode (param "file" (borrow $own)) (result u32) (canon lift (core func $m "mode")))
            (component $types
                (import "stream" (type $stream (sub resource)))
                (import "own" (type $own (sub resource)))
                (import "size" (func $size (param "self" (borrow $own)) (result u32)))
                (import "read" (func $read (param "self" (borrow $own)) (result (own $stream))))
                (export $d "descriptor" (type $own))
                (export "[method]descriptor.size" (func $size) (func (param "self" (borrow $d)) (result u32)))
                (export "[method]descriptor.read" (func $read)
                    (func (param "self" (borrow $d)) (result (own $stream)))))
            (instance $types (instantiate $types
                (with "stream" (type $stream)) (with "own" (type $own)) (with "size" (func $size))
                (with "read" (func $read))))
            (export $exported "wasi:filesystem/types@0.2.6" (instance $types))
            (alias export $exported "descriptor" (type $d))
            (component $preopens
                (import "own" (type $own (sub resource)))
                (import "root" (func $root (result (own $own))))
                (export $d "descriptor" (type $own))
                (export "root" (func $root) (func (result (own $d)))))
            (instance $preopens (instantiate $preopens (with "own" (type $d)) (with "root" (func $root))))
            (export "wasi:filesystem/preopens@0.2.6" (instance $preopens))
            (component $modes
                (import "own" (type $own (sub resource)))
                (import "mode" (func $mode (param "file" (borrow $own)) (result u32)))
                (export $d "descriptor" (type $own))
                (export "get" (func $mode) (func (param "file" (borrow $d)) (result u32))))
            (instance $modes (instantiate $modes (with "own" (type $d)) (with "mode" (func $mode))))
            (export "wardian:workspace/modes@0.1.0" (instance $modes))
        )"#,
    )
}

/// A tool that asks for files in this version of WASI, and for `more`.
fn tool(version: &str, more: &str) -> Vec<u8> {
    component(&format!(
        r#"(component $tool
            (import "wasi:io/streams@{version}" (instance $io (export "input-stream" (type (sub resource)))))
            (alias export $io "input-stream" (type $stream))
            (import "wasi:filesystem/types@{version}" (instance $types
                (alias outer $tool $stream (type $in))
                (export "descriptor" (type $d (sub resource)))
                (export "[method]descriptor.size" (func (param "self" (borrow $d)) (result u32)))
                (export "[method]descriptor.read" (func (param "self" (borrow $d)) (result (own $in))))))
            (alias export $types "descriptor" (type $d))
            (import "wasi:filesystem/preopens@{version}" (instance
                (alias outer $tool $d (type $outer))
                (export "descriptor" (type $d (eq $outer)))
                (export "root" (func (result (own $d))))))
            {more}
            (core module $m (func (export "run")))
            (core instance $m (instantiate $m))
            (func $run (canon lift (core func $m "run")))
            (instance $out (export "run" (func $run)))
            (export "test:words/tools" (instance $out))
        )"#
    ))
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's own text")
}

fn refused(tool: &[u8]) -> (String, String) {
    match plug(tool, &workspace()) {
        Err(Error::Plug { import, message }) => (import, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_release_of_0_2_is_the_workspace_s() {
    for version in ["0.2.6", "0.2.0", "0.2.3", "0.2.9"] {
        let composed = plug(&tool(version, ""), &workspace()).unwrap_or_else(|error| panic!("{version}: {error}"));
        let inspection = inspect(&composed).unwrap();
        assert_eq!(inspection.exports, ["test:words/tools"], "{version}");
        // What is left is the workspace's own. Streams are the same for both, or they could not be handed on.
        let streams = if version == "0.2.9" { "wasi:io/streams@0.2.9" } else { "wasi:io/streams@0.2.6" };
        let mut imports = inspection.imports;
        imports.sort();
        assert_eq!(imports, ["wasi:filesystem/types@0.2.6", streams], "{version}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = plug(&tool("0.2.0", ""), &workspace()).unwrap();
    for _ in 0..4 {
        assert_eq!(first, plug(&tool("0.2.0", ""), &workspace()).unwrap());
    }
}

#[test]
fn modes_are_there_for_tools_that_ask() {
    let modes = r#"(import "wardian:workspace/modes@0.1.0" (instance
        (alias outer $tool $d (type $outer))
        (export "descriptor" (type $d (eq $outer)))
        (export "get" (func (param "file" (borrow $d)) (result u32)))))"#;
    let composed = plug(&tool("0.2.2", modes), &workspace()).unwrap();
    assert!(inspect(&composed).unwrap().imports.iter().all(|import| import.starts_with("wasi:")));
}

#[test]
fn a_tool_without_files_stays_as_it_is() {
    let tool = component(r#"(component (import "test:words/first" (instance (export "say" (func)))))"#);
    assert_eq!(plug(&tool, &workspace()).unwrap(), tool);
}

#[test]
fn what_the_workspace_does_not_have_is_refused_by_name() {
    let (import, message) = refused(&tool("0.3.0", ""));
    assert_eq!(import, "wasi:filesystem/types@0.3.0");
    assert!(message.contains("no such thing"), "{message}");

    let review = r#"(import "wardian:workspace/review@0.1.0" (instance (export "undo" (func))))"#;
    assert_eq!(refused(&tool("0.2.6", review)).0, "wardian:workspace/review@0.1.0");

    let more = r#"(component (import "wasi:filesystem/types@0.2.8" (instance
        (export "descriptor" (type $d (sub resource)))
        (export "[method]descriptor.lock" (func (param "self" (borrow $d)))))))"#;
    let (import, message) = refused(&component(more));
    assert_eq!(import, "wasi:filesystem/types@0.2.8");
    assert!(message.contains("descriptor.lock"), "{message}");
}

#[test]
fn what_hosts_lend_to_the_workspace_is_not_for_tools() {
    for name in ["wardian:host/turns@0.1.0", "wardian:host/modes@0.2.0"] {
        let import = format!(r#"(import "{name}" (instance (export "take" (func))))"#);
        assert_eq!(refused(&tool("0.2.6", &import)).0, name);
        // Also where there is nothing to compose.
        assert_eq!(refused(&component(&format!("(component {import})"))).0, name);
    }
}

#[test]
fn a_workspace_of_another_kind_fits_no_tool() {
    // Its preopens hand out other descriptors than its types have: the names are right, the resources are not.
    let other = component(
        r#"(component
            (import "wasi:io/streams@0.2.6" (instance $io (export "input-stream" (type (sub resource)))))
            (import "test:words/types" (instance $types (export "descriptor" (type (sub resource)))))
            (alias export $types "descriptor" (type $d))
            (import "test:words/root" (func $root (result (own $d))))
            (component $preopens
                (import "own" (type $own (sub resource)))
                (import "root" (func $root (result (own $own))))
                (export $d "descriptor" (type $own))
                (export "root" (func $root) (func (result (own $d)))))
            (instance $preopens (instantiate $preopens (with "own" (type $d)) (with "root" (func $root))))
            (export "wasi:filesystem/preopens@0.2.6" (instance $preopens))
        )"#,
    );
    assert!(matches!(plug(&tool("0.2.6", ""), &other), Err(Error::Plug { .. })));
}

#[test]
fn a_key_tells_all_that_the_bytes_follow_from() {
    let (one, other) = (digest(b"one"), digest(b"other"));
    assert_eq!(plug_key(&one, &other), plug_key(&one, &other));
    assert_ne!(plug_key(&one, &other), plug_key(&other, &one));
    assert_eq!(plug_key(&one, &other).len(), 64);
}

#[test]
fn the_workspace_of_these_tests_is_a_component() {
    validate(&workspace()).unwrap();
}
