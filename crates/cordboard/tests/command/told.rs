//! What the commands say, and by which exit code.

use crate::called::{file, run, text};

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let odd = file(folder.path(), "odd.toml", "version = 1\n[sever]\n");
    let story = file(folder.path(), "story.toml", "title = \"t\"\ndoor = \"v3\"\n");
    let example = "examples/cordboard.toml";
    let table: [(&[&str], i32, &str); 10] = [
        (&["--version"], 0, ""),
        (&[], 2, "Usage: cordboard"),
        (&["sing"], 2, "unrecognized subcommand"),
        (&["check"], 2, "--config"),
        (&["check", "--config", &odd], 78, "odd.toml:2:2: unknown key `sever`; did you mean `server`?"),
        (&["check", "--config", "nowhere.toml"], 78, "nowhere.toml: the file cannot be read"),
        (&["serve", "--config", example], 78, "the variable GENESYS_CLIENT_ID is not set"),
        (&["test", &story, "--config", example], 1, "story.toml:2:8: unknown variant `v3`"),
        (&["bots", "list", "--door", "v1", "--config", example], 0, ""),
        (&["dead-letters", "list", "--config", &odd], 78, "unknown key `sever`"),
    ];
    for (arguments, code, said) in table {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
        assert!(text(&output.stderr).contains(said), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn a_test_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let good =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../conversations/classic-in-time.toml"));
    let wrong = good.unwrap().replace("from Monday to Saturday", "from Monday to Sunday");
    let wrong = file(folder.path(), "wrong.toml", &wrong);
    let output =
        run(&["test", "conversations/answered-at-once.toml", &wrong, "--config", "examples/cordboard.toml"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stderr), "cordboard: 1 of 2 conversations failed\n");
    insta::assert_snapshot!(text(&output.stdout));
}

#[tokio::test]
async fn long_everything_in_the_demonstration_ends_as_it_must() {
    let output = run(&["demo", "--once"]).await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    assert!(shown.ends_with("All 7 conversations ended as they must.\n"), "{shown}");
}
