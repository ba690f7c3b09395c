//! Tells the program which commit it was built from, for `cordboard --version`.
//!
//! `CORDBOARD_COMMIT` says it where there is no repository: in a container, in a package. A release build asks git, and is
//! built again when the commit changes; a development build does not care, so that a commit builds nothing.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CORDBOARD_COMMIT");
    let given = std::env::var("CORDBOARD_COMMIT").ok().filter(|commit| !commit.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = match given {
        Some(commit) => format!("commit {commit}"),
        None if release => {
            of_the_repository().map_or_else(|| "an unknown commit".to_owned(), |commit| format!("commit {commit}"))
        }
        None => "a working tree".to_owned(),
    };
    println!("cargo::rustc-env=CORDBOARD_BUILT_FROM={commit}");
}

fn of_the_repository() -> Option<String> {
    // Whatever moves the head is written into its log. Without one, the head itself is better than nothing.
    for name in ["logs/HEAD", "HEAD"] {
        let file = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
            break;
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
