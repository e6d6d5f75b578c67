//! Components small enough to read: what is told about them, and how they are put together.

use std::collections::BTreeMap;
use wardian_bundle::{Error, compose, digest, inspect, validate};

/// Offers `greet`, an instance with one function, and wants one of another name.
fn greeter(imports: &str, exports: &str) -> Vec<u8> {
    let component = format!(
        r#"(component
            (import "{imports}" (instance $in (export "say" (func (result u32)))))
            (alias export $in "say" (func $say))
            (component $shim
                (import "say" (func $say (result u32)))
                (export "say" (func $say)))
            (instance $out (instantiate $shim (with "say" (func $say))))
            (export "{exports}" (instance $out))
        )"#
    );
    wat::parse_str(component).expect("the test's own text")
}

const CHAIN: &str = r#"
package test:chain;
let inner = new test:inner { ... };
let outer = new test:outer { "test:words/middle": inner["test:words/middle"], ... };
export outer["test:words/last"];
"#;

fn chain() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("test:inner".to_owned(), greeter("test:words/first", "test:words/middle")),
        ("test:outer".to_owned(), greeter("test:words/middle", "test:words/last")),
    ])
}

#[test]
fn tells_what_a_component_needs_and_offers() {
    let bytes = greeter("test:words/first", "test:words/last");
    let inspection = inspect(&bytes).unwrap();
    assert_eq!(inspection.imports, ["test:words/first"]);
    assert_eq!(inspection.exports, ["test:words/last"]);
    assert_eq!(inspection.bytes, bytes.len() as u64);
    assert_eq!(inspection.digest, digest(&bytes));
}

#[test]
fn a_digest_is_lowercase_sha256() {
    assert_eq!(digest(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn open_imports_stay_open_and_wired_ones_are_gone() {
    let composed = compose(CHAIN, &chain()).unwrap();
    let inspection = inspect(&composed).unwrap();
    assert_eq!(inspection.imports, ["test:words/first"]);
    assert_eq!(inspection.exports, ["test:words/last"]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = compose(CHAIN, &chain()).unwrap();
    for _ in 0..8 {
        assert_eq!(first, compose(CHAIN, &chain()).unwrap());
    }
}

#[test]
fn a_missing_package_is_named_with_its_place() {
    let mut packages = chain();
    packages.remove("test:outer");
    let error = compose(CHAIN, &packages).unwrap_err();
    assert_eq!(error.to_string(), "4:17: unknown package `test:outer`");
}

#[test]
fn a_syntax_error_is_named_with_its_place() {
    let error = compose("package test:x;\nlet = 1;\n", &BTreeMap::new()).unwrap_err();
    assert!(matches!(error, Error::Compose { line: 2, .. }), "{error}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut packages = chain();
    let wrong = r#"(component
        (type $t (func (result string)))
        (import "say" (func $say (type $t)))
        (instance $out (export "say" (func $say)))
        (export "test:words/middle" (instance $out)))"#;
    packages.insert("test:inner".to_owned(), wat::parse_str(wrong).unwrap());
    let error = compose(CHAIN, &packages).unwrap_err();
    assert!(matches!(error, Error::Compose { line: 4, .. }), "{error}");
}

#[test]
fn a_core_module_and_noise_are_no_components() {
    let module = wat::parse_str("(module)").unwrap();
    assert!(matches!(validate(&module), Err(Error::CoreModule)));
    assert!(matches!(validate(b""), Err(Error::Invalid { .. })));
    assert!(matches!(validate(b"no wasm"), Err(Error::Invalid { .. })));
    let mut torn = greeter("test:words/first", "test:words/last");
    torn.truncate(torn.len() - 3);
    assert!(matches!(validate(&torn), Err(Error::Invalid { .. })));
}
