//! The corpus on stable: no input that was ever worth keeping breaks a promise, and together they still reach everything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fuzzing::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_corpus_breaks_no_promise_and_reaches_every_word() {
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        let mut reached = BTreeSet::new();
        for name in names(&folder) {
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            let outcome = std::panic::catch_unwind(|| (target.run)(&bytes));
            reached.insert(outcome.unwrap_or_else(|_| panic!("corpus/{}/{name} breaks a promise", target.name)));
        }
        let missed: Vec<_> = target.words.iter().filter(|word| !reached.contains(*word)).collect();
        assert!(missed.is_empty(), "no input of corpus/{} leads to {missed:?}, but to {reached:?}", target.name);
    }
}

#[test]
fn every_target_has_its_corpus_and_its_binary() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let files = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), files);
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "fuzz/Cargo.toml knows {name}");
        let file = std::fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(file.contains(&format!("fuzzing::{name}(data)")), "{name}.rs calls its own target");
    }
}
