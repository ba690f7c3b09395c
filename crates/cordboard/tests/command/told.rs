//! What the commands say, and by which exit code.

use crate::called::{file, run, text};

#[tokio::test]
async fn exit_codes_tell_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let odd = file(folder.path(), "odd.toml", "version = 1\n[sever]\n");
    let story = file(folder.path(), "story.toml", "title = \"t\"\ndoor = \"v3\"\n");
    let webhook =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/webhook/cordboard.toml"));
    let webhook = file(folder.path(), "webhook.toml", &webhook.unwrap());
    let example = "examples/cordboard.toml";
    let table: [(&[&str], i32, &str); 18] = [
        (&["--version"], 0, ""),
        (&[], 2, "Usage: cordboard"),
        (&["sing"], 2, "unrecognized subcommand"),
        (&["check"], 2, "--config"),
        (&["check", "--config", &odd], 78, "odd.toml:2:2: unknown key `sever`; did you mean `server`?"),
        (
            &["check", "--config", "nowhere.toml"],
            78,
            "--config names it, and `cordboard config init` writes one to start from",
        ),
        (&["check", "--config", "examples/simulated.toml"], 0, ""),
        (&["check", "--config", "examples/webhook/cordboard.toml"], 78, "the variable CORDBOARD_SECRET is not set"),
        (&["serve", "--config", example], 78, "the variable GENESYS_CLIENT_ID is not set"),
        (&["test", &story, "--config", example], 1, "story.toml:2:8: unknown variant `v3`"),
        (&["test", "conversations", "--config", example], 1, "name the files in it: conversations/*.toml"),
        (&["bots", "list", "--door", "v1", "--config", example], 0, ""),
        (&["bots", "list", "--door", "v1", "--connector", "x", "--config", example], 1, "there are: classic, digital"),
        (&["simulate"], 1, "give --v2-url"),
        (&["simulate", "--v2-url", "127.0.0.1:8080/genesys"], 2, "begins with http://"),
        (
            &["simulate", "--v1-url", "http://127.0.0.1:1/", "--v1-bots", "none.json"],
            1,
            "make it with `cordboard bots list",
        ),
        (&["dead-letters", "list", "--config", &webhook], 1, "no server has run with this configuration yet"),
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
async fn a_file_with_a_bot_that_nobody_serves_is_told_who_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let story = "title = \"t\"\ndoor = \"v2\"\nbot = \"parcel\"\n[[step]]\nsay = \"Hello\"\n";
    let story = file(folder.path(), "story.toml", story);
    let output = run(&["test", &story, "--config", "examples/cordboard.toml"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let there = "the bot 'parcel' on a connector of the door v2; there are: classic (v1) with parcels; digital (v2) with parcels";
    assert!(text(&output.stdout).contains(there), "{output:?}");
}

/// The others need the flow's way of asking again, or a gateway to kill.
#[tokio::test]
async fn long_the_conversations_end_as_they_must_with_the_simulated_example() {
    let names = [
        "answered-at-once",
        "answered-late-by-a-push",
        "classic-in-time",
        "classic-late-with-a-button",
        "the-engine-fails",
    ];
    let files = names.map(|name| format!("conversations/{name}.toml"));
    let mut arguments = vec!["test", "--config", "examples/simulated.toml"];
    arguments.extend(files.iter().map(String::as_str));
    let output = run(&arguments).await;
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[tokio::test]
async fn long_everything_in_the_demonstration_ends_as_it_must() {
    let output = run(&["demo", "--once"]).await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{}", text(&output.stderr));
    assert!(shown.ends_with("All 7 conversations ended as they must.\n"), "{shown}");
}
