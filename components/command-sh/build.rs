//! The interpreter recurses where scripts nest, on the stack of its memory. With 300 functions in each other, and loops in
//! those, it takes 16 MiB.

const STACK_BYTES: u32 = 24 << 20;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("wasi") {
        println!("cargo::rustc-link-arg-bins=-zstack-size={STACK_BYTES}");
    }
}
