//! The metrics: one registry, in which each has its name, unit, labels and meaning.
//!
//! Labels are connectors, bots, orgs and the words of the enums below, so their number is bounded by the configuration.
//! `docs/reference/metrics.md` is generated from [`Metrics::entries`].

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use model::{BotKey, ConnectorKey, OrgKey, Timestamp};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use super::book::Entry;
use super::book::{About, Book, Counters, Decimal, DecimalCounter, Histograms, Labels, changes, seconds};
use super::handles::Handles;
pub use super::words::{EngineOutcome, Exported, Fetched, HandOver, Pushed, RequestOutcome, Tokens};

/// A counter for each word of an enum.
#[derive(Debug)]
struct Words(Vec<Counter>);

impl Words {
    /// Made at once, so that a word that never happened is seen as zero.
    fn new<'a>(
        family: &Counters,
        key: (&'static str, &str),
        label: &'static str,
        words: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self(words.map(|word| family.get_or_create_owned(&labels(&[key, (label, word)]))).collect())
    }

    fn get(&self, word: usize) -> &Counter {
        &self.0[word]
    }
}

fn labels(of: &[(&'static str, &str)]) -> Labels {
    of.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// What is counted of one connector.
#[derive(Debug)]
pub struct OfConnector {
    requests: Words,
    /// From the parsed message to its sealed reply or refusal, in seconds.
    pub reply: Histogram,
}

impl OfConnector {
    /// The counter of an outcome.
    #[must_use]
    pub fn request(&self, outcome: RequestOutcome) -> &Counter {
        self.requests.get(outcome as usize)
    }
}

/// What is counted of one bot.
#[derive(Debug)]
pub struct OfBot {
    turns: Words,
    hand_overs: Words,
    tokens: Words,
    key: String,
    family: Histograms,
    /// Made when they are used, since most outcomes never come.
    calls: Vec<OnceLock<Histogram>>,
}

impl OfBot {
    /// The counter of turns that ended so.
    #[must_use]
    pub fn turn(&self, outcome: EngineOutcome) -> &Counter {
        self.turns.get(outcome as usize)
    }

    /// The counter of hand-overs for this reason.
    #[must_use]
    pub fn hand_over(&self, reason: HandOver) -> &Counter {
        self.hand_overs.get(reason as usize)
    }

    /// The counter of tokens that the engine says its answers took.
    #[must_use]
    pub fn tokens(&self, direction: Tokens) -> &Counter {
        self.tokens.get(direction as usize)
    }

    /// The time of engine calls that ended so, in seconds.
    #[must_use]
    pub fn call(&self, outcome: EngineOutcome) -> &Histogram {
        self.calls[outcome as usize].get_or_init(|| {
            self.family.get_or_create_owned(&labels(&[("bot", &self.key), ("outcome", outcome.word())]))
        })
    }
}

/// What is counted of one org.
#[derive(Debug)]
pub struct OfOrg {
    pushes: Words,
    /// From the time a push may leave to the platform's answer, in seconds.
    pub push_delay: Histogram,
    /// What the org's rate made a push wait, in seconds.
    pub rate_wait: Histogram,
}

impl OfOrg {
    /// The counter of pushes that ended so.
    #[must_use]
    pub fn push(&self, outcome: Pushed) -> &Counter {
        self.pushes.get(outcome as usize)
    }
}

/// What the store's own threads measure.
#[derive(Clone, Debug)]
pub struct StoreMetrics {
    /// The time of one commit, in seconds.
    pub commit: Histogram,
    /// How many changes shared it.
    pub batch: Histogram,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self { commit: seconds(), batch: changes() }
    }
}

/// Counters whose truth is [`Counts`](crate::gateway::Counts); they are copied when somebody asks.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) steps: Counter,
    pub(super) conflicts: Counter,
    pub(super) possible_duplicates: Counter,
    pub(super) corrections: Counter,
    pub(super) letters: Counter,
    pub(super) poisoned: Counter,
}

/// What is read when somebody asks.
#[derive(Debug)]
pub(super) struct Readings {
    pub(super) open_requests: Gauge,
    pub(super) conversations_in_memory: Gauge,
    pub(super) open_conversations: Gauge,
    pub(super) due_lag: Decimal,
    pub(super) outbox_rows: Gauge,
    pub(super) outbox_oldest: Decimal,
    pub(super) letters_stored: Gauge,
    pub(super) wal: Gauge,
    pub(super) disk_free: Gauge,
    pub(super) store_up: Gauge,
    pub(super) draining: Gauge,
    pub(super) token_fetches: Counters,
    pub(super) token_left: Family<Labels, Decimal>,
    pub(super) certificate: Family<Labels, Gauge>,
    pub(super) cpu: DecimalCounter,
    pub(super) resident: Gauge,
    pub(super) descriptors: Gauge,
}

type Days = Box<dyn Fn() -> Option<i64> + Send + Sync>;

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    entries: Vec<Entry>,
    requests: Counters,
    reply: Histograms,
    turns: Counters,
    calls: Histograms,
    tokens: Counters,
    hand_overs: Counters,
    pushes: Counters,
    push_delay: Histograms,
    rate_wait: Histograms,
    shadows: Counters,
    reload_done: Gauge,
    reload_at: Decimal,
    spans: Counters,
    connectors: Handles<ConnectorKey, OfConnector>,
    bots: Handles<BotKey, OfBot>,
    orgs: Handles<OrgKey, OfOrg>,
    certificate_days: Mutex<Option<Days>>,
    pub(super) totals: Totals,
    pub(super) readings: Readings,
    /// For the store's threads.
    pub store: StoreMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Metrics").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All of them, at zero. In the order of the path.
    #[must_use]
    pub fn new() -> Self {
        use Unit::Seconds;
        let mut book = Book { registry: Registry::default(), entries: Vec::new() };
        let requests = book.counters(About(
            "cordboard_requests",
            None,
            &["connector", "outcome"],
            "Calls of the platform with messages, by what became of them.",
        ));
        let reply = book.histograms(
            About(
                "cordboard_reply",
                Some(Seconds),
                &["connector"],
                "From the parsed message to its sealed reply or refusal.",
            ),
            seconds,
        );
        let turns = book.counters(About(
            "cordboard_turns",
            None,
            &["bot", "outcome"],
            "Turns that ended, by what ended them; other than `answered`, the customer got the policy's fallback.",
        ));
        let calls = book.histograms(
            About(
                "cordboard_engine_call",
                Some(Seconds),
                &["bot", "outcome"],
                "Calls to engines, by what came of each; a turn has one for each attempt, or more where an engine wants several for an answer.",
            ),
            seconds,
        );
        let tokens = book.counters(About(
            "cordboard_engine_tokens",
            None,
            &["bot", "direction"],
            "Tokens that language models read and wrote for answers, as far as their engines say.",
        ));
        let hand_overs = book.counters(About(
            "cordboard_hand_overs",
            None,
            &["bot", "reason"],
            "Conversations that a bot gave to humans.",
        ));
        let pushes = book.counters(About(
            "cordboard_pushes",
            None,
            &["org", "outcome"],
            "Answers pushed to the platform, by what came of them; `again` is an attempt that was not the last.",
        ));
        let push_delay = book.histograms(
            About("cordboard_push_delay", Some(Seconds), &["org"], "From the time a push may leave to the end of it."),
            seconds,
        );
        let rate_wait = book.histograms(
            About(
                "cordboard_push_rate_wait",
                Some(Seconds),
                &["org"],
                "What the org's `requests_per_minute` made a push wait; pushes that did not wait are not in it.",
            ),
            seconds,
        );
        let shadows = book.counters(About(
            "cordboard_shadow_answers",
            None,
            &["connector", "found"],
            "Answers of a connector with a `shadow`, by what differs at the other door; `compared` is all of them.",
        ));
        let store = StoreMetrics {
            commit: book.histogram(
                About(
                    "cordboard_store_commit",
                    Some(Seconds),
                    &[],
                    "One commit of the store, with its sync to the disk.",
                ),
                seconds,
            ),
            batch: book.histogram(
                About("cordboard_store_batch_changes", None, &[], "How many changes shared one commit."),
                changes,
            ),
        };
        let reload_done = book.gauge(About("cordboard_config_reload_success", None, &[], "1 when the last reading of the configuration was applied, 0 when the file was bad and the old one still counts."));
        let reload_at = book.decimal(About(
            "cordboard_config_reload_timestamp",
            Some(Seconds),
            &[],
            "When the configuration in force was applied, since 1970.",
        ));
        let spans = book.counters(About(
            "cordboard_spans",
            None,
            &["outcome"],
            "Spans for the OTLP collector, by what became of them.",
        ));
        build_info(&mut book);
        let (totals, readings) = (totals(&mut book), readings(&mut book));
        reload_done.set(1);
        let Book { registry, entries } = book;
        Self {
            registry,
            entries,
            requests,
            reply,
            turns,
            calls,
            tokens,
            hand_overs,
            pushes,
            push_delay,
            rate_wait,
            shadows,
            reload_done,
            reload_at,
            spans,
            connectors: Handles::default(),
            bots: Handles::default(),
            orgs: Handles::default(),
            certificate_days: Mutex::default(),
            totals,
            readings,
            store,
        }
    }

    /// Every metric, in the order of the path.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The metrics of a connector.
    #[must_use]
    pub fn connector(&self, key: &ConnectorKey) -> Arc<OfConnector> {
        self.connectors.of(key, || {
            let label = ("connector", key.as_str());
            let words = RequestOutcome::ALL.iter().map(|word| word.word());
            OfConnector {
                requests: Words::new(&self.requests, label, "outcome", words),
                reply: self.reply.get_or_create_owned(&labels(&[label])),
            }
        })
    }

    /// The counter of answers of a connector of which its shadow found this.
    #[must_use]
    pub fn shadow(&self, connector: &ConnectorKey, found: &str) -> Counter {
        self.shadows.get_or_create_owned(&labels(&[("connector", connector.as_str()), ("found", found)]))
    }

    /// The metrics of a bot.
    #[must_use]
    pub fn bot(&self, key: &BotKey) -> Arc<OfBot> {
        self.bots.of(key, || {
            let label = ("bot", key.as_str());
            let outcomes = || EngineOutcome::ALL.iter().map(|word| word.word());
            OfBot {
                turns: Words::new(&self.turns, label, "outcome", outcomes()),
                hand_overs: Words::new(&self.hand_overs, label, "reason", HandOver::ALL.iter().map(|word| word.word())),
                tokens: Words::new(&self.tokens, label, "direction", Tokens::ALL.iter().map(|word| word.word())),
                key: key.as_str().to_owned(),
                family: self.calls.clone(),
                calls: EngineOutcome::ALL.iter().map(|_| OnceLock::new()).collect(),
            }
        })
    }

    /// The metrics of an org.
    #[must_use]
    pub fn org(&self, key: &OrgKey) -> Arc<OfOrg> {
        self.orgs.of(key, || {
            let label = ("org", key.as_str());
            OfOrg {
                pushes: Words::new(&self.pushes, label, "outcome", Pushed::ALL.iter().map(|word| word.word())),
                push_delay: self.push_delay.get_or_create_owned(&labels(&[label])),
                rate_wait: self.rate_wait.get_or_create_owned(&labels(&[label])),
            }
        })
    }

    /// A configuration was read: applied at `now`, or refused.
    pub fn reloaded(&self, applied: Option<Timestamp>) {
        self.reload_done.set(applied.is_some().into());
        if let Some(now) = applied {
            self.reload_at.set(in_seconds(now.0));
        }
    }

    /// Spans were exported or dropped.
    pub fn spans(&self, outcome: Exported, count: usize) {
        let counter = self.spans.get_or_create_owned(&labels(&[("outcome", outcome.word())]));
        counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// How the days left of the listener's certificate are learnt, where there is one.
    pub fn watch_certificate(&self, days_left: impl Fn() -> Option<i64> + Send + Sync + 'static) {
        *self.certificate_days.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(days_left));
    }

    pub(super) fn read_certificate(&self) {
        let days = self.certificate_days.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(days) = days.as_ref().and_then(|days| days()) {
            self.readings.certificate.get_or_create(&labels(&[("listener", "main")])).set(days);
        }
    }

    /// What is known of an org's tokens.
    pub(super) fn read_tokens(&self, org: &OrgKey, health: crate::org::TokenHealth) {
        let label = ("org", org.as_str());
        for (word, count) in [(Fetched::Done, health.fetched), (Fetched::Failed, health.failed)] {
            let counter = self.readings.token_fetches.get_or_create_owned(&labels(&[label, ("outcome", word.word())]));
            counter.inner().store(count, Ordering::Relaxed);
        }
        // Without a token nothing is left; before the first push there is none, and none is missed.
        if health.fetched + health.failed > 0 {
            self.readings.token_left.get_or_create(&labels(&[label])).set(in_seconds(health.left_ms));
        }
    }

    /// The page in the OpenMetrics text form.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if prometheus_client::encoding::text::encode(&mut text, &self.registry).is_err() {
            tracing::error!("the metrics could not be written; please report it");
        }
        text
    }
}

/// Milliseconds as seconds; exact as far as anybody looks.
pub(super) fn in_seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a f64 holds milliseconds exactly for many thousand years")]
    let ms = ms as f64;
    ms / 1000.0
}

fn build_info(book: &mut Book) {
    let family: Family<Labels, Gauge> = Family::default();
    book.add(
        "gauge",
        About("cordboard_build_info", None, &["version"], "1, with the version of this Cordboard."),
        &family,
    );
    family.get_or_create(&labels(&[("version", env!("CARGO_PKG_VERSION"))])).set(1);
}

fn totals(book: &mut Book) -> Totals {
    Totals {
        steps: book.counter(About("cordboard_steps", None, &[], "Steps that were committed.")),
        conflicts: book.counter(About(
            "cordboard_step_conflicts",
            None,
            &[],
            "Steps that were repeated, because another writer was faster.",
        )),
        possible_duplicates: book.counter(About(
            "cordboard_possible_duplicates",
            None,
            &[],
            "Questions and pushes sent again without knowing whether they arrived before.",
        )),
        corrections: book.counter(About(
            "cordboard_corrections",
            None,
            &[],
            "Answers corrected or degraded on their way to a platform.",
        )),
        letters: book.counter(About("cordboard_dead_letters", None, &[], "Dead letters that were born.")),
        poisoned: book.counter(About(
            "cordboard_poisoned_events",
            None,
            &[],
            "Events whose handling failed inside Cordboard; each is a defect.",
        )),
    }
}

fn readings(book: &mut Book) -> Readings {
    use Unit::{Bytes, Seconds};
    let token_left = Family::default();
    book.add(
        "gauge",
        About(
            "cordboard_token_left",
            Some(Seconds),
            &["org"],
            "What is left of the org's token; 0 when there is none.",
        ),
        &token_left,
    );
    let certificate = Family::default();
    book.add(
        "gauge",
        About(
            "cordboard_tls_certificate_days",
            None,
            &["listener"],
            "Whole days until the listener's certificate ends; absent without TLS.",
        ),
        &certificate,
    );
    let cpu = DecimalCounter::default();
    book.add("counter", About("process_cpu", Some(Seconds), &[], "User and system time of the process."), &cpu);
    Readings {
        open_requests: book.gauge(About(
            "cordboard_open_requests",
            None,
            &[],
            "Requests between their arrival and the end of their response.",
        )),
        conversations_in_memory: book.gauge(About(
            "cordboard_conversations_in_memory",
            None,
            &[],
            "Conversations held in memory.",
        )),
        open_conversations: book.gauge(About(
            "cordboard_open_conversations",
            None,
            &[],
            "Stored conversations that are not over.",
        )),
        due_lag: book.decimal(About(
            "cordboard_due_lag",
            Some(Seconds),
            &[],
            "How late the earliest due timer of the conversations in memory is; 0 when none is.",
        )),
        outbox_rows: book.gauge(About(
            "cordboard_outbox_rows",
            None,
            &[],
            "Questions, notices and pushes on their way out.",
        )),
        outbox_oldest: book.decimal(About(
            "cordboard_outbox_oldest",
            Some(Seconds),
            &[],
            "Since when the oldest push that is not out yet may leave; 0 when there is none.",
        )),
        letters_stored: book.gauge(About(
            "cordboard_dead_letters_stored",
            None,
            &[],
            "Dead letters that wait for an operator.",
        )),
        wal: book.gauge(About("cordboard_store_wal", Some(Bytes), &[], "The size of the store's write-ahead log.")),
        disk_free: book.gauge(About(
            "cordboard_disk_free",
            Some(Bytes),
            &[],
            "What is free on the disk of the data folder.",
        )),
        store_up: book.gauge(About(
            "cordboard_store_up",
            None,
            &[],
            "1 when the store answers and takes writes, else 0.",
        )),
        draining: book.gauge(About("cordboard_draining", None, &[], "1 when the process is about to stop, else 0.")),
        token_fetches: book.counters(About(
            "cordboard_token_fetches",
            None,
            &["org", "outcome"],
            "Attempts to fetch an org's token.",
        )),
        token_left,
        certificate,
        cpu,
        resident: book.gauge(About("process_resident_memory", Some(Bytes), &[], "Resident memory of the process.")),
        descriptors: book.gauge(About("process_open_fds", None, &[], "Open file descriptors of the process.")),
    }
}
