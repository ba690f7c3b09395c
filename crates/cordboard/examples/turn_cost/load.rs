//! The platform: connections that are kept, on each of them one message after another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Failure;

/// A conversation has so many turns; then the connection begins another.
const TURNS_EACH: u64 = 30;

/// A load under way.
pub(super) struct Load {
    talking: JoinSet<Result<Vec<Duration>, Failure>>,
    counts: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

/// One connection and its place in the world.
struct Caller {
    stream: TcpStream,
    head: String,
    bot: &'static str,
    answered: bool,
    /// So that no id is ever used twice, over all runs.
    prefix: String,
    buffer: Vec<u8>,
}

impl Load {
    pub(super) async fn start(
        to: SocketAddr,
        path: &str,
        bot: &'static str,
        answered: bool,
        connections: usize,
    ) -> Result<Self, Failure> {
        let (counts, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
        let mut talking = JoinSet::new();
        for number in 0..connections {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let head = format!(
                "POST {path}/messages HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/json\r\naccept: application/json\r\n\
                 x-key: a-secret-of-some-length\r\ninin-correlation-id: 0f8fad5b-d9cb-469f-a165-70867728950e\r\n"
            );
            let prefix = format!("{since:x}-{number:04x}");
            let caller = Caller { stream, head, bot, answered, prefix, buffer: Vec::with_capacity(8 * 1024) };
            talking.spawn(caller.talk(counts.clone(), stop.clone()));
        }
        Ok(Self { talking, counts, stop })
    }

    /// From now on, times are kept.
    pub(super) fn begin(&self) {
        self.counts.store(true, Ordering::Relaxed);
    }

    /// Stops, and gives the time of each answer since [`Load::begin`].
    pub(super) async fn end(mut self) -> Result<Vec<Duration>, Failure> {
        self.counts.store(false, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(times) = self.talking.join_next().await {
            all.extend(times??);
        }
        Ok(all)
    }
}

impl Caller {
    async fn talk(mut self, counts: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> Result<Vec<Duration>, Failure> {
        let mut times = Vec::new();
        for number in 0_u64.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let body = self.body(number);
            let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
            let began = Instant::now();
            self.stream.write_all(request.as_bytes()).await?;
            self.read().await?;
            if counts.load(Ordering::Relaxed) {
                times.push(began.elapsed());
            }
        }
        Ok(times)
    }

    /// A message as the platform writes it.
    fn body(&self, number: u64) -> String {
        // A bot that never answers is asked once in a conversation.
        let conversation = if self.answered { number / TURNS_EACH } else { number };
        let (prefix, bot) = (&self.prefix, self.bot);
        format!(
            r#"{{"botId":"{bot}","botVersion":"1","botSessionId":"session-{prefix}-{conversation:08x}","messageId":"message-{prefix}-{number:08x}","inputMessage":{{"type":"Text","text":"Where is parcel number {number}, please? I have been waiting for it since Monday."}},"languageCode":"en-us","botSessionTimeout":720,"genesysConversationId":"conversation-{prefix}-{conversation:08x}","parameters":{{"customerTier":"gold","queue":"parcels","policy":"P-1009"}}}}"#
        )
    }

    /// Reads one answer, which must be a 200 with words in it, or without, as the case is.
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
            let as_expected = head.starts_with("HTTP/1.1 200 ") && body.contains("\"text\"") == self.answered;
            return if as_expected { Ok(()) } else { Err(format!("an answer that is none: {text}").into()) };
        }
    }
}
