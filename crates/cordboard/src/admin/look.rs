//! What operators see of conversations. Read from the store alone, so that it is the same whether a server runs or not.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use conversation::{Conversation, Leg, Seat, Unconfirmed};
use model::{BotKey, Choice, ConnectorKey, ConversationId, Holder, OrgKey, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use super::timeline::{self, Hop, Names};
use crate::identity::Identities;
use crate::outbox::{Item, Kind};
use crate::store::{self, JournalRow, OutboxRow, Recent, Store};
use crate::stored;

/// Conversations on a page, at most.
pub const PAGE_MAX: u32 = 1_000;
/// Journal rows on a page of a timeline.
pub(super) const ROWS_MAX: u32 = 100;
/// So many conversations are looked at for one page when few of them are wanted.
const LOOKED_MAX: usize = 5_000;
const BATCH: u32 = 200;
/// So many open conversations are counted.
const OPEN_MAX: usize = 50_000;

/// Which conversations are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// With this bot in it.
    pub bot: Option<BotKey>,
    /// Whose floor is this one's.
    pub floor: Option<Holder>,
    /// With something open: a session, a wait, something on its way.
    pub open: bool,
    /// Touched at or after this time.
    pub since: Option<Timestamp>,
    /// Continues a page.
    pub before: Option<u64>,
    /// At most this many.
    pub limit: u32,
}

/// The floor that a word names.
#[must_use]
pub fn holder(word: &str) -> Option<Holder> {
    let all = [Holder::Bot, Holder::HandingOver, Holder::Queued, Holder::Human, Holder::Ended];
    all.into_iter().find(|holder| holder.word() == word)
}

/// A conversation in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// When it was last touched, in milliseconds since 1970.
    pub touched_ms: i64,
    /// Who may speak: `bot`, `handing_over`, `queued`, `human`, `ended`; `unreadable` when a newer version wrote it.
    pub floor: String,
    /// Its bots, in the order of appearance.
    pub bots: Vec<String>,
    /// The connectors of its sessions, in the order of appearance.
    pub connectors: Vec<String>,
    /// How many turns were asked.
    pub turns: u32,
    /// Whether anything is open.
    pub open: bool,
    /// When something is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due_ms: Option<i64>,
}

/// Conversations, the latest touched first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// They.
    pub conversations: Vec<Line>,
    /// What to ask for after this page, when it is not the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}

/// Everything about one conversation but what was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// As in a list.
    #[serde(flatten)]
    pub line: Line,
    /// Since when the floor is where it is.
    pub floor_since_ms: i64,
    /// The floor in words, and why.
    pub floor_in_words: String,
    /// The number of its latest journal row.
    pub version: u64,
    /// Its bots.
    pub seats: Vec<SeatView>,
    /// Its sessions on platforms.
    pub legs: Vec<LegView>,
    /// What is on its way out.
    pub under_way: Vec<UnderWayView>,
}

/// A bot in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatView {
    /// Which bot.
    pub bot: String,
    /// The session that its engine knows.
    pub engine_session: String,
    /// How often it got the conversation.
    pub visits: u32,
    /// Whether a run of it is open.
    pub open: bool,
    /// The turn that its engine works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    /// When that turn is answered by the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_deadline_ms: Option<i64>,
    /// Messages behind that turn.
    pub waiting: usize,
    /// When the customer's silence ends the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up_ms: Option<i64>,
}

/// A session on a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegView {
    /// Its connector.
    pub connector: String,
    /// The platform's id of it.
    pub session: String,
    /// Why it is over, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// When the platform takes nothing more.
    pub expires_ms: i64,
    /// Requests that wait for an answer.
    pub open_requests: usize,
    /// Replies that are not known to have left.
    pub unconfirmed: usize,
    /// Parts that wait for a way out.
    pub held_parts: usize,
    /// Pushes under way.
    pub pushes: usize,
}

/// Something on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWayView {
    /// What, and to whom.
    pub what: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this time.
    pub due_ms: i64,
    /// Whether an attempt is running, or was when the process ended.
    pub claimed: bool,
}

/// A piece of a timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hops {
    /// What happened, in order.
    pub hops: Vec<Hop>,
    /// What to ask for next.
    pub after: String,
    /// Whether there is more already.
    pub more: bool,
}

fn damaged(id: ConversationId, what: &str) -> store::Error {
    store::Error::Damaged(format!("conversation {id}: {what}").into())
}

fn state_of(id: ConversationId, state: &store::Blob) -> Result<Conversation, store::Error> {
    let payload = state.payload().ok_or_else(|| damaged(id, "the state has an unknown envelope"))?;
    stored::decode_state(&payload).map_err(|unreadable| damaged(id, &unreadable.to_string()))
}

impl Line {
    fn new(id: ConversationId, touched: Timestamp, next_due: Option<Timestamp>, state: Option<&Conversation>) -> Self {
        let mut connectors: Vec<String> = Vec::new();
        for leg in state.iter().flat_map(|state| &state.legs) {
            let connector = leg.name.connector.to_string();
            if !connectors.contains(&connector) {
                connectors.push(connector);
            }
        }
        Self {
            id: id.to_string(),
            touched_ms: touched.0,
            floor: state.map_or("unreadable", |state| state.floor.holder.word()).to_owned(),
            bots: state.iter().flat_map(|state| &state.seats).map(|seat| seat.bot.to_string()).collect(),
            connectors,
            turns: state.map_or(0, |state| state.turns),
            open: state.is_none_or(|state| !state.is_finished()),
            next_due_ms: next_due.map(|due| due.0),
        }
    }
}

impl Wanted {
    fn takes(&self, state: Option<&Conversation>) -> bool {
        let Some(state) = state else { return self.bot.is_none() && self.floor.is_none() };
        let bot = self.bot.as_ref().is_none_or(|bot| state.seats.iter().any(|seat| seat.bot == *bot));
        let floor = self.floor.is_none_or(|holder| state.floor.holder == holder);
        bot && floor && (!self.open || !state.is_finished())
    }
}

/// Conversations that are wanted.
///
/// # Errors
/// When the store cannot be read.
pub async fn list(store: &dyn Store, wanted: &Wanted) -> Result<Page, store::Error> {
    let mut page = Page::default();
    let (mut before, mut looked) = (wanted.before.unwrap_or(u64::MAX), 0);
    loop {
        let found = store.recent(before, BATCH).await?;
        for Recent { place, conversation, touched, next_due, state, .. } in &found.conversations {
            if wanted.since.is_some_and(|since| *touched < since) {
                return Ok(page);
            }
            let state = state_of(*conversation, state).ok();
            if wanted.takes(state.as_ref()) {
                page.conversations.push(Line::new(*conversation, *touched, *next_due, state.as_ref()));
            }
            looked += 1;
            if page.conversations.len() >= wanted.limit as usize || looked >= LOOKED_MAX {
                // One more look tells whether there is a next page.
                let rest = store.recent(*place, 1).await?;
                let more = !rest.conversations.is_empty() || rest.before.is_some();
                page.next_before = more.then(|| place.to_string());
                return Ok(page);
            }
        }
        match found.before {
            Some(place) => before = place,
            None => return Ok(page),
        }
    }
}

/// How many open conversations each bot sits in, 50,000 at most being counted.
///
/// # Errors
/// When the store cannot be read.
pub async fn open_by_bot(store: &dyn Store) -> Result<BTreeMap<String, usize>, store::Error> {
    let (mut open, mut after, mut looked) = (BTreeMap::new(), ConversationId(0), 0);
    while looked < OPEN_MAX {
        let page = store.unfinished(after, BATCH).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        looked += page.len();
        for id in page {
            let Some(state) = store.load(id).await?.and_then(|loaded| state_of(id, &loaded.state).ok()) else {
                continue;
            };
            for seat in state.seats.iter().filter(|seat| seat.session.is_some()) {
                *open.entry(seat.bot.to_string()).or_insert(0) += 1;
            }
        }
    }
    Ok(open)
}

/// One conversation; nothing when it is not there.
///
/// # Errors
/// When the store cannot be read, or holds a state that cannot be.
pub async fn show(store: &dyn Store, id: ConversationId) -> Result<Option<View>, store::Error> {
    let Some(loaded) = store.load(id).await? else { return Ok(None) };
    let state = state_of(id, &loaded.state)?;
    let touched = store.read_journal(id, loaded.version, 1).await?.first().map_or(state.now, |row| row.at);
    let because = state.floor.evidence.word().replace('_', " ");
    // The store hears at once that a reply left, the state with the next step.
    let is_out = |sealed: &&Unconfirmed| {
        !loaded.requests.iter().any(|open| sealed.request == open.id || sealed.joined.contains(&open.id))
    };
    let out: Vec<_> =
        state.legs.iter().flat_map(|leg| &leg.unconfirmed).filter(is_out).map(|sealed| sealed.request).collect();
    Ok(Some(View {
        line: Line::new(id, touched, state.next_due_without(&out), Some(&state)),
        floor_since_ms: state.floor.since.0,
        floor_in_words: format!("{}, because: {because}", timeline::in_words(state.floor.holder)),
        version: loaded.version,
        seats: state.seats.iter().map(SeatView::of).collect(),
        legs: state.legs.iter().map(|leg| LegView::of(leg, &out)).collect(),
        under_way: loaded.outbox.iter().map(UnderWayView::of).collect(),
    }))
}

/// What the customer can answer by number: the lines of the session that is open.
pub(crate) async fn listed(store: &dyn Store, id: ConversationId) -> Result<Vec<Choice>, store::Error> {
    let Some(loaded) = store.load(id).await? else { return Ok(Vec::new()) };
    let legs = state_of(id, &loaded.state)?.legs;
    Ok(legs.into_iter().rfind(|leg| leg.closed.is_none()).map(|leg| leg.offered).unwrap_or_default())
}

impl SeatView {
    fn of(seat: &Seat) -> Self {
        Self {
            bot: seat.bot.to_string(),
            engine_session: uuid::Uuid::from_u128(seat.engine_session).to_string(),
            visits: seat.visits,
            open: seat.session.is_some(),
            turn: seat.turn.as_ref().map(|turn| turn.number.0),
            turn_deadline_ms: seat.turn.as_ref().map(|turn| turn.hard_deadline.0),
            waiting: seat.waiting.len(),
            follow_up_ms: seat.session.as_ref().and_then(|session| session.follow_up).map(|at| at.0),
        }
    }
}

impl LegView {
    fn of(leg: &Leg, out: &[RequestId]) -> Self {
        Self {
            connector: leg.name.connector.to_string(),
            session: leg.name.session.clone(),
            closed: leg.closed.map(|evidence| evidence.word().to_owned()),
            expires_ms: leg.expires.0,
            open_requests: leg.open.len(),
            unconfirmed: leg.unconfirmed.iter().filter(|sealed| !out.contains(&sealed.request)).count(),
            held_parts: leg.held.len(),
            pushes: leg.pushes.len(),
        }
    }
}

impl UnderWayView {
    fn of(row: &OutboxRow) -> Self {
        let item = row.item.payload().and_then(|payload| Item::decode(&payload));
        let what = match item.map(|item| item.kind) {
            Some(Kind::Ask { bot, turn, .. }) => format!("question to {bot}, {turn}"),
            Some(Kind::Notice { bot, .. }) => format!("notice to {bot}"),
            Some(Kind::Push { connector, number, .. }) => format!("{number} through {connector}"),
            None => "something that cannot be read".to_owned(),
        };
        Self { what, attempts: row.attempt, due_ms: row.due.0, claimed: row.claim.is_some() }
    }
}

/// A conversation's timeline after a row; nothing when it is not there.
///
/// # Errors
/// When the store cannot be read.
pub async fn hops(
    store: &dyn Store,
    id: ConversationId,
    after: u64,
    with_words: bool,
) -> Result<Option<Hops>, store::Error> {
    let Some(loaded) = store.load(id).await? else { return Ok(None) };
    let names = state_of(id, &loaded.state).map(|state| Names::of(&state)).unwrap_or_default();
    let rows = store.read_journal(id, after.saturating_add(1), ROWS_MAX).await?;
    let last = rows.last().map_or(after, |row| row.seq);
    let hops = rows.iter().flat_map(|row| of_row(id, row, &names, with_words)).collect();
    Ok(Some(Hops { hops, after: last.to_string(), more: rows.len() >= ROWS_MAX as usize }))
}

/// What happened in all conversations after a place of the journal.
///
/// # Errors
/// When the store cannot be read.
pub async fn log(store: &dyn Store, after: u64, with_words: bool) -> Result<Hops, store::Error> {
    let rows = store.read_log(after, ROWS_MAX).await?;
    let last = rows.last().map_or(after, |row| row.place);
    let mut hops = Vec::new();
    let mut known: BTreeMap<ConversationId, Names> = BTreeMap::new();
    for found in &rows {
        let id = found.conversation;
        let names = match known.entry(id) {
            Entry::Occupied(names) => names.into_mut(),
            Entry::Vacant(place) => {
                let loaded = store.load(id).await?;
                let state = loaded.and_then(|loaded| state_of(id, &loaded.state).ok());
                place.insert(state.map(|state| Names::of(&state)).unwrap_or_default())
            }
        };
        hops.extend(of_row(id, &found.row, names, with_words));
    }
    Ok(Hops { hops, after: last.to_string(), more: rows.len() >= ROWS_MAX as usize })
}

/// The place of the latest journal row.
///
/// # Errors
/// When the store cannot be read.
pub async fn log_end(store: &dyn Store) -> Result<u64, store::Error> {
    Ok(store.recent(u64::MAX, 1).await?.conversations.first().map_or(0, |recent| recent.place))
}

fn of_row(id: ConversationId, row: &JournalRow, names: &Names, with_words: bool) -> Vec<Hop> {
    let journal = row.payload.payload().and_then(|payload| stored::decode_journal(&payload).ok());
    match journal {
        Some(journal) => timeline::hops(id, (row.seq, row.at), &journal, names, with_words),
        None => vec![Hop {
            at_ms: row.at.0,
            conversation: id.to_string(),
            row: row.seq,
            what: "unreadable".to_owned(),
            text: "this row was written by a later Cordboard, or is damaged".to_owned(),
            words: Vec::new(),
            characters: 0,
        }],
    }
}

/// The conversation that a platform knows by this id of its own, or in which it has a session of this id.
///
/// # Errors
/// When the store cannot be read.
pub async fn find(
    store: &dyn Store,
    identities: Identities,
    orgs: &[OrgKey],
    connectors: &[ConnectorKey],
    platform_id: &str,
) -> Result<Option<ConversationId>, store::Error> {
    let of_orgs = orgs.iter().map(|org| identities.conversation(org, platform_id));
    let of_legs = connectors.iter().map(|connector| identities.leg(connector, platform_id));
    for key in of_orgs.chain(of_legs) {
        if let Some(id) = store.find(key).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
