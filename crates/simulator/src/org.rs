//! The simulated organisation: what cloud, flow and control share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{self, Outcome};
use crate::check::manifest::{self, Bot, BotVersion};
use crate::check::{Findings, Violation};
use crate::cloud::token::Tokens;
use crate::conversation::line::Line;
use crate::fault::Dice;
use crate::record::{Event, Record};
use crate::{Conversation, Door, Error, Faults, FlowSettings, Integration, Settings, lock};

/// An integration that was set up.
#[derive(Debug)]
pub struct Registered {
    /// As it was given.
    pub integration: Integration,
    url: Mutex<String>,
    pub(crate) bot_list: Mutex<Option<Value>>,
    active: AtomicBool,
    published: tokio::sync::Mutex<Option<Arc<Published>>>,
}

impl Registered {
    /// Switches the integration on or off.
    pub fn set_active(&self, active: bool) {
        self.active.store(active, Ordering::SeqCst);
    }

    /// Whether it is switched on.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::SeqCst)
    }

    /// Where the connector is now.
    #[must_use]
    pub fn url(&self) -> String {
        lock(&self.url).clone()
    }

    /// Moves the connector, as after a restart on another port. What was published stays.
    pub fn set_url(&self, url: impl Into<String>) {
        *lock(&self.url) = url.into();
    }

    /// Where a turn is posted.
    pub(crate) fn messages_url(&self) -> String {
        match self.door() {
            Door::V1 => self.url(),
            Door::V2 => format!("{}/messages", self.url().trim_end_matches('/')),
        }
    }

    /// v1: the bot list that was set up or pushed last.
    #[must_use]
    pub fn bot_list(&self) -> Option<Value> {
        lock(&self.bot_list).clone()
    }

    pub(crate) fn door(&self) -> Door {
        self.integration.door
    }
}

/// A list of bots, frozen when the flow was published.
#[derive(Debug)]
pub struct Published {
    /// The bots that could be understood.
    pub bots: Vec<Bot>,
    /// Every breach of the rules for such lists.
    pub violations: Vec<Violation>,
}

#[derive(Debug)]
pub(crate) struct Org {
    pub(crate) settings: Settings,
    pub(crate) record: Record,
    pub(crate) client: reqwest::Client,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) tokens: Tokens,
    pub(crate) integrations: Mutex<Vec<Arc<Registered>>>,
    /// By bot session id, open or closed.
    pub(crate) sessions: Mutex<BTreeMap<String, Arc<Line>>>,
    /// By number.
    pub(crate) conversations: Mutex<BTreeMap<u64, Arc<Line>>>,
    opened: AtomicU64,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Mixed into ids so that a second run does not look like a retry of the first.
    salt: u64,
    ids: Mutex<Dice>,
}

impl Org {
    pub(crate) fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        let salt = if settings.fixed_ids { 0 } else { random_salt() };
        Ok(Arc::new(Self {
            record: Record::new(settings.record_max_entries),
            client: call::client().map_err(Error::Client)?,
            faults: Mutex::new(settings.faults.clone()),
            tokens: Tokens::new(settings.token_lifetime_ms, settings.rate_limit),
            integrations: Mutex::default(),
            sessions: Mutex::default(),
            conversations: Mutex::default(),
            opened: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            salt,
            ids: Mutex::new(Dice::new(settings.seed ^ salt, 0)),
            settings,
        }))
    }

    /// Ends every task, and breaks the circle of conversations that hold the organisation.
    pub(crate) fn shut_down(&self) {
        self.stop.cancel();
        lock(&self.sessions).clear();
        lock(&self.conversations).clear();
    }

    pub(crate) fn scaled(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.settings.time_scale)
    }

    pub(crate) fn uuid(&self) -> String {
        lock(&self.ids).uuid()
    }

    pub(crate) fn register(&self, integration: Integration) -> Arc<Registered> {
        self.tokens.allow(&integration);
        let registered = Arc::new(Registered {
            url: Mutex::new(integration.url.clone()),
            bot_list: Mutex::new(integration.bot_list.clone()),
            active: AtomicBool::new(true),
            published: tokio::sync::Mutex::new(None),
            integration,
        });
        lock(&self.integrations).push(Arc::clone(&registered));
        registered
    }

    pub(crate) fn integration(&self, id: &str) -> Option<Arc<Registered>> {
        lock(&self.integrations).iter().find(|registered| registered.integration.integration_id == id).cloned()
    }

    pub(crate) async fn publish(&self, integration: &Registered) -> Result<Arc<Published>, Error> {
        let mut slot = integration.published.lock().await;
        let published = Arc::new(self.pull(integration).await?);
        *slot = Some(Arc::clone(&published));
        Ok(published)
    }

    /// What is published now; publishes first where nothing is.
    pub(crate) async fn published(&self, integration: &Registered) -> Result<Arc<Published>, Error> {
        let mut slot = integration.published.lock().await;
        if let Some(published) = &*slot {
            return Ok(Arc::clone(published));
        }
        let published = Arc::new(self.pull(integration).await?);
        *slot = Some(Arc::clone(&published));
        Ok(published)
    }

    async fn pull(&self, integration: &Registered) -> Result<Published, Error> {
        let (bots, findings) = match integration.door() {
            Door::V1 => {
                let list = integration.bot_list().ok_or_else(|| Error::Bots {
                    url: integration.url(),
                    problem: "no bot list was given or pushed".to_owned(),
                })?;
                manifest::read(Door::V1, &list)
            }
            Door::V2 => self.pull_manifest(integration).await?,
        };
        Ok(self.freeze(bots, findings))
    }

    pub(crate) async fn publish_as(&self, integration: &Registered, list: &Value) -> Arc<Published> {
        let (bots, findings) = manifest::read(integration.door(), list);
        let published = Arc::new(self.freeze(bots, findings));
        *integration.published.lock().await = Some(Arc::clone(&published));
        published
    }

    fn freeze(&self, bots: Vec<Bot>, findings: Findings) -> Published {
        for violation in &findings.0 {
            self.record.add(None, Event::Broke { violation: violation.clone() });
        }
        self.record.add(None, Event::Published { bots: bots.len() });
        Published { bots, violations: findings.0 }
    }

    /// `GET {base}/bots`, and one `GET {base}/bots/{botId}` for every bot and for one that does not exist.
    async fn pull_manifest(&self, integration: &Registered) -> Result<(Vec<Bot>, Findings), Error> {
        let url = format!("{}/bots", integration.url().trim_end_matches('/'));
        let (status, body) = self.get(integration, &url).await?;
        if status != 200 {
            let next = match status {
                401 | 403 => "; are the headers and secrets those of the connector?",
                404 => "; is the path that of the connector?",
                _ => "",
            };
            return Err(Error::Bots { url, problem: format!("status {status}, wanted 200{next}") });
        }
        let body: Value = serde_json::from_slice(&body)
            .map_err(|error| Error::Bots { url: url.clone(), problem: format!("not JSON: {error}") })?;
        let (bots, mut findings) = manifest::read(Door::V2, &body);
        for bot in &bots {
            let url = format!("{url}/{}", path_segment(&bot.id));
            let (status, body) = self.get(integration, &url).await?;
            let mut ignored = Findings::default();
            let one = serde_json::from_slice(&body)
                .ok()
                .and_then(|body: Value| manifest::bot(Door::V2, &mut ignored, &body, "bot"));
            if status != 200 || one.as_ref() != Some(bot) {
                findings.schema("one-bot", format!("GET /bots/{} ({status}) is not the bot of the list", bot.id));
            }
        }
        let (status, _) = self.get(integration, &format!("{url}/no-such-bot-{}", self.uuid())).await?;
        if status != 404 {
            findings.schema("unknown-bot-404", format!("GET /bots/{{unknown id}} answered {status}, wanted 404"));
        }
        Ok((bots, findings))
    }

    async fn get(&self, integration: &Registered, url: &str) -> Result<(u16, bytes::Bytes), Error> {
        let request = with_headers(self.client.get(url), integration);
        let deadline = Duration::from_secs(30);
        match call::send(request, deadline, Duration::ZERO).await {
            Outcome::Response { status, body } => Ok((status, body)),
            Outcome::TimedOut => Err(Error::Bots { url: url.to_owned(), problem: "no answer in 30 s".to_owned() }),
            Outcome::Broken(problem) => Err(Error::Bots { url: url.to_owned(), problem }),
        }
    }

    pub(crate) async fn open(
        self: &Arc<Self>,
        integration: &Arc<Registered>,
        bot: &str,
        flow: FlowSettings,
    ) -> Result<Conversation, Error> {
        let published = self.published(integration).await?;
        let found = published.bots.iter().find(|candidate| candidate.id == bot);
        let found = found.ok_or_else(|| {
            let bots: Vec<&str> = published.bots.iter().map(|bot| bot.id.as_str()).collect();
            Error::NotPublished(format!("bot '{bot}'; it has {}", bots.join(", ")))
        })?;
        let version = choose_version(found, &flow)?.clone();
        let number = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
        let line = Line::new(Arc::clone(self), Arc::clone(integration), found, version, flow, number, self.salt);
        lock(&self.conversations).insert(number, Arc::clone(&line));
        Ok(Conversation::new(line))
    }

    pub(crate) fn conversation(&self, number: u64) -> Option<Arc<Line>> {
        lock(&self.conversations).get(&number).cloned()
    }
}

/// The version asked for, or the first one; the flow's language must be among its languages, without fallback.
fn choose_version<'a>(bot: &'a Bot, flow: &FlowSettings) -> Result<&'a BotVersion, Error> {
    let version = match &flow.version {
        Some(wanted) => bot.versions.iter().find(|candidate| candidate.version == *wanted),
        None => bot.versions.first(),
    };
    let missing = || {
        let version = flow.version.as_deref().unwrap_or("(any)");
        Error::NotPublished(format!("version '{version}' of bot '{}'", bot.id))
    };
    let version = version.ok_or_else(missing)?;
    if version.languages.contains(&flow.language) {
        Ok(version)
    } else {
        let (language, version) = (&flow.language, &version.version);
        Err(Error::NotPublished(format!("language '{language}' in version '{version}' of bot '{}'", bot.id)))
    }
}

/// Every credential field as a header, on every call.
pub(crate) fn with_headers(request: reqwest::RequestBuilder, integration: &Registered) -> reqwest::RequestBuilder {
    integration.integration.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// Percent-encodes what may not stand in one segment of a path.
fn path_segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Differs from run to run; the standard library seeds its hasher from the system.
fn random_salt() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one("salt")
}
