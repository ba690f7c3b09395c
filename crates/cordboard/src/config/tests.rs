//! What is wrong with a configuration is said with its place and with what to write instead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::source::Source;
use super::{Config, Problems, Variables, Written};

const GOOD: &str = r#"version = 1

[server]
listen = "127.0.0.1:0"

[orgs.acme]
region = "mypurecloud.de"
client_id = "id"
client_secret = "${SECRET}"

[connectors.web]
type = "digital_bot_connector"
org = "acme"
path = "/genesys/acme"
credentials = { x-key = "a-secret-of-some-length" }

[connectors.sms]
type = "bot_connector"
org = "acme"
path = "/genesys/sms"
credentials = { x-key = "a-secret-of-some-length" }

[bots.parcels]
name = "Parcel desk"
max_turns = 20
notify = ["opened"]

[[bots.parcels.intents]]
name = "ParcelTracked"
slots = { parcelNumber = "String" }

[bots.parcels.engine]
type = "script"
file = "bots/parcels.toml"

[bots.parcels.texts]
hand_over = ""
"#;

fn read(text: &str) -> Result<Written, Problems> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples"));
    let secret = ("SECRET".to_owned(), "hush\" \nclient_id = \"other".to_owned());
    let source = Source { file: "c.toml".to_owned(), folder, text: text.to_owned() };
    Written::read(source, &Variables::given(BTreeMap::from([secret])))
}

fn check(text: &str) -> Result<Config, Problems> {
    read(text)?.check()
}

#[test]
fn a_good_file_makes_a_gateway() {
    let written = read(GOOD).unwrap();
    assert_eq!(written.orgs["acme"].client_secret.expose_secret(), "hush\" \nclient_id = \"other");
    assert_eq!(written.orgs["acme"].client_id, "id", "a value adds no key");
    let config = written.check().unwrap();
    let keys: Vec<&str> = config.connectors.keys().map(model::ConnectorKey::as_str).collect();
    assert_eq!(keys, ["sms", "web"]);
    let policy = config.policies.of(&"parcels".into());
    assert_eq!((policy.max_turns, policy.max_waiting_inputs), (20, 8));
    assert_eq!((&policy.texts.of("en-us").hand_over, policy.notify.len()), (&None, 1));
    assert!(config.server.data_dir.ends_with("examples/data"), "{:?}", config.server.data_dir);
    assert_eq!(config.warnings, Vec::<String>::new());
}

/// What the gateway says, by language: the bot's own words come before the file's, and these before the built-in ones.
#[test]
fn texts_are_found_by_language() {
    let text = GOOD.replacen("name = \"Parcel desk\"", "languages = [\"en-us\", \"de-at\", \"fr\"]", 1)
        + r#"
holding = "Just a moment"
[bots.parcels.texts.de-at]
greeting = "Servus!"
[texts.de]
greeting = "Moin!"
hand_over = ""
[texts.fr]
fallback = "Pardon."
"#;
    let config = check(&text).unwrap();
    let texts = &config.policies.of(&"parcels".into()).texts;
    let said = |language: &str| {
        let texts = texts.of(language);
        let greeting = texts.greeting.as_deref().unwrap_or("-");
        let hand_over = texts.hand_over.as_deref().unwrap_or("-");
        format!("{greeting} | {} | {hand_over} | {}", texts.fallback, texts.holding.as_deref().unwrap_or("-"))
    };
    let told: Vec<String> = ["en-us", "en-gb", "de-at", "de-ch", "fr-ca", "it"]
        .map(|language| format!("{language}: {}", said(language)))
        .into();
    insta::assert_snapshot!(told.join("\n"));
    insta::assert_snapshot!(config.warnings.join("\n"));
    let unknown = &config.policies.of(&"gone".into()).texts;
    assert_eq!(unknown.of("de").greeting.as_deref(), Some("Moin!"));
}

#[test]
fn a_bot_opens_as_it_can_unless_the_file_says_otherwise() {
    use conversation::Opening;
    let opening = |text: &str| check(text).unwrap().policies.of(&"parcels".into()).opening;
    assert_eq!(opening(GOOD), Opening::Engine);
    let with = |line: &str| GOOD.replacen("max_turns = 20", line, 1);
    assert_eq!(opening(&with("opening = \"greeting\"")), Opening::Greeting);
    assert_eq!(opening(&with("opening = \"silent\"")), Opening::Silent);
}

/// Each change of the good file, and what is said of it.
#[test]
fn mistakes_are_named_with_their_place() {
    let changes = [
        ("version = 1", "version = 2"),
        ("version = 1\n", ""),
        ("version = 1", "version = 1\nversoin = 1"),
        ("[server]", "[servers]"),
        ("listen =", "lisen ="),
        ("127.0.0.1:0", "localhost"),
        ("listen = \"127.0.0.1:0\"", "body_max_kb = 1"),
        ("listen = \"127.0.0.1:0\"", "listen = [\"127.0.0.1:0\"]"),
        ("region = \"mypurecloud.de\"\n", ""),
        ("region = \"mypurecloud.de\"", "region = \"mypurecloud.dee\""),
        ("client_secret = \"${SECRET}\"", "client_secret = 5"),
        ("client_secret = \"${SECRET}\"", "client_secret = \"\"\"\n\\\"x\\\" ${MISSING}\"\"\""),
        ("${SECRET}", "${SECRET"),
        ("${SECRET}", "${1}"),
        ("client_secret = \"${SECRET}\"", "client_secret = \"x\"\nrequests_per_minute = \"${SECRET}\""),
        ("digital_bot_connector", "digital_bot_conector"),
        ("type = \"bot_connector\"\n", ""),
        ("org = \"acme\"", "org = \"acne\""),
        ("path = \"/genesys/sms\"", "path = \"/genesys/acme/messages\""),
        ("path = \"/genesys/sms\"", "path = \"/v1/sms\""),
        ("path = \"/genesys/sms\"", "path = \"sms\""),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nsoft_deadline_ms = 1"),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nbudget_ms = 1"),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nlate_answers = \"poll_buton\""),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nbots = [\"parcel\"]"),
        ("credentials = { x-key = \"a-secret-of-some-length\" }", "credentials = {}"),
        ("max_turns = 20", "max_truns = 20"),
        ("max_turns = 20", "max_turns = 0"),
        ("max_turns = 20", "on_failure = \"hand-over\""),
        ("[\"opened\"]", "[\"openned\"]"),
        ("slots = {", "slot = {"),
        ("\"String\"", "\"Number\""),
        ("type = \"script\"", "type = \"scirpt\""),
        ("bots/parcels.toml", "bots/letters.toml"),
        ("file = ", "flie = "),
        ("hand_over = \"\"", "fallback = \" \""),
        ("hand_over = \"\"", "hand_ower = \"\""),
        ("[bots.parcels.texts]", "[bots.parcels.texts.german]"),
        ("[bots.parcels.texts]", "[texts]"),
        ("[bots.parcels.texts]", "[texts.de]\nfallback = \"\""),
        ("max_turns = 20", "opening = \"greet\""),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nstart_text = \"__poll__\""),
        ("[bots.parcels.texts]\nhand_over = \"\"", "[bots.\"a bot\"]"),
        ("[bots.parcels.texts]", "[bots.parcels.texts"),
    ];
    let mut said = String::new();
    for (good, bad) in changes {
        let text = GOOD.replacen(good, bad, 1);
        assert_ne!(text, GOOD, "{good}");
        let Err(problems) = check(&text) else { panic!("{bad} is taken") };
        let problems = problems.to_string().replace(env!("CARGO_MANIFEST_DIR"), "…");
        assert!(!problems.contains("hush"), "{problems}");
        said.push_str(&format!("{}\n    {}\n", bad.trim().replace('\n', "⏎"), problems.replace('\n', "\n    ")));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn several_mistakes_are_named_at_once() {
    let text = GOOD
        .replacen("listen", "lisen", 1)
        .replacen("client_id", "client", 1)
        .replacen("${SECRET}", "${OTHER}", 1)
        .replacen("max_turns", "turns", 1)
        .replacen("type = \"bot_connector\"", "type = \"bot\"", 1);
    insta::assert_snapshot!(check(&text).err().unwrap(), @r"
    c.toml:4:1: unknown key `lisen`; did you mean `listen`?
    c.toml:8:1: unknown key `client`; did you mean `client_id`?
    c.toml:9:18: the variable OTHER is not set in the environment
    c.toml:18:8: unknown type `bot`; there are digital_bot_connector, bot_connector
    c.toml:25:1: unknown key `turns`; there are name, version, description, languages, intents, hard_deadline_ms, on_failure, max_turns, max_waiting_inputs, max_holding_turns, notify, opening, texts, engine
    ");
}

#[test]
fn an_empty_file_says_what_belongs_into_it() {
    insta::assert_snapshot!(check("version = 1").err().unwrap(), @r"
    c.toml:1:1: there is no [bots.…] table, and at least one is needed
    c.toml:1:1: there is no [connectors.…] table, and at least one is needed
    c.toml:1:1: there is no [orgs.…] table, and at least one is needed
    ");
}

#[test]
fn stand_ins_take_the_place_of_missing_secrets_only() {
    let source = |text: &str| Source { file: "c.toml".to_owned(), folder: PathBuf::new(), text: text.to_owned() };
    let variables = Variables::given(BTreeMap::new()).with_stand_ins();
    let text = GOOD.replacen("a-secret-of-some-length", "${KEY}", 1);
    let written = Written::read(source(&text), &variables).unwrap();
    assert_eq!(written.orgs["acme"].client_secret.expose_secret(), "SECRET-is-not-set");
    assert!(Written::read(source(&GOOD.replacen("Parcel desk", "${NAME}", 1)), &variables).is_err());
}
