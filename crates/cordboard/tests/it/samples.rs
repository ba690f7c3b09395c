//! The sample bots of `docs/guides/write-a-webhook-bot.md`, in every language, behind the whole gateway: they hold the
//! same dialogue, take nothing that is not signed, and do nothing twice. What the guide shows of them is what they are.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cordboard::config::{Variables, Written};
use cordboard::engine::webhook::signature::{Key, sign};
use cordboard::serve::Gateway;
use serde_json::{Value, json};
use simulator::file::ConversationFile;
use simulator::{Integration, NoHooks, Settings, Simulator, Target};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::address::free_address;
use crate::world::PATIENCE;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBib3QhISE=";

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/webhook")
}

/// A sample as a process.
struct Sample {
    url: String,
    _child: Child,
}

impl Sample {
    /// Nothing, and a word about it, where this machine has no interpreter for it.
    async fn start(program: &str, file: Option<&str>, gateway: SocketAddr) -> Option<Self> {
        let mut command = Command::new(program);
        command.args(file.map(|file| samples().join(file))).arg("0");
        command.env("CORDBOARD_SECRET", SECRET).env("GATEWAY", format!("http://{gateway}")).env("THINKING_S", "4");
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = match (spawned, file) {
            (Ok(child), _) => child,
            (Err(error), Some(file)) if error.kind() == std::io::ErrorKind::NotFound => {
                println!("NOT TESTED: {file}, since there is no {program} on this machine");
                return None;
            }
            (Err(error), _) => panic!("{program}: {error}"),
        };
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
        let line = line.unwrap_or_else(|| panic!("{program} ended"));
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Some(Self { url, _child: child })
    }
}

#[tokio::test]
async fn the_python_sample_holds_the_dialogue() {
    holds_the_dialogue("python3", Some("python/bot.py")).await;
}

#[tokio::test]
async fn the_node_sample_holds_the_dialogue() {
    holds_the_dialogue("node", Some("node/bot.mjs")).await;
}

#[tokio::test]
async fn the_rust_sample_holds_the_dialogue() {
    let program = Path::new(env!("CARGO_BIN_EXE_cordboard")).with_file_name("examples").join("webhook_bot");
    holds_the_dialogue(program.to_str().unwrap(), None).await;
}

async fn holds_the_dialogue(program: &str, file: Option<&str>) {
    // The bot has to know the gateway and the gateway the bot, so one address is fixed before.
    let address = free_address(u64::from(std::process::id()));
    let Some(sample) = Sample::start(program, file, address).await else { return };
    plays(&sample, address).await;
    takes_only_what_is_signed(&sample).await;
}

async fn plays(sample: &Sample, address: SocketAddr) {
    let simulator = Simulator::start(Settings { rate_limit: None, ..Settings::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = samples().join("cordboard.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("http://127.0.0.1:9000/", &sample.url);
    assert!(text.contains("soft_deadline_ms = 2000"), "sooner than the bot's four seconds, so that its answer is late");
    let variables = Variables::given([("CORDBOARD_SECRET".to_owned(), SECRET.to_owned())].into());
    let mut written = Written::parse(&file, text, &variables).unwrap();
    written.talk_to_simulator(&simulator.url(), "simulated-client", "simulated-secret");
    written.server.listen = address;
    folder.path().clone_into(&mut written.server.data_dir);
    (written.server.drain_ms, written.server.grace_ms) = (0, 1_000);
    let config = written.check().unwrap();
    let list = config.connectors[&"classic".into()].clone();
    let gateway = Gateway::start(config).await.unwrap();
    let cordboard::connector::registry::Integration::BotConnector(classic) = list else { panic!("it is v1") };
    let key = |integration: Integration| integration.header("x-api-key", "the-key-of-the-examples");
    let v2 = simulator.register(key(Integration::v2(format!("http://{address}/genesys/digital"))));
    let bots = serde_json::from_slice(&classic.bot_list()).unwrap();
    let v1 = simulator.register(key(Integration::v1(format!("http://{address}/genesys/classic")).bots(bots)));
    let target = Target { v1: Some(v1), v2: Some(v2) };
    for name in ["dialogue.toml", "hand-over.toml"] {
        let file = std::fs::read_to_string(samples().join(name)).unwrap();
        let played = simulator.play(&ConversationFile::parse(&file, name).unwrap(), &target, &NoHooks).await;
        assert!(played.passed, "{played}");
    }
    gateway.stop().await;
    simulator.stop().await;
}

/// A question as the gateway sends it, signed with these secrets for this time.
async fn post(sample: &Sample, id: &str, signed_s: i64, secrets: &[&str], question: &Value) -> (u16, String) {
    let keys: Vec<Key> = secrets.iter().map(|secret| Key::parse(secret).unwrap()).collect();
    let body = question.to_string();
    let signature = sign(&keys, id, signed_s, body.as_bytes());
    let address = sample.url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: {signed_s}\r\nwebhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, [head.as_bytes(), body.as_bytes()].concat().as_slice())
        .await
        .unwrap();
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
}

async fn takes_only_what_is_signed(sample: &Sample) {
    #[expect(clippy::disallowed_methods, reason = "a foreign process checks the time")]
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let question = |turn: &str, text: &str| {
        json!({"contract": "1", "bot": "hello", "conversation": {"id": "6e0a6c0e-2f0b-4e52-9f0e-3d0a5b1f7a10"},
               "turn": {"id": turn, "seq": 1, "is_first": true, "deadline_ms": 20000},
               "input": {"kind": "text", "text": text}, "context": {}})
    };
    let both = [OLD_SECRET, SECRET];
    let (status, first) = post(sample, "t-1", now_s, &both, &question("t-1", "hello")).await;
    assert_eq!(status, 200, "while a secret is rotated there are two signatures");
    assert!(first.contains("Message 1: hello"), "{first}");
    let again = post(sample, "t-1", now_s, &both, &question("t-1", "hello")).await;
    assert_eq!(again, (200, first), "a turn that is asked again gets the same answer");
    let notice = json!({"contract": "1", "bot": "hello", "conversation": {"id": "c"}, "input": {"kind": "ended"}});
    assert_eq!(post(sample, "n-1", now_s, &[SECRET], &notice).await.0, 204);
    for (secrets, signed_s) in
        [(&[OLD_SECRET][..], now_s), (&[SECRET], now_s - 400), (&[SECRET], now_s + 400), (&[], now_s)]
    {
        let answer = post(sample, "t-2", signed_s, secrets, &question("t-2", "hello")).await;
        assert_eq!(answer.0, 401, "signed {} s from now by {} secrets", signed_s - now_s, secrets.len());
    }
}

#[test]
fn the_guide_shows_the_samples_as_they_are() {
    let guide = include_str!("../../../../docs/guides/write-a-webhook-bot.md");
    for (language, file) in [("python", "python/bot.py"), ("js", "node/bot.mjs"), ("rust", "rust/bot.rs")] {
        let source = std::fs::read_to_string(samples().join(file)).unwrap();
        let shown: Vec<&str> = guide.split(&format!("```{language}\n")).skip(1).collect();
        assert!(shown.len() >= 3, "the guide shows {} parts of {file}", shown.len());
        for part in shown {
            let part = part.split_once("```").unwrap().0;
            assert!(source.contains(part), "the guide shows something else than {file}:\n{part}");
        }
    }
}
