//! The commented default file, the reference and the schema say what the types say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::source::Source;
use super::{Config, INIT, Problems, Variables, Written, reference, schema};

const VARIABLES: [(&str, &str); 8] = [
    ("GENESYS_CLIENT_ID", "id"),
    ("GENESYS_CLIENT_SECRET", "a-secret-of-some-length"),
    ("DIGITAL_KEY", "a-secret-of-some-length"),
    ("CLASSIC_KEY", "another-secret-of-some-length"),
    ("BOT_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("BOT_TOKEN", "a-token"),
    ("OTLP_KEY", "a-key"),
    ("OPENAI_API_KEY", "sk-a-key"),
];

fn check(text: &str) -> Result<Config, Problems> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let variables = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let source = Source { file: "cordboard.toml".to_owned(), folder, text: text.to_owned() };
    Written::read(source, &Variables::given(BTreeMap::from(variables)))?.check()
}

/// The default file with everything that stands behind a `#`.
fn everything() -> String {
    let lines = INIT.lines().map(|line| {
        let behind = line.strip_prefix("# ").unwrap_or_default();
        let key =
            behind.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        if key || behind.starts_with('[') { behind } else { line }
    });
    lines.collect::<Vec<&str>>().join("\n")
}

fn json(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).unwrap();
    serde_json::to_value(table).unwrap()
}

#[test]
fn the_default_file_is_right_as_it_is_and_with_everything_in_it() {
    let plain = check(INIT).unwrap_or_else(|problems| panic!("{problems}"));
    // Where the repository lies decides about the data folder.
    let warnings = plain.warnings.iter().filter(|warning| !warning.starts_with("server.data_dir"));
    assert_eq!(warnings.collect::<Vec<_>>(), Vec::<&String>::new());
    check(&everything()).unwrap_or_else(|problems| panic!("{problems}"));
}

/// Every key of a table's schema is there with its default; what is missing or wrong is named.
fn compare(path: &str, schema: &Value, value: &Value, active: Option<&Value>, wrong: &mut Vec<String>) {
    let schema = schema::chosen(schema, value).unwrap_or(schema);
    if let (Some(item), Some(first)) = (schema.get("items"), value.get(0)) {
        return compare(&format!("{path}[]"), item, first, active.and_then(|active| active.get(0)), wrong);
    }
    let Value::Object(members) = value else { return };
    for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{name}");
        let default = schema::default_of(of);
        match (members.get(name), default) {
            (None, Some(default)) => wrong.push(format!("{path} is missing: write `# {name} = {default}`")),
            (None, None) => wrong.push(format!("{path} is missing: write it, or an example of it behind a `#`")),
            // A table of tables has no entry by default; what it shows is an example.
            (Some(Value::Object(_)), Some(Value::Object(default))) if default.is_empty() => {}
            (Some(written), Some(default)) if *written != default && !is_in(active, name) => {
                wrong.push(format!("{path} shows {written} and its default is {default}"));
            }
            _ => {}
        }
    }
    for (name, member) in members {
        if let Some(of) = schema::member(schema, name) {
            compare(&format!("{path}.{name}"), of, member, active.and_then(|active| active.get(name)), wrong);
        }
    }
}

fn is_in(active: Option<&Value>, name: &str) -> bool {
    active.and_then(|active| active.get(name)).is_some()
}

/// Bots share the keys of a bot: what one of them shows need not be shown by each.
fn union(value: &mut Value) {
    let Some(bots) = value.get_mut("bots").and_then(Value::as_object_mut) else { return };
    let first = bots.values().find(|bot| bot.get("name").is_some()).cloned().unwrap_or_default();
    for bot in bots.values_mut() {
        for (name, member) in first.as_object().into_iter().flatten() {
            bot.as_object_mut().unwrap().entry(name).or_insert_with(|| member.clone());
        }
        if let Some(limits) = first.pointer("/engine/limits")
            && let Some(Value::Object(own)) = bot.pointer_mut("/engine/limits")
        {
            for (name, limit) in limits.as_object().into_iter().flatten() {
                own.entry(name).or_insert_with(|| limit.clone());
            }
        }
    }
}

#[test]
fn the_default_file_shows_every_key_with_its_default() {
    let (mut all, mut active) = (json(&everything()), json(INIT));
    union(&mut all);
    for bot in ["scripted", "earlier", "clever"] {
        active["bots"][bot] = active["bots"]["hello"].clone();
    }
    let mut wrong = Vec::new();
    compare("", schema(), &all, Some(&active), &mut wrong);
    assert!(wrong.is_empty(), "in config/init.toml:\n{}", wrong.join("\n"));
}

/// Every key has a description, and what it says of the default is so.
fn described(path: &str, schema: &Value, wrong: &mut Vec<String>) {
    for way in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        described(path, way, wrong);
    }
    for inside in ["items", "additionalProperties"] {
        schema.get(inside).into_iter().for_each(|of| described(&format!("{path}.*"), of, wrong));
    }
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{name}");
        described(&path, of, wrong);
        if name == "type" || of.get("properties").is_some() {
            continue;
        }
        let text = of.get("description").and_then(Value::as_str).unwrap_or_default();
        let said = text.rsplit_once("Default").map(|(_, said)| said.trim_start_matches([':', ' ', '`']));
        match (said, of.get("default")) {
            (None, _) if required.contains(&name.as_str().into()) && !text.is_empty() => {}
            (None, _) => wrong.push(format!("{path}: its doc comment ends with \"Default X.\"")),
            (Some(said), Some(default)) => {
                let number = default.as_u64().and_then(reference::in_large_units);
                let plain = default.to_string().replace(',', ", ");
                let empty = matches!(default, Value::Array(_) | Value::Object(_)) && said.starts_with("no");
                if !(said.starts_with(&plain) || empty || number.is_some_and(|number| said.starts_with(&number))) {
                    wrong.push(format!("{path}: its doc comment says \"Default {said}\", and it is {default}"));
                }
            }
            (Some(_), None) => {}
        }
    }
}

#[test]
fn every_key_is_described_with_its_true_default() {
    let mut wrong = Vec::new();
    described("", schema(), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A table that the schema did not know would be shown with its secrets.
#[test]
fn the_schema_knows_every_table_of_the_file() {
    let schema = schema();
    let known = schema["properties"].as_object().unwrap().keys();
    let mut read = super::written::TABLES;
    read.sort_unstable();
    assert_eq!(known.collect::<Vec<_>>(), read, "add the table to `File` in config/schema.rs");
}

/// A key that holds a secret is marked as one, or `config show` would print it.
#[test]
fn what_is_called_a_secret_is_hidden() {
    fn look(path: &str, schema: &Value, wrong: &mut Vec<String>) {
        for (name, of) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let sounds =
                ["secret", "token", "bearer", "password", "credentials"].iter().any(|word| name.contains(word));
            // A language model's tokens are counted.
            let counts = of.to_string().contains("\"integer\"");
            if sounds && !counts && !of.to_string().contains("\"writeOnly\":true") {
                wrong.push(format!("{path}.{name}: write #[schemars(with = \"SecretText\")]"));
            }
        }
        match schema {
            Value::Object(members) => members.iter().for_each(|(name, of)| look(&format!("{path}.{name}"), of, wrong)),
            Value::Array(ways) => ways.iter().for_each(|of| look(path, of, wrong)),
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    look("", schema(), &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_schema_takes_what_the_gateway_takes() {
    let schema = schema();
    assert!(jsonschema::meta::is_valid(schema));
    let validator = jsonschema::validator_for(schema).unwrap();
    let examples = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let read = |name: &str| std::fs::read_to_string(examples.join(name)).unwrap();
    let files =
        [INIT.to_owned(), everything(), read("cordboard.toml"), read("simulated.toml"), read("webhook/cordboard.toml")];
    for file in files {
        let errors: Vec<String> = validator.iter_errors(&json(&file)).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{file}");
    }
    for (good, bad) in [
        ("version = 1\n", ""),
        ("listen = \"127.0.0.1:8080\"", "listen = 8080"),
        ("listen = \"127.0.0.1:8080\"", "lisen = \"127.0.0.1:8080\""),
        ("\"bot_connector\"", "\"bot_conector\""),
        ("client_id =", "client ="),
        ("replay = \"safe\"", "replay = \"sure\""),
    ] {
        let file = everything().replacen(good, bad, 1);
        assert!(!validator.is_valid(&json(&file)), "{bad} is taken");
    }
}

#[track_caller]
fn in_step(file: &str, made: &str) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).join(file);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let renew = "UPDATE_REFERENCE=1 cargo nextest run -p cordboard -E 'test(reference)'";
    assert!(there == made, "docs/reference/{file} is not what the types say; renew it with {renew}");
}

#[test]
fn the_reference_is_in_step() {
    in_step("configuration.md", &reference::page());
}

#[test]
fn the_schema_in_the_reference_is_in_step() {
    in_step("configuration.schema.json", &format!("{}\n", serde_json::to_string_pretty(schema()).unwrap()));
}
