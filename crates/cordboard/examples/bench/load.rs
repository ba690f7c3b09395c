//! The platform's side of a load: connections that are kept, on each of them one message after another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use super::Failure;
use super::world::{BOT_PATH, PUSH_PATH, Pushed};

/// How long one message may take, before the measurement counts as broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a caller says, and what it waits for before it goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Talk {
    /// A message; the answer is in the response.
    Answered,
    /// A message; the response only acknowledges it.
    Acknowledged,
    /// A message; the response only acknowledges it, and the answer is pushed.
    Pushed,
    /// What the gateway would ask the bot.
    ToBot,
    /// What the gateway would push to the platform.
    ToPlatform,
}

/// What is said, and where.
#[derive(Clone, Copy)]
pub(super) struct Script {
    pub(super) talk: Talk,
    /// The connector's path.
    pub(super) path: &'static str,
    pub(super) bot: &'static str,
    /// A conversation has so many messages; then the caller begins another.
    pub(super) messages_each: u64,
}

/// A load under way.
pub(super) struct Load {
    talking: JoinSet<Result<Vec<Duration>, Failure>>,
    control: Arc<Control>,
}

#[derive(Default)]
struct Control {
    counts: AtomicBool,
    stop: AtomicBool,
    /// How many messages are left to be said.
    left: AtomicU64,
}

/// One connection and its place in the world.
struct Caller {
    stream: TcpStream,
    head: String,
    script: Script,
    /// So that no id is ever used twice, over all runs.
    name: String,
    pushed: Option<UnboundedReceiver<()>>,
    buffer: Vec<u8>,
}

impl Load {
    pub(super) async fn start(
        to: SocketAddr,
        script: Script,
        connections: usize,
        pushed: &Pushed,
    ) -> Result<Self, Failure> {
        Self::of(u64::MAX, to, script, connections, pushed).await
    }

    /// Says so many messages and ends.
    pub(super) async fn say(
        count: u64,
        to: SocketAddr,
        script: Script,
        connections: usize,
        pushed: &Pushed,
    ) -> Result<(), Failure> {
        let mut load = Self::of(count, to, script, connections, pushed).await?;
        while let Some(times) = load.talking.join_next().await {
            times??;
        }
        Ok(())
    }

    async fn of(
        left: u64,
        to: SocketAddr,
        script: Script,
        connections: usize,
        pushed: &Pushed,
    ) -> Result<Self, Failure> {
        let control = Arc::new(Control { left: AtomicU64::new(left), ..Control::default() });
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        let mut talking = JoinSet::new();
        for number in 0..connections {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let path = match script.talk {
                Talk::Answered | Talk::Acknowledged | Talk::Pushed => format!("{}/messages", script.path),
                Talk::ToBot => BOT_PATH.to_owned(),
                Talk::ToPlatform => PUSH_PATH.to_owned(),
            };
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
                 x-key: a-secret-of-some-length\r\ninin-correlation-id: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n"
            );
            let name = format!("{since:x}-{number:04x}");
            let pushed = (script.talk == Talk::Pushed).then(|| pushed.listen(&name));
            let caller = Caller { stream, head, script, name, pushed, buffer: Vec::with_capacity(8 * 1024) };
            talking.spawn(caller.talk(control.clone()));
        }
        Ok(Self { talking, control })
    }

    /// From now on, times are kept.
    pub(super) fn begin(&self) {
        self.control.counts.store(true, Ordering::Relaxed);
    }

    /// Stops, and gives the time of each message since [`Load::begin`].
    pub(super) async fn end(mut self) -> Result<Vec<Duration>, Failure> {
        self.control.counts.store(false, Ordering::Relaxed);
        self.control.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(times) = self.talking.join_next().await {
            all.extend(times??);
        }
        Ok(all)
    }
}

impl Control {
    fn goes_on(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        !self.stop.load(Ordering::Relaxed)
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }
}

impl Caller {
    async fn talk(mut self, control: Arc<Control>) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::new();
        for number in 0_u64.. {
            if !control.goes_on() {
                break;
            }
            let body = self.body(number);
            let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
            let began = Instant::now();
            tokio::time::timeout(PATIENCE, self.say(&request)).await.map_err(|_| "no answer for 30 s")??;
            if control.counts.load(Ordering::Relaxed) {
                times.push(began.elapsed());
            }
        }
        Ok(times)
    }

    /// Says one message and waits for all that is to come of it.
    async fn say(&mut self, request: &str) -> Result<(), Failure> {
        self.stream.write_all(request.as_bytes()).await?;
        self.read().await?;
        if let Some(pushed) = &mut self.pushed {
            pushed.recv().await.ok_or("nobody records what is pushed")?;
        }
        Ok(())
    }

    fn body(&self, number: u64) -> String {
        let (name, bot, conversation) = (&self.name, self.script.bot, number / self.script.messages_each);
        match self.script.talk {
            Talk::Answered | Talk::Acknowledged | Talk::Pushed => format!(
                r#"{{"botId":"{bot}","botVersion":"1","botSessionId":"session-{name}_{conversation:08x}","messageId":"message-{name}-{number:08x}","inputMessage":{{"type":"Text","text":"Where is parcel number {number}, please? I have been waiting for it since Monday."}},"languageCode":"en-us","botSessionTimeout":720,"genesysConversationId":"conversation-{name}-{conversation:08x}","parameters":{{"customerTier":"gold","queue":"parcels","policy":"P-1009"}}}}"#
            ),
            Talk::ToBot => format!(
                r#"{{"turn":"{number}","session":"session-{name}","language":"en-us","text":"Where is parcel number {number}, please? I have been waiting for it since Monday.","parameters":{{"customerTier":"gold","queue":"parcels","policy":"P-1009"}}}}"#
            ),
            Talk::ToPlatform => format!(
                r#"{{"botId":"hook","botVersion":"1","botSessionId":"session-{name}_none","languageCode":"en-us","replyMessages":[{{"type":"Text","text":"Your parcel is in Leipzig."}}],"number":{number}}}"#
            ),
        }
    }

    /// Reads one response, which must be a 2xx with words in it, or without, as the case is.
    async fn read(&mut self) -> Result<(), Failure> {
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the connection broke".into());
            }
            let text = std::str::from_utf8(&self.buffer)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.ok_or("an answer without a length")?.parse()?;
            if body.len() < length {
                continue;
            }
            let with_words = matches!(self.script.talk, Talk::Answered | Talk::ToBot);
            let as_expected = head.starts_with("HTTP/1.1 20") && body.contains("\"text\"") == with_words;
            return if as_expected { Ok(()) } else { Err(format!("an answer that is none: {text}").into()) };
        }
    }
}
