//! What is wrong with a configuration is said with its place and with what to write instead.

mod network;
mod openai;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
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
credentials = { x-key = "another-secret-of-some-length" }

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
    let secret = ("SECRET".to_owned(), "hush\" client_id = \"other".to_owned());
    let source = Source { file: "c.toml".to_owned(), folder, text: text.to_owned() };
    Written::read(source, &Variables::given(BTreeMap::from([secret])))
}

fn check(text: &str) -> Result<Config, Problems> {
    read(text)?.check()
}

/// Where the repository lies decides about the data folder.
fn warnings(config: &Config) -> Vec<&str> {
    config.warnings.iter().map(String::as_str).filter(|warning| !warning.starts_with("server.data_dir")).collect()
}

#[test]
fn a_good_file_makes_a_gateway() {
    let written = read(GOOD).unwrap();
    assert_eq!(written.orgs["acme"].client_secret.expose_secret(), "hush\" client_id = \"other");
    assert_eq!(written.orgs["acme"].client_id, "id", "a value adds no key");
    let config = written.check().unwrap();
    let keys: Vec<&str> = config.connectors.keys().map(model::ConnectorKey::as_str).collect();
    assert_eq!(keys, ["sms", "web"]);
    let policy = config.policies.of(&"parcels".into());
    assert_eq!((policy.max_turns, policy.max_waiting_inputs), (20, 8));
    assert_eq!((&policy.texts.of("en-us").hand_over, policy.notify.len()), (&None, 1));
    assert!(config.server.data_dir.ends_with("examples/data"), "{:?}", config.server.data_dir);
    assert_eq!(warnings(&config), ["server.listen has port 0: every start takes another port; write a fixed one"]);
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
    insta::assert_snapshot!(warnings(&config).join("\n"));
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
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nshadow = \"sms\""),
        ("type = \"script\"\nfile = \"bots/parcels.toml\"", "type = \"connector\"\nspeaks = \"v1\""),
        (
            "type = \"script\"\nfile = \"bots/parcels.toml\"",
            "type = \"connector\"\nspeaks = \"v1\"\nurl = \"https://a\"\n[bots.parcels.engine.callbacks]\nclient_id = \"a\"\nclient_secret = \"b\"",
        ),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms\"\nintegration_id = \"integrations/0c2d\""),
        ("[bots.parcels.texts]\nhand_over = \"\"", "[bots.\"a bot\"]"),
        ("[bots.parcels.texts]", "[bots.parcels.texts"),
        // What a tired person writes.
        ("\"mypurecloud.de\"", "“mypurecloud.de”"),
        ("\"mypurecloud.de\"", "mypurecloud.de"),
        ("\"mypurecloud.de\"", "'mypurecloud.de"),
        ("region = \"mypurecloud.de\"", "region: \"mypurecloud.de\""),
        ("region = \"mypurecloud.de\"", "region"),
        ("region = \"mypurecloud.de\"", "region ="),
        ("region = \"mypurecloud.de\"", "region = \"eu-central-3\""),
        ("region = \"mypurecloud.de\"", "region = \"frankfurt\""),
        ("region = \"mypurecloud.de\"", "region = \"mypurecloud.de\"\nregion = \"mypurecloud.ie\""),
        ("region = \"mypurecloud.de\"", "region = \"mypurecloud.de\", "),
        ("region = \"mypurecloud.de\"", "\tregion = \"mypurecloud\t.de\""),
        ("region = \"mypurecloud.de\"", "# region\n\u{a0}"),
        ("listen = \"127.0.0.1:0\"", "listen = 127.0.0.1:0"),
        ("listen = \"127.0.0.1:0\"", "listen = 8080"),
        ("listen = \"127.0.0.1:0\"", "data_dir = \"C:\\data\""),
        ("listen = \"127.0.0.1:0\"", "data_dir = \"~/data\""),
        ("listen = \"127.0.0.1:0\"", "data_dir = \"\""),
        ("listen = \"127.0.0.1:0\"", "drain_ms = \"5000\""),
        ("listen = \"127.0.0.1:0\"", "drain_ms = 5s"),
        ("listen = \"127.0.0.1:0\"", "drain_ms = -5"),
        ("listen = \"127.0.0.1:0\"", "drain_ms = 5.5"),
        ("listen = \"127.0.0.1:0\"", "drain_ms = 5,000"),
        ("listen = \"127.0.0.1:0\"", "drain_ms = 0x"),
        ("listen = \"127.0.0.1:0\"", "public_url = \"http://bots.example.com\""),
        ("listen = \"127.0.0.1:0\"", "public_url = \"https://bots.example.com/genesys\""),
        ("listen = \"127.0.0.1:0\"", "public_url = \"bots.example.com\""),
        ("[server]", "[server]\n[server]"),
        ("[server]", "server = { drain_ms = 1 }\n[server]"),
        ("[server]", "[[server]]"),
        ("[server]", "[server"),
        ("[orgs.acme]", "[org.acme]"),
        ("[orgs.acme]", "[orgs]"),
        ("client_secret = \"${SECRET}\"", "client_secret = \"\""),
        ("client_secret = \"${SECRET}\"", "client_secret = \"\"\"hush\n\"\"\""),
        ("client_secret = \"${SECRET}\"", "client_secret = \"hush"),
        ("client_id = \"id\"", "client_id = \"\""),
        ("client_id = \"id\"", "client_id = \"id \""),
        ("path = \"/genesys/sms\"", "path = \"/genesys/sms/\""),
        ("path = \"/genesys/sms\"", "path = \"https://bots.example.com/genesys/sms\""),
        ("x-key = \"a-secret-of-some-length\"", "x-key = \"a-secret-of-some-length\\n\""),
        ("x-key = \"a-secret-of-some-length\"", "x-key = \"\""),
        ("x-key = \"a-secret-of-some-length\"", "x key = \"a-secret-of-some-length\""),
        ("x-key = \"a-secret-of-some-length\"", "x-key: \"a-secret-of-some-length\""),
        ("credentials = { x-key = \"a-secret-of-some-length\" }", "credentials = \"a-secret-of-some-length\""),
        ("max_turns = 20", "max_turns = true"),
        ("notify = [\"opened\"]", "notify = \"opened\""),
        ("notify = [\"opened\"]", "notify = [\"opened\""),
        ("notify = [\"opened\"]", "texts = \"hello\""),
        ("[[bots.parcels.intents]]", "[bots.parcels.intents]"),
        ("[bots.parcels]\n", "[bots.parcels]\nlanguages = [\"en-US\"]\n"),
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
    c.toml:9:18: the variable OTHER is not set in the environment; set it, or write ${file:/path}
    c.toml:18:8: unknown type `bot`; there are digital_bot_connector, bot_connector
    c.toml:25:1: unknown key `turns`; there are name, version, description, languages, intents, hard_deadline_ms, on_failure, max_turns, max_waiting_inputs, max_holding_turns, notify, opening, channel, mask, texts, engine
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
    assert_eq!(written.orgs["acme"].client_secret.expose_secret(), "whsec_SECRET000000000000000000NotThere");
    assert!(Written::read(source(&GOOD.replacen("Parcel desk", "${NAME}", 1)), &variables).is_err());
}

/// What is written for a secret, and what is said of it; `{}` is the folder of the files.
#[test]
fn values_come_from_variables_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(20_000);
    let files: [(&str, &[u8]); 7] = [
        ("good", b"a-fine-secret"),
        ("echo", b"hush\n"),
        ("lines", b"hush\r\nhush\r\n"),
        ("blank", b" hush"),
        ("empty", b""),
        ("bytes", b"\xff\xfe"),
        ("long", long.as_bytes()),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(folder.path().join(name), mode).unwrap();
    }
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let pairs = [("SET", "set"), ("EMPTY", ""), ("BROKEN", "hush\n"), ("NAME", "good")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables = Variables::given(BTreeMap::from(pairs));
    let secret = |written: &str| {
        let text = GOOD.replacen("${SECRET}", written, 1);
        let source = Source { file: "c.toml".to_owned(), folder: folder.path().to_owned(), text };
        Written::read(source, &variables)
            .map(|written| written.orgs["acme"].client_secret.expose_secret().to_owned())
            .map_err(|problems| problems.to_string().replace(&folder.path().display().to_string(), "/folder"))
    };
    let good = [
        ("${SET}", "set"),
        ("a${SET}b$$", "asetb$"),
        ("$5 a$$ {}", "$5 a$ {}"),
        ("${EMPTY}", ""),
        ("${NONE:-usual}", "usual"),
        ("${EMPTY:-usual}", "usual"),
        ("${SET:-usual}", "set"),
        ("${NONE:-}", ""),
        ("${NONE:-a ${SET}}", "a set"),
        ("${SET:?set it}", "set"),
        ("${file:good}", "a-fine-secret"),
        ("${file:./${NAME}}", "a-fine-secret"),
        ("${file:${NONE:-good}}", "a-fine-secret"),
    ];
    for (written, value) in good {
        assert_eq!(secret(written), Ok(value.to_owned()), "{written}");
    }
    let bad = [
        "${NONE}",
        "${NONE:?ask the security desk}",
        "${EMPTY:?it is empty}",
        "${NONE:+x}",
        "${NONE-x}",
        "${}",
        "${BROKEN}",
        "${file:echo}",
        "${file:lines}",
        "${file:blank}",
        "${file:empty}",
        "${file:bytes}",
        "${file:long}",
        "${file:folder}",
        "${file:nothing}",
        "${file:}",
        "${file:${NONE}}",
        "${file:good",
    ];
    let said = bad.map(|written| {
        let said = secret(written).unwrap_err();
        assert!(!said.contains("hush"), "{said}");
        format!("{written}\n    {said}\n")
    });
    insta::assert_snapshot!(said.concat());
}

#[test]
fn a_secret_file_for_everybody_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "a-fine-secret").unwrap();
    for (mode, warnings) in [(0o644, 1), (0o640, 0), (0o400, 0)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let config = check(&GOOD.replacen("${SECRET}", &format!("${{file:{}}}", file.display()), 1)).unwrap();
        let about = config.warnings.iter().filter(|warning| warning.contains("every user of this machine")).count();
        assert_eq!(about, warnings, "{mode:o}: {:?}", config.warnings);
    }
}

#[test]
fn a_terminal_gets_the_line_unless_it_may_hold_a_secret() {
    let text = GOOD.replacen("listen", "\tlisen", 1).replacen("client_secret", "clientsecret", 1);
    insta::assert_snapshot!(check(&text).err().unwrap().with_excerpts(), @r#"
    c.toml:4:2: unknown key `lisen`; did you mean `listen`?
      4 |  lisen = "127.0.0.1:0"
        |  ^^^^^
    c.toml:9:1: unknown key `clientsecret`; did you mean `client_secret`?
    "#);
}

/// A secret stands on a line that does not say so itself: its table does, or the line above.
#[test]
fn no_line_of_a_secret_is_shown_whatever_is_wrong_with_it() {
    let otlp = "[observe.otlp]\nendpoint = \"http://127.0.0.1:4318\"\n[observe.otlp.headers]\nx-corp = \"hush-hush\n";
    for wrong in [
        "[connectors.more.credentials]\nx-corp = \"hush-hush\n",
        "[connectors.more]\ncredentials = { x-corp = [\n  \"hush-hush\",\n  'hush-hush\n",
        "[outgoing]\nproxy = \"ftp://user:hush@proxy.example.com\"\n",
        otlp,
    ] {
        let shown = check(&format!("{GOOD}\n{wrong}")).err().unwrap().with_excerpts();
        assert!(!shown.contains("hush"), "{wrong}{shown}");
    }
}

#[test]
fn nothing_secret_is_printed_of_what_was_read() {
    let text = GOOD.replacen("${SECRET}", "hush-hush-hush", 1);
    let printed = format!("{:?}", read(&text).unwrap());
    assert!(!printed.contains("hush") && !printed.contains("of-some-length"), "{printed}");
    assert!(!printed.contains("digests"), "{printed}");
}

/// Each change of the good file, and what is told about it.
#[test]
fn what_may_go_wrong_is_told() {
    let web = "path = \"/genesys/acme\"";
    let sms = "path = \"/genesys/sms\"";
    let engine = "type = \"script\"\nfile = \"bots/parcels.toml\"";
    let webhook = |rest: &str| format!("type = \"webhook\"\n{rest}");
    let endpoint = |rest: &str| format!("type = \"connector\"\nspeaks = \"{rest}\"");
    let changes = [
        ("127.0.0.1:0", "0.0.0.0:8080".to_owned()),
        ("127.0.0.1:0", "[::1]:8080".to_owned()),
        ("127.0.0.1:0\"", "127.0.0.1:8080\"\ndrain_ms = 15000".to_owned()),
        ("127.0.0.1:0\"", "127.0.0.1:8080\"\ngrace_ms = 19000".to_owned()),
        ("region = \"mypurecloud.de\"", "region = \"mypurecloud.de\"\nrequests_per_minute = 1000".to_owned()),
        ("region = \"mypurecloud.de\"", "region = \"mypurecloud.de\"\napi_url = \"http://api.example.com\"".to_owned()),
        ("region = \"mypurecloud.de\"", "region = \"mypurecloud.de\"\nlogin_url = \"http://[::1]:80\"".to_owned()),
        (web, format!("{web}\nsoft_deadline_ms = 20000")),
        (web, format!("{web}\non_unknown_send = \"drop\"")),
        (web, format!("{web}\npush_after_ack_ms = 0")),
        (web, format!("{web}\nchannel_parameter = \"\"")),
        (
            "[connectors.web]",
            "[orgs.spare]\nregion = \"eu-west-1\"\nclient_id = \"id\"\nclient_secret = \"x\"\n\n[connectors.web]"
                .to_owned(),
        ),
        (sms, format!("{sms}\nbudget_ms = 9500")),
        (sms, format!("{sms}\nsession_lifetime_default_ms = 3600000")),
        ("another-secret", "a-secret".to_owned()),
        (
            "\"another-secret-of-some-length\"",
            "[\"an-old-secret-of-some-length\", \"a-secret-of-some-length\"]".to_owned(),
        ),
        ("another-secret-of-some-length", "short".to_owned()),
        ("{ x-key = \"another", "{ x_key = \"another".to_owned()),
        ("max_turns = 20", "hard_deadline_ms = 7500".to_owned()),
        (engine, webhook("url = \"http://bot.example.com/\"\nsecrets = [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]")),
        (engine, webhook("url = \"http://localhost:9000/\"")),
        (engine, endpoint("v1\"\nurl = \"http://bot.example.com/\"\nreplay = \"safe")),
        (engine, endpoint("v2\"\nurl = \"https://bot.example.com/\"\nheaders.x-key = \"a-token")),
    ];
    let mut told = String::new();
    for (good, risky) in changes {
        let text = GOOD.replacen(good, &risky, 1);
        assert_ne!(text, GOOD, "{good}");
        let config = check(&text).unwrap_or_else(|problems| panic!("{risky}: {problems}"));
        let warnings = warnings(&config).into_iter().filter(|warning| !warning.contains("port 0"));
        let warnings = warnings.map(|warning| format!("\n    {warning}")).collect::<String>();
        assert!(!warnings.contains("hush") && !warnings.contains("of-some-length"), "{warnings}");
        told.push_str(&format!("{}{warnings}\n", risky.replace('\n', "⏎")));
    }
    insta::assert_snapshot!(told);
}

/// However a file is cut off or misspelt, it is read to its end or refused with a place in it.
#[test]
fn no_text_is_too_broken_to_be_told_of() {
    let lines = GOOD.lines().count() + 1;
    let told = |text: &str| {
        if let Err(problems) = read(text) {
            assert!(problems.iter().all(|problem| (1..=lines + 1).contains(&problem.place().1)), "{problems}");
            assert!(!problems.with_excerpts().contains("hush"), "{problems}");
        }
    };
    for (at, _) in GOOD.char_indices() {
        told(&GOOD[..at]);
        for odd in ["“", "\"", "'", "[", "]", "=", ":", ",", "\\", "\u{a0}", "\0", "\r", "\n", "${", "}", "ä"] {
            told(&format!("{}{odd}{}", &GOOD[..at], &GOOD[at..]));
        }
    }
}

#[test]
fn the_values_in_effect_show_no_secret_and_nothing_that_is_off() {
    let text = GOOD.replacen("[orgs.acme]", "[outgoing]\nproxy = \"http://user:hush@proxy:3128\"\n\n[orgs.acme]", 1);
    let effective = read(&text).unwrap().effective;
    let (toml, json) = (effective.to_toml(), effective.to_json());
    assert!(!toml.contains("hush") && !json.to_string().contains("hush"), "{toml}");
    assert!(!toml.contains("min_version"), "TLS is off: {toml}");
    assert_eq!(json.pointer("/connectors/web/soft_deadline_ms"), Some(&8000.into()));
    let other = read(&text.replacen("user:hush", "user:hash", 1)).unwrap().effective;
    let changes: Vec<String> = effective.changes_to(&other).iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["outgoing.proxy: changed"]);
}

/// A bot may say nothing of its texts, and then they have no value that TOML could write.
#[test]
fn the_values_in_effect_are_toml_again() {
    let text = format!("{GOOD}\n[bots.silent.engine]\ntype = \"webhook\"\nurl = \"https://bot.example.com\"\n");
    let effective = read(&text).unwrap().effective;
    let shown: toml::Table = effective.to_toml().parse().unwrap();
    assert!(shown["bots"].get("silent").is_some(), "{shown}");
    assert_eq!(serde_json::to_value(shown).unwrap(), *effective.to_json());
}
