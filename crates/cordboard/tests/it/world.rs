//! The whole gateway, assembled as `serve` assembles it, on a folder of its own, between the simulated platform and a bot
//! that the test holds in its hand. It can be killed at a named point and started again.
//!
//! Nothing here waits for a time to pass: every wait is for something that happens, and [`PATIENCE`] is a safety net.

mod bot;
mod customer;
mod gate;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conversation::Conversation;
use cordboard::config::{Config, Variables, Written};
use cordboard::connector::registry;
use cordboard::dead_letter::Redriven;
use cordboard::engine::webhook::signature::{Key, sign};
use cordboard::gateway::Shared;
use cordboard::reload::{Refused, Reloaded};
use cordboard::serve::Gateway;
use cordboard::store::LetterQuery;
use serde_json::Value;
use simulator::{FlowSettings, Integration, Registered, Settings, Simulator};
use tempfile::TempDir;

use crate::gateway::{KEY, SECRET};
use crate::raw::{Answer, request, send};

pub(crate) use bot::{Bot, Taken};
pub(crate) use customer::Customer;
pub(crate) use gate::Gate;

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const DIGITAL: &str = "/genesys/digital";
const CLASSIC: &str = "/genesys/classic";
/// The size of the store's disk reserve. A file of this size that is there already is not written, and tests need none.
const RESERVE_BYTES: u64 = 128 * 1024 * 1024;

/// What a test wishes of the configuration: lines of TOML for some of its tables.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// For the v2 connector.
    pub(crate) digital: &'static str,
    /// For the v1 connector.
    pub(crate) classic: &'static str,
    /// For both bots.
    pub(crate) bots: &'static str,
    /// For the engine of the bot that the test answers for.
    pub(crate) webhook: &'static str,
}

/// Everything there is.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) bot: Bot,
    pub(crate) gate: Arc<Gate>,
    digital: Arc<Registered>,
    classic: Arc<Registered>,
    file: PathBuf,
    running: Option<Running>,
    _folder: TempDir,
}

/// A gateway on threads of its own, so that it can be stopped without being asked.
struct Running {
    threads: Option<tokio::runtime::Runtime>,
    gateway: Option<Gateway>,
}

impl Running {
    async fn start(config: Config, gate: Arc<Gate>) -> Self {
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let starting = threads
            .spawn(async move { Gateway::start_with(config, Some(gate)).await.map_err(|error| error.to_string()) });
        let gateway = starting.await.unwrap().unwrap();
        Self { threads: Some(threads), gateway: Some(gateway) }
    }

    /// Ends it as a crash would: no task gets another turn. Afterwards the folder is free.
    async fn crash(mut self) {
        let (threads, gateway) = (self.threads.take().unwrap(), self.gateway.take());
        let ending = tokio::task::spawn_blocking(move || {
            drop(gateway);
            threads.shutdown_timeout(PATIENCE);
        });
        ending.await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// No test may pass in which the platform saw a rule of its contract broken.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.simulator.record().violations(), []);
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    pub(crate) async fn with(wishes: Wishes) -> Self {
        Self::with_more(wishes, "").await
    }

    /// With more tables than those of the tests.
    pub(crate) async fn with_more(wishes: Wishes, more: &str) -> Self {
        let simulator = Simulator::start(Settings::default()).await.unwrap();
        let bot = Bot::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cordboard.toml");
        std::fs::write(&file, configuration(wishes, &simulator.url(), &bot.url()) + more).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        File::create(folder.path().join("data/reserve")).unwrap().set_len(RESERVE_BYTES).unwrap();
        let (name, secret) = KEY;
        let bots = bot_list(&read(&file));
        let digital = simulator.register(Integration::v2("").header(name, secret).id("digital"));
        let classic = simulator.register(Integration::v1("").header(name, secret).id("classic").bots(bots));
        let mut world =
            Self { simulator, bot, gate: Arc::default(), digital, classic, file, running: None, _folder: folder };
        world.start().await;
        world
    }

    /// Starts the gateway on the folder as it is; the platform calls it from now on.
    pub(crate) async fn start(&mut self) {
        self.running = Some(Running::start(read(&self.file), self.gate.clone()).await);
        let address = self.address();
        self.digital.set_url(format!("http://{address}{DIGITAL}"));
        self.classic.set_url(format!("http://{address}{CLASSIC}"));
    }

    /// Stops the gateway without telling it.
    pub(crate) async fn crash(&mut self) {
        self.running.take().unwrap().crash().await;
    }

    pub(crate) async fn crash_and_start(&mut self) {
        self.crash().await;
        self.start().await;
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.running.as_ref().and_then(|running| running.gateway.as_ref()).unwrap()
    }

    /// Where everything is kept.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.file.with_file_name("data")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway().address()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.gateway().shared()
    }

    /// A customer on the door that can push.
    pub(crate) async fn v2(&self) -> Customer {
        self.v2_with("helper", FlowSettings::default()).await
    }

    /// A customer on the door that cannot.
    pub(crate) async fn v1(&self) -> Customer {
        self.v1_with("helper", FlowSettings::default()).await
    }

    pub(crate) async fn v2_with(&self, bot: &str, flow: FlowSettings) -> Customer {
        self.customer(&self.digital, bot, flow).await
    }

    pub(crate) async fn v1_with(&self, bot: &str, flow: FlowSettings) -> Customer {
        self.customer(&self.classic, bot, flow).await
    }

    async fn customer(&self, door: &Arc<Registered>, bot: &str, flow: FlowSettings) -> Customer {
        // One retry after the other, as soon as may be: a test that restarts the gateway waits for one of them.
        let flow = FlowSettings { retry_backoff_ms: vec![100], ..flow };
        Customer::new(self.simulator.conversation(door, bot, flow).await.unwrap(), door.clone())
    }

    /// Posts a body at a customer's door as the platform would; gives the status and the body of the answer.
    pub(crate) async fn posts(&self, customer: &Customer, body: &Value) -> (u16, String) {
        self.posts_with(customer, &[KEY], &body.to_string()).await
    }

    /// The same with these headers and a body that may be anything.
    pub(crate) async fn posts_with(&self, customer: &Customer, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let answer = self.simulator.post_raw(customer.door(), headers, body.to_owned()).await;
        let (status, body) = answer.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The customer says something, and the bot answers it in time.
    pub(crate) async fn exchange(&mut self, customer: &Customer, says: &str, answer: &str) {
        customer.says(says);
        self.bot.asked().await.says(answer);
        assert_eq!(customer.sees().await, answer);
        customer.is_answered().await;
    }

    /// What the bot says by a callback.
    pub(crate) async fn calls_back(&self, taken: &Taken, id: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let seconds = self.shared().runtime().now().0 / 1000;
        let signature = sign(&[Key::parse(SECRET).unwrap()], id, seconds, body.as_bytes());
        let seconds = seconds.to_string();
        let headers = [("webhook-id", id), ("webhook-timestamp", &seconds), ("webhook-signature", &signature)];
        let path = format!("/v1/engine/conversations/{}/replies", taken.session);
        send(self.address(), &request("POST", &path, &headers, body.as_bytes())).await
    }

    /// Changes the configuration file, every place of it, and lets the gateway read it again.
    pub(crate) async fn reload(&self, before: &str, after: &str) -> Result<Reloaded, Refused> {
        let text = std::fs::read_to_string(&self.file).unwrap();
        assert!(text.contains(before), "{before} is not there");
        std::fs::write(&self.file, text.replace(before, after)).unwrap();
        self.gateway().reloading().reload("test").await
    }

    /// Ends the haste of a door that a test gave a short deadline: what is asked from now on is answered in time on a slow
    /// machine, too. What waits already keeps its deadline.
    pub(crate) async fn hurries_no_more(&self) {
        let written = std::fs::read_to_string(&self.file).unwrap();
        let (hasty, patient) = [
            ("\nbudget_ms = 1000\n", "\nbudget_ms = 10000\n"),
            ("\nsoft_deadline_ms = 100\n", "\nsoft_deadline_ms = 20000\n"),
        ]
        .into_iter()
        .find(|(hasty, _)| written.contains(hasty))
        .expect("a door hurries");
        self.reload(hasty, patient).await.unwrap();
    }

    /// Waits until something is so that nothing outside tells of.
    #[track_caller]
    pub(crate) fn until<'a>(&'a self, is_so: impl Fn(&Shared) -> bool + 'a) -> impl Future<Output = ()> + 'a {
        let asked_at = std::panic::Location::caller();
        async move {
            let waiting = async {
                while !is_so(self.shared()) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never so: {asked_at}");
        }
    }

    /// Waits until the latest conversation is stored so: whatever came before is applied then, and what comes now is later.
    #[track_caller]
    pub(crate) fn until_stored<'a>(
        &'a self,
        is_so: impl Fn(&Conversation) -> bool + 'a,
    ) -> impl Future<Output = ()> + 'a {
        let asked_at = std::panic::Location::caller();
        async move {
            let stored = async || {
                let latest = self.shared().store().conversations(1).await.unwrap();
                let state = self.shared().peek(*latest.first()?).await.unwrap()?;
                is_so(&state).then_some(())
            };
            let waiting = async {
                while stored().await.is_none() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never so: {asked_at}");
        }
    }

    /// Waits until so many inputs are stored that the bot was not asked yet.
    #[track_caller]
    pub(crate) fn inputs_wait(&self, count: usize) -> impl Future<Output = ()> + '_ {
        self.until_stored(move |conversation| conversation.seats[0].waiting.len() == count)
    }

    /// Waits until no request is between its arrival and the end of its response.
    pub(crate) async fn no_request_is_open(&self) {
        self.until(|shared| shared.open_requests() == 0).await;
    }

    /// The next dead letters, at least one: their kinds, places and reasons, and their ids.
    pub(crate) async fn letters(&self) -> (Vec<String>, Vec<u64>) {
        let looking = async {
            loop {
                let letters = self.shared().letters(LetterQuery::default()).await.unwrap();
                if !letters.is_empty() {
                    return letters;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let letters = tokio::time::timeout(PATIENCE, looking).await.unwrap();
        let shown = letters.iter().map(|letter| format!("{} {}: {}", letter.kind, letter.place, letter.reason));
        (shown.collect(), letters.iter().map(|letter| letter.id).collect())
    }

    pub(crate) async fn has_letters(&self) -> bool {
        !self.shared().letters(LetterQuery::default()).await.unwrap().is_empty()
    }

    /// Lets an operator do something inside the gateway.
    pub(crate) async fn operator<T: Send + 'static, F>(&self, does: impl FnOnce(Arc<Shared>) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        let done = does(self.shared().clone());
        let threads = self.running.as_ref().and_then(|running| running.threads.as_ref()).unwrap();
        threads.spawn(done).await.unwrap()
    }

    /// An operator tries a letter again.
    pub(crate) async fn redrive(&self, letter: u64) -> Redriven {
        let shared = self.shared().clone();
        let threads = self.running.as_ref().and_then(|running| running.threads.as_ref()).unwrap();
        threads.spawn(async move { shared.redrive(letter, false).await }).await.unwrap().unwrap()
    }
}

fn read(file: &std::path::Path) -> Config {
    let written = Written::load(file, &Variables::given(BTreeMap::new()));
    match written.and_then(Written::check) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

/// v1's bots, as an operator's command would send them to the platform.
fn bot_list(config: &Config) -> Value {
    match &config.connectors[&"classic".into()] {
        registry::Integration::BotConnector(connector) => serde_json::from_slice(&connector.bot_list()).unwrap(),
        registry::Integration::DigitalBotConnector(_) => unreachable!(),
    }
}

fn configuration(wishes: Wishes, simulator: &str, bot: &str) -> String {
    let Wishes { digital, classic, bots, webhook } = wishes;
    let (key, secret) = KEY;
    let clumsy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/bots/clumsy.toml");
    format!(
        r#"version = 1

[server]
listen = "127.0.0.1:0"
data_dir = "data"

[orgs.acme]
api_url = "{simulator}"
login_url = "{simulator}"
client_id = "simulated-client"
client_secret = "simulated-secret"

[connectors.digital]
type = "digital_bot_connector"
org = "acme"
path = "{DIGITAL}"
credentials = {{ {key} = "{secret}" }}
{digital}

[connectors.classic]
type = "bot_connector"
org = "acme"
path = "{CLASSIC}"
credentials = {{ {key} = "{secret}" }}
{classic}

[bots.helper]
{bots}

[bots.helper.engine]
type = "webhook"
url = "{bot}"
secrets = ["{SECRET}"]
{webhook}

[bots.clumsy]
{bots}

[bots.clumsy.engine]
type = "script"
file = "{clumsy}"
"#
    )
}
