//! The doctor at a set-up that is in order, and at one that is ill in every way there is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cordboard::config::{Config, Variables, Written};
use cordboard::doctor::{Report, Scope, Status, examine};
use cordboard::runtime::{Clock, SystemClock};
use cordboard::serve::Gateway;
use model::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use simulator::{Integration, Settings, Simulator};
use tempfile::TempDir;

const MINUTE_MS: i64 = 60_000;

/// This machine's clock, some time ahead of all others.
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0)
    }
}

/// A gateway behind TLS of an authority of its own, on a folder of its own, with a simulated Genesys Cloud that is its
/// bot's server as well: any answer to OPTIONS is one.
struct SetUp {
    simulator: Simulator,
    gateway: Option<Gateway>,
    folder: TempDir,
    port: u16,
}

impl SetUp {
    async fn new(until_year: i32) -> Self {
        let simulator = Simulator::start(Settings::default()).await.unwrap();
        simulator.register(Integration::v2("http://127.0.0.1:9/unused"));
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path(), until_year);
        let mut set_up = Self { simulator, gateway: None, folder, port: 9 };
        let gateway = Gateway::start(set_up.config(|text| text)).await.unwrap();
        set_up.port = gateway.address().port();
        set_up.gateway = Some(gateway);
        set_up
    }

    /// The configuration with a change.
    fn config(&self, change: impl FnOnce(String) -> String) -> Config {
        let text = format!(
            r#"version = 1
[server]
listen = "127.0.0.1:0"
public_url = "https://localhost:{port}"
drain_ms = 0
[server.tls]
cert_file = "cert.pem"
key_file = "key.pem"
[outgoing]
ca_file = "authority.pem"
[orgs.acme]
api_url = "{simulator}"
login_url = "{simulator}"
client_id = "simulated-client"
client_secret = "simulated-secret"
[connectors.web]
type = "digital_bot_connector"
org = "acme"
path = "/genesys/web"
credentials = {{ x-key = "a-secret-of-some-length" }}
[connectors.sms]
type = "bot_connector"
org = "acme"
path = "/genesys/sms"
credentials = {{ x-key = "another-secret-of-some-length" }}
[bots.helper.engine]
type = "webhook"
url = "{simulator}/bot?token=hush"
[bots.clumsy.engine]
type = "script"
file = "{script}"
"#,
            port = self.port,
            simulator = self.simulator.url(),
            script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/bots/clumsy.toml"),
        );
        let file = self.folder.path().join("cordboard.toml");
        fs::write(&file, change(text)).unwrap();
        let written = Written::load(&file, &Variables::given([].into())).and_then(Written::check);
        written.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// What the doctor says, without what differs from run to run.
    async fn asked(&self, config: &Config, scope: Scope, ahead_ms: i64) -> (Report, String) {
        let report = examine(config, scope, Arc::new(Ahead(ahead_ms))).await;
        let mut bytes = Vec::new();
        report.print(&mut bytes).unwrap();
        let mut said = String::from_utf8(bytes).unwrap();
        assert!(!said.contains("hush") && !said.contains("secret-of"), "{said}");
        said = said.replace(&self.folder.path().display().to_string(), "FOLDER");
        said = said.replace(&self.simulator.url(), "SIMULATOR").replace(&format!(":{}", self.port), ":PORT");
        for (pattern, plain) in [
            (r"\d+ days", "N days"),
            (r"\d+ MB", "N MB"),
            (r"\d+ KB", "N KB"),
            (r"schema \d+", "schema N"),
            (r"\d+ address(es)?", "N addresses"),
            (r"cannot be resolved \(.*\)", "cannot be resolved (…)"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:N"),
            (r"is \d+ seconds (ahead of|behind)", "agrees with"),
        ] {
            said = regex_lite::Regex::new(pattern).unwrap().replace_all(&said, plain).into_owned();
        }
        (report, said)
    }

    /// The lines that are not as they should be.
    async fn complaints(&self, ahead_ms: i64, change: impl FnOnce(String) -> String) -> String {
        let config = self.config(change);
        let (_, said) = self.asked(&config, Scope::default(), ahead_ms).await;
        let lines: Vec<&str> = said.lines().collect();
        let (_, checks) = lines.split_last().unwrap();
        let is_wrong = |line: &&&str| {
            !line.starts_with("ok")
                && !line.contains("botconnector:edit")
                && !line.contains("`integration_id` is not set")
        };
        let wrong = checks.iter().filter(is_wrong);
        wrong.map(|line| format!("{line}\n")).collect()
    }
}

fn certificates(folder: &Path, until_year: i32) {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "The authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "The gateway");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until_year, 1, 1);
    let cert = params.signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("cert.pem"), format!("{}{}", cert.pem(), issuer.pem())).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.join("authority.pem"), issuer.pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_up_in_order_is_found_so() {
    let mut set_up = SetUp::new(2090).await;
    let config = set_up.config(|text| text);
    let with_the_store = Scope { store: true, org: None };
    let (report, said) = set_up.asked(&config, with_the_store.clone(), 0).await;
    assert_eq!(report.count(Status::Failed), 0, "{said}");
    insta::assert_snapshot!("in_order", said);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["checks"][0]["check"], "folder");
    assert!(set_up.simulator.record().violations().is_empty());

    // The same while nothing runs: the store is read, and the public address is no fault.
    set_up.gateway.take().unwrap().stop().await;
    let (report, said) = set_up.asked(&config, with_the_store, 0).await;
    assert_eq!(report.count(Status::Failed), 0, "{said}");
    let shown: Vec<&str> =
        said.lines().filter(|line| line.contains(" store ") || line.contains("public_url")).collect();
    insta::assert_snapshot!("at_rest", shown.join("\n"));

    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let config = set_up.config(|text| text.replacen("127.0.0.1:0", &taken, 1));
    let (_, said) = set_up.asked(&config, Scope { store: true, org: None }, 0).await;
    assert!(said.contains("FAILED   listen      server.listen: cannot listen on 127.0.0.1:N: Address"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mistake_is_named_with_what_to_do() {
    let set_up = SetUp::new(2090).await;
    let replaced = |from: &'static str, to: &'static str| move |text: String| text.replacen(from, to, 1);
    let nobody = "http://127.0.0.1:1/bot";
    let simulator = set_up.simulator.url();
    let bot = format!("{simulator}/bot?token=hush");
    let elsewhere = |to: &str| {
        let (from, to) = (bot.clone(), to.to_owned());
        move |text: String| text.replace(&from, &to)
    };
    let mut said = String::new();
    let mut add = |name: &str, lines: String| said.push_str(&format!("# {name}\n{lines}"));
    add("wrong secret", set_up.complaints(0, replaced("simulated-secret", "hushed")).await);
    add("the clock is five minutes ahead", set_up.complaints(5 * MINUTE_MS, |text| text).await);
    add("the clock is three minutes behind", set_up.complaints(-3 * MINUTE_MS, |text| text).await);
    add("the bot does not run", set_up.complaints(0, elsewhere(nobody)).await);
    // No resolver is asked for a label of more than 63 letters (RFC 1035, section 2.3.4), so none can be slow.
    let misspelt = format!("{}.invalid", "x".repeat(64));
    let told = set_up.complaints(0, elsewhere(&format!("http://{misspelt}/"))).await;
    add("the bot's host is misspelt", told.replace(&misspelt, "bot.invalid"));
    let plain = format!("https://{}", set_up.simulator.address());
    add("the bot does not speak TLS", set_up.complaints(0, elsewhere(&plain)).await);
    let gateway = format!("https://127.0.0.1:{}/", set_up.port);
    add("the bot's certificate is another's", set_up.complaints(0, elsewhere(&gateway)).await);
    add("the public address leads past the path", set_up.complaints(0, replaced("\"/genesys/web\"", "\"/web\"")).await);
    add("the public address leads nowhere", {
        let port = format!("localhost:{}", set_up.port);
        set_up.complaints(0, move |text| text.replace(&port, "localhost:1")).await
    });
    add("the authority's file is another", set_up.complaints(0, replaced("authority.pem", "key.pem")).await);
    add("the authority is not known", set_up.complaints(0, replaced("ca_file = \"authority.pem\"", "")).await);
    add(
        "the proxy does not run",
        set_up
            .complaints(0, |text| {
                let text = text.replace("[outgoing]", "[outgoing]\nproxy = \"http://user:hush@127.0.0.1:1\"");
                text.replace(&bot, "http://bot.example.com/")
            })
            .await,
    );
    set_up.simulator.register(Integration { permissions: Vec::new(), ..Integration::v2("http://127.0.0.1:9/unused") });
    add("the permission is missing", set_up.complaints(0, |text| text).await);
    insta::assert_snapshot!(said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_served_and_found() {
    let set_up = SetUp::new(2021).await;
    insta::assert_snapshot!(set_up.complaints(0, |text| text).await);
}
