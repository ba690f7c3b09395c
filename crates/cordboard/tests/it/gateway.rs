//! A gateway on a free port: both doors of one org, one bot behind a webhook, and an outside world that is a function.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use conversation::Policies;
use cordboard::connector::Connector;
use cordboard::connector::bots::{Bot, BotFace, Bots};
use cordboard::connector::registry::{ConnectorConfig, Integration};
use cordboard::doors::{self, Doors};
use cordboard::engine::{Engine, EngineConfig};
use cordboard::gateway::{Limits, Parts, Shared};
use cordboard::http::{Call, Client, Failed, Incoming, Patience, Reply, Transport, server};
use cordboard::org::{Org, OrgConfig, Tokens};
use cordboard::outbox::{OrgAccess, PushAccess};
use cordboard::roster::Roster;
use cordboard::runtime::{Runtime, Tasks};
use cordboard::store::Store;
use cordboard::store::memory::{Fault, Memory};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::raw::{Answer, request, send};

pub(crate) const V2: &str = "/genesys/acme/digital";
pub(crate) const V1: &str = "/genesys/acme/v1";
pub(crate) const KEY: (&str, &str) = ("x-key", "a-secret-of-some-length");
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How the bot behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// It repeats what it is told.
    Echoes,
    /// It takes each turn and answers by a callback.
    TakesTurns,
    /// It asks for a human.
    HandsOver,
    /// It answers with this status.
    Fails(u16),
    /// It answers when it is told another behaviour.
    Waits,
}

/// Everything outside: the bot, the login host, the platform's API.
pub(crate) struct World {
    behaviour: watch::Sender<Behaviour>,
    questions: mpsc::UnboundedSender<Value>,
    pushes: mpsc::UnboundedSender<Value>,
    push_status: AtomicU16,
    login_status: AtomicU16,
    logins: watch::Sender<usize>,
    /// For what a test serves itself.
    client: Client,
}

/// Where tests serve themselves.
const HERE: &str = "http://127.0.0.1";

impl World {
    async fn answer(&self, call: Call) -> (u16, Value) {
        let body = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
        if call.url.ends_with("/oauth/token") {
            self.logins.send_modify(|logins| *logins += 1);
            let status = self.login_status.load(Ordering::Relaxed);
            return (status, json!({"access_token": "t", "token_type": "bearer", "expires_in": 86_399}));
        }
        if call.url.ends_with("/outgoing/messages") {
            self.pushes.send(body).unwrap();
            return (self.push_status.load(Ordering::Relaxed), json!({"id": "1"}));
        }
        let said = body["input"]["text"].as_str().unwrap_or_default().to_owned();
        self.questions.send(body).unwrap();
        let mut behaviour = self.behaviour.subscribe();
        let behaviour = *behaviour.wait_for(|behaviour| *behaviour != Behaviour::Waits).await.unwrap();
        match behaviour {
            Behaviour::Echoes | Behaviour::Waits => (200, json!({"text": format!("you said {said}")})),
            Behaviour::TakesTurns => (202, Value::Null),
            Behaviour::HandsOver => (200, json!({"next": {"kind": "hand_off", "reason": "asked"}})),
            Behaviour::Fails(status) => (status, json!("nonsense")),
        }
    }
}

impl Transport for World {
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Failed>> {
        if call.url.starts_with(HERE) {
            return self.client.send(call);
        }
        Box::pin(async move {
            let (status, body) = self.answer(call).await;
            let body = if status == 202 { Bytes::new() } else { body.to_string().into() };
            Ok(Reply { status, headers: HeaderMap::new(), body })
        })
    }

    fn open(&self, call: Call, patience: Patience) -> BoxFuture<'_, Result<Incoming, Failed>> {
        assert!(call.url.starts_with(HERE), "the world beyond answers in one piece");
        self.client.open(call, patience)
    }
}

/// What a test may want otherwise.
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) doors: doors::Limits,
    pub(crate) server: server::Limits,
    pub(crate) soft_deadline_ms: u64,
    /// The store takes its time: what comes meanwhile queues.
    pub(crate) slow_store: bool,
    /// The bot's engine, instead of a webhook.
    pub(crate) engine: Option<Arc<dyn Engine>>,
    pub(crate) policies: Arc<Policies>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits { backoff_first_ms: 10, due_poll_ms: 20, ..Limits::default() },
            doors: doors::Limits { body_timeout_ms: 2_000, ..doors::Limits::default() },
            server: server::Limits::default(),
            soft_deadline_ms: 8_000,
            slow_store: false,
            engine: None,
            policies: Arc::default(),
        }
    }
}

pub(crate) struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) v2: Arc<dyn Connector>,
    pub(crate) address: SocketAddr,
    /// Makes the listener stop.
    pub(crate) stop: CancellationToken,
    /// It has stopped, and the last request is answered.
    pub(crate) served: CancellationToken,
    world: Arc<World>,
    questions: tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>,
    pushes: tokio::sync::Mutex<mpsc::UnboundedReceiver<Value>>,
    fault: Arc<Mutex<Fault>>,
}

fn org() -> Org {
    let config = "client_id = 'id'\nclient_secret = 'a-client-secret'\napi_url = 'https://api.example.com'\n\
                  login_url = 'https://login.example.com'";
    let config: OrgConfig = toml::from_str(config).unwrap();
    Org::new("acme".into(), &config).unwrap()
}

fn integrations(org: &Org, soft_deadline_ms: u64) -> [Integration; 2] {
    let face: BotFace = toml::from_str("version = '2'\n[[intents]]\nname = 'Filed'").unwrap();
    let odd: BotFace = toml::from_str("name = 'Odd'").unwrap();
    let bots = Bots::new([Bot::new("claims".into(), face).unwrap(), Bot::new("ein bot".into(), odd).unwrap()]);
    let (name, secret) = KEY;
    let build = |key: &str, toml: String| {
        let toml = format!("{toml}\norg = 'acme'\ncredentials = {{ {name} = '{secret}' }}");
        let config: ConnectorConfig = toml::from_str(&toml).unwrap();
        config.build(key.into(), org, &bots).unwrap()
    };
    [
        build(
            "web",
            format!(
                "type = 'digital_bot_connector'\npath = '{V2}'\nsoft_deadline_ms = {soft_deadline_ms}\npush_after_ack_ms = 0"
            ),
        ),
        build("sms", format!("type = 'bot_connector'\npath = '{V1}'\nbots = ['claims']")),
    ]
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_with(Setup::default()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let fault = Arc::new(Mutex::new(Fault::None));
        let faults = fault.clone();
        let turns = if setup.slow_store { 100 } else { 0 };
        let pause = Arc::new(move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            })
        });
        let memory = Memory::new([7; 16]).with_pause(pause).with_faults(Arc::new(move |_| *faults.lock().unwrap()));
        let (behaviour, _) = watch::channel(Behaviour::Echoes);
        let (questions_in, questions) = mpsc::unbounded_channel();
        let (pushes_in, pushes) = mpsc::unbounded_channel();
        let world = Arc::new(World {
            behaviour,
            questions: questions_in,
            pushes: pushes_in,
            push_status: AtomicU16::new(200),
            login_status: AtomicU16::new(200),
            logins: watch::Sender::new(0),
            client: Client::new().unwrap(),
        });
        let org = org();
        let runtime = Runtime::system(Tasks::default(), [3; 32]);
        let integrations = integrations(&org, setup.soft_deadline_ms);
        let engine: EngineConfig =
            toml::from_str(&format!("type = 'webhook'\nurl = 'http://bot.example.com'\nsecrets = ['{SECRET}']"))
                .unwrap();
        let engine = setup.engine.unwrap_or_else(|| engine.build(Path::new(".")).unwrap());
        let access: Arc<dyn PushAccess> =
            Arc::new(OrgAccess::new(Tokens::new(&org, world.clone(), runtime.clock.clone()), org.rate()));
        let connectors = integrations.iter().map(|integration| {
            let connector = integration.connector();
            (connector.key().clone(), connector)
        });
        let parts = Parts {
            store: Arc::new(memory),
            runtime: runtime.clone(),
            transport: world.clone(),
            roster: Roster {
                connectors: connectors.collect(),
                engines: BTreeMap::from([("claims".into(), engine)]),
                access: BTreeMap::from([(org.key().clone(), access)]),
                policies: setup.policies,
            },
            limits: setup.limits,
            metrics: Arc::default(),
            traces: None,
        };
        let shared = Shared::start(parts).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let doors = Doors::new(shared.clone(), &integrations, &setup.doors);
        let served = CancellationToken::new();
        let (serving, over) =
            (server::serve(listener, doors, setup.server, runtime.clone(), stop.clone()), served.clone());
        runtime.spawn(async move {
            serving.await;
            over.cancel();
        });
        let (questions, pushes) = (tokio::sync::Mutex::new(questions), tokio::sync::Mutex::new(pushes));
        let v2 = integrations[0].connector();
        Self { shared, v2, address, stop, served, world, questions, pushes, fault }
    }

    pub(crate) fn bot(&self, behaviour: Behaviour) {
        self.world.behaviour.send_replace(behaviour);
    }

    /// From now on the store takes nothing, or everything again.
    pub(crate) fn store_fails(&self, fails: bool) {
        *self.fault.lock().unwrap() = if fails { Fault::Refused } else { Fault::None };
    }

    /// The next question to the bot.
    pub(crate) async fn question(&self) -> Value {
        self.questions.lock().await.recv().await.unwrap()
    }

    /// The next push to the platform.
    pub(crate) async fn push(&self) -> Value {
        self.pushes.lock().await.recv().await.unwrap()
    }

    /// Whether the bot was asked anything that no test looked at.
    pub(crate) fn was_asked(&self) -> bool {
        self.questions.try_lock().unwrap().try_recv().is_ok()
    }

    /// Whether anything was pushed that no test looked at.
    pub(crate) fn was_pushed(&self) -> bool {
        self.pushes.try_lock().unwrap().try_recv().is_ok()
    }

    /// What the platform answers to pushes from now on.
    pub(crate) fn pushes_get(&self, status: u16) {
        self.world.push_status.store(status, Ordering::Relaxed);
    }

    /// What the login host answers from now on.
    pub(crate) fn logins_get(&self, status: u16) {
        self.world.login_status.store(status, Ordering::Relaxed);
    }

    /// Waits until the login host was asked so often.
    pub(crate) async fn logins(&self, times: usize) {
        self.world.logins.subscribe().wait_for(|logins| *logins >= times).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.address, &request("GET", path, &[KEY], b"")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Answer {
        send(self.address, &request("POST", path, &[KEY], body)).await
    }

    /// A v2 message.
    pub(crate) async fn says(&self, session: &str, message: &str, text: &str) -> Answer {
        self.post(&format!("{V2}/messages"), message_v2(session, message, text).as_bytes()).await
    }

    /// The kinds of all dead letters.
    pub(crate) async fn letters(&self) -> Vec<String> {
        let letters = self.shared.letters(cordboard::store::LetterQuery::default()).await.unwrap();
        letters.iter().map(|letter| format!("{} {}", letter.kind, letter.place)).collect()
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.shared.store()
    }
}

pub(crate) fn message_v2(session: &str, message: &str, text: &str) -> String {
    json!({
        "botId": "claims", "botVersion": "2", "botSessionId": session, "messageId": message,
        "inputMessage": {"type": "Text", "text": text}, "languageCode": "en-us", "botSessionTimeout": 720,
        "genesysConversationId": format!("conversation of {session}"), "aMemberOfTomorrow": {"a": [1]},
    })
    .to_string()
}

pub(crate) fn message_v1(session: &str, text: &str) -> String {
    json!({
        "botId": "claims", "botVersion": "2", "botSessionId": session,
        "inputMessage": {"type": "Text", "text": text}, "languageCode": "en-us", "botSessionTimeout": 720,
        "genesysConversationId": format!("conversation of {session}"),
    })
    .to_string()
}
