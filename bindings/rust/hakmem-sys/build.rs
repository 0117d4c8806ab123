// SPDX-License-Identifier: MIT
//! Compiles hakmem.c, the library in one file, with the C compiler: $CC, else cc. $AR, else ar, packs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

/// The source tarball has the folder; a checkout does not.
const SOURCE: &str = "amalgamated";

fn fail(text: &str) -> ! {
    eprintln!("hakmem-sys: {}", text);
    exit(1)
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("{:?} ended with {}", command, status)),
        Err(error) => fail(&format!("{:?}: {}", command, error)),
    }
}

fn program(variable: &str, default: &str) -> Command {
    println!("cargo:rerun-if-env-changed={}", variable);
    Command::new(env::var(variable).unwrap_or_else(|_| default.to_string()))
}

fn has(feature: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{}", feature)).is_some()
}

fn compile(source: &Path, object: &Path) {
    println!("cargo:rerun-if-changed={}", source.display());
    let mut command = program("CC", "cc");
    command.args(&["-c", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-builtin", "-fexceptions", "-w"]);
    command.arg("-I").arg(SOURCE);
    let guard = if has("GUARD_FULL") {
        2
    } else if has("GUARD_EXACT") {
        1
    } else {
        0
    };
    command.arg(format!("-DHAK_GUARD={}", guard));
    if !has("REPLACE_MALLOC") {
        command.arg("-DHAKMEM_API_ONLY");
    }
    run(command.arg(source).arg("-o").arg(object));
}

fn main() {
    if env::var("CARGO_CFG_TARGET_OS").map_or(true, |system| system != "linux") {
        fail("hakmem runs on Linux only");
    }
    let library = Path::new(SOURCE).join("hakmem.c");
    if !library.is_file() {
        fail("there is no amalgamated/hakmem.c: build from the tarball that `bazel build //:source` makes");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo says where to build"));
    let objects = [out.join("hakmem.o"), out.join("layout.o")];
    compile(&library, &objects[0]);
    compile(Path::new("src/layout.c"), &objects[1]);
    let archive = out.join("libhakmem.a");
    run(program("AR", "ar").arg("crs").arg(&archive).args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    // All of it: what replaces malloc is wanted even where nothing of this crate refers to it.
    let modifier = if has("REPLACE_MALLOC") { ":-bundle,+whole-archive" } else { "" };
    println!("cargo:rustc-link-lib=static{}=hakmem", modifier);
    println!("cargo:include={}", Path::new(SOURCE).canonicalize().expect("it was there just now").display());
}
