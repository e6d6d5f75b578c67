//! Links SQLite, which `cargo xtask build` compiled before.

fn main() {
    println!("cargo:rerun-if-env-changed=WARDIAN_SQLITE");
    // On this machine there is nothing to link: the program is for components alone.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "wasi") {
        let folder = std::env::var("WARDIAN_SQLITE")
            .expect("WARDIAN_SQLITE names the folder with libwardian_sqlite.a: `cargo xtask build` makes it");
        println!("cargo:rerun-if-changed={folder}/libwardian_sqlite.a");
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-link-lib=static=wardian_sqlite");
    }
}
