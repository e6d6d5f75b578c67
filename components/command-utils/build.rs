//! Has `find` list directories without a question about each entry: see `command_kit::listing`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("wasi") {
        println!("cargo::rustc-link-arg-bins=--wrap=readdir");
        println!("cargo::rustc-link-arg-bins=--wrap=filesystem_method_descriptor_metadata_hash_at");
    }
}
