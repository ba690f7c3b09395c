//! Invariant 8: a story with marked words and secrets, in which much goes wrong, leaves none of them in a log line at the
//! finest level, in a metric, or in an error's body.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::gateway::{KEY, SECRET};
use crate::raw::{request, send};
use crate::world::{Wishes, World};

/// In everything that a customer or a bot says.
const MARK: &str = "Marzipan";
/// In what is no secret of ours, but may be somebody's.
const WRONG_SECRET: &str = "Wrong-Marzipan-Secret";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Every line of our crates, from every thread of this process.
fn record() -> Lines {
    let lines = Lines::default();
    let filter = EnvFilter::new("off,cordboard=trace,conversation=trace,model=trace,genesys=trace");
    let log = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(lines.clone()).finish();
    tracing::subscriber::set_global_default(log).unwrap();
    lines
}

#[tokio::test]
async fn no_word_and_no_secret_is_seen_from_outside() {
    let lines = record();
    let mut world = World::with(Wishes { bots: "hard_deadline_ms = 1500", ..Wishes::default() }).await;
    let mut errors = Vec::new();

    // An answer in time, then one that cannot be read, then one that never comes.
    let customer = world.v2().await;
    customer.says(&format!("{MARK} for me"));
    world.bot.asked().await.says(&format!("{MARK} for you"));
    assert_eq!(customer.sees().await, format!("{MARK} for you"));
    customer.says(&format!("{MARK} again"));
    world.bot.asked().await.replies(200, &format!("{{\"txet\": \"{MARK}\"}}"));
    assert!(!customer.leaves_by().await.is_empty());
    let hanging = world.v1().await;
    hanging.says(&format!("{MARK} now"));
    let taken = world.bot.asked().await.takes();
    assert!(!hanging.leaves_by().await.is_empty());

    // Callbacks: late, not understood, and not the bot's.
    errors.push(world.calls_back(&taken, "late", &json!({"in_reply_to": taken.turn, "text": MARK})).await);
    errors.push(world.calls_back(&taken, "nonsense", &json!({"txet": MARK})).await);
    let path = format!("/v1/engine/conversations/{}/replies", taken.session);
    errors.push(send(world.address(), &request("POST", &path, &[("webhook-signature", WRONG_SECRET)], b"{}")).await);

    // Calls of the platform: not understood, not JSON, with a wrong secret, to no such path.
    let messages = "/genesys/digital/messages";
    let body = json!({"botId": MARK, "inputMessage": {"type": "Text", "text": MARK}}).to_string();
    send(world.address(), &request("POST", messages, &[KEY], body.as_bytes())).await;
    errors.push(send(world.address(), &request("POST", messages, &[KEY], format!("{MARK}!").as_bytes())).await);
    let wrong = [(KEY.0, WRONG_SECRET)];
    errors.push(send(world.address(), &request("POST", messages, &wrong, body.as_bytes())).await);
    errors.push(send(world.address(), &request("GET", &format!("/genesys/digital/bots/{MARK}"), &[KEY], b"")).await);

    let page = world.shared().metrics_text().await;
    let text = lines.text();
    for told in [
        "a bot did not answer a turn",
        "none of items, text, next",
        "not understood",
        "without this connector's credentials",
    ] {
        assert!(text.contains(told), "no line tells: {told}\n{text}");
    }
    let secrets = [MARK, WRONG_SECRET, KEY.1, SECRET, "simulated-secret", "Bearer "];
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in the log:\n{text}");
        assert!(!page.contains(secret), "{secret} is in the metrics:\n{page}");
        for error in &errors {
            assert!(error.status >= 400 && !error.body.contains(secret), "{secret}: {error:?}");
        }
    }
}
