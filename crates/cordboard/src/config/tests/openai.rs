//! What is wrong with a bot behind a language model is said with its place.

use super::*;

const ENGINE: &str = r#"type = "openai"
model = "m"
prompt = "llm/prompt.md"
api_key = "sk-a-key""#;

fn with(before: &str, after: &str) -> String {
    let script = "type = \"script\"\nfile = \"bots/parcels.toml\"";
    assert!(ENGINE.contains(before) && GOOD.contains(script));
    GOOD.replacen(script, &ENGINE.replacen(before, after, 1), 1)
}

#[test]
fn mistakes_are_named_with_their_place() {
    let changes = [
        ("\"llm/prompt.md\"", "\"llm/promt.md\""),
        ("\"sk-a-key\"", "\"\""),
        ("\"sk-a-key\"", "\"Bearer sk-a-key\""),
        ("api_key = \"sk-a-key\"", ""),
        ("model = \"m\"", "model = \"m\"\nbase_url = \"https://llm.example.com/v1/chat/completions\""),
        ("model = \"m\"", "model = \"m\"\nprompts = { german = \"llm/prompt.md\" }"),
        ("model = \"m\"", "model = \"m\"\ntemperature = \"0.5\""),
        ("model = \"m\"", "modell = \"m\""),
        ("model = \"m\"", "model = \"m\"\ntools = [\"handover\"]"),
        ("model = \"m\"", "model = \"m\"\ndeliver = \"sentences\""),
        ("\"openai\"", "\"open_ai\""),
    ];
    let told = changes.map(|(before, after)| {
        let problems = check(&with(before, after)).err().unwrap_or_else(|| panic!("{after} is taken"));
        let problems = problems.to_string().replace(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"), "EXAMPLES");
        format!("{}\n    {problems}", after.replace('\n', "⏎"))
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_can_be_right_and_yet_harm_is_told() {
    let far = with(
        "model = \"m\"",
        "model = \"m\"\nbase_url = \"http://llm.example.com/v1\"\nprompts = { de = \"llm/prompt.md\" }",
    );
    insta::assert_snapshot!(warnings(&check(&far).unwrap())[1..].join("\n"), @r"
    bots.parcels.engine.base_url is http: what customers say goes there unencrypted; write https
    bots.parcels.engine.prompts.de: the bot does not offer this language, so nobody reads it; add it to `languages`
    ");
    let opens = with("model = \"m\"", "model = \"m\"").replacen("max_turns = 20", "opening = \"engine\"", 1);
    let problem = check(&opens).err().unwrap().to_string();
    assert!(problem.contains("the engine has no `opening`; write it there, or choose"), "{problem}");
}

/// What a prompt says belongs to the configuration: a reload sees that it changed.
#[test]
fn another_prompt_is_another_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompt.md");
    let text = with("llm/prompt.md", &file.display().to_string());
    std::fs::write(&file, "One").unwrap();
    let before = read(&text).unwrap().effective;
    assert_eq!(before.changes_to(&read(&text).unwrap().effective), []);
    std::fs::write(&file, "Two").unwrap();
    let changes = before.changes_to(&read(&text).unwrap().effective);
    assert_eq!(
        changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["bots.parcels.engine.prompt (contents): changed"]
    );
}
