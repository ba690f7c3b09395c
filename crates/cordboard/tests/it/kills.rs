//! Long stories with the binary itself: it is killed, or asked to end, while customers talk. What the outside saw is
//! judged when everything has come to rest.

mod binary;
mod customer;
mod dice;
mod ledger;
mod outside;

use std::sync::Arc;
use std::time::Duration;

use conversation::{Conversation, apply};
use cordboard::admin::client::Client;
use cordboard::admin::view::LetterView;
use cordboard::config::Config;
use cordboard::store::sqlite::{Settings, Sqlite};
use cordboard::store::{LetterQuery, Store as _};
use cordboard::stored;
use model::Opaque;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::binary::{Binary, Setup, V1, V2};
use self::customer::{Called, Customer, PATIENCE, call};
use self::dice::Dice;
use self::ledger::Told;
use self::outside::{LAST, Outside, Pace};
use crate::raw::request;

const ROUNDS: u32 = 50;
const CUSTOMERS: u64 = 20;

/// A dead letter as the ledger reads it.
fn written(letter: &LetterView) -> String {
    format!("{} {}: {}", letter.kind, letter.reason, letter.payload.as_deref().unwrap_or_default())
}

/// The dead letters of a store that no gateway has open.
async fn all_letters(store: &Sqlite) -> Vec<String> {
    let mut letters = Vec::new();
    let mut after = 0;
    loop {
        let page = store.dead_letters(LetterQuery { after, limit: 1_000 }).await.unwrap();
        let Some(last) = page.last() else { return letters };
        after = last.id;
        letters.extend(page.iter().map(|letter| written(&LetterView::whole(letter))));
    }
}

/// A story under way.
struct Story {
    binary: Binary,
    outside: Arc<Outside>,
    dice: Dice,
    seed: u64,
    enough: CancellationToken,
    customers: JoinSet<()>,
    _outside: JoinSet<()>,
}

impl Story {
    async fn begin(pace: Pace, setup: Setup) -> Self {
        let seed = Dice::seed();
        let dice = Dice::new(seed, 0);
        let mut tasks = JoinSet::new();
        let (outside, address) = Outside::start(pace, Dice::new(seed, 1), &mut tasks).await;
        let mut binary = Binary::new(address, setup, &dice);
        binary.start();
        let enough = CancellationToken::new();
        Self { binary, outside, dice, seed, enough, customers: JoinSet::new(), _outside: tasks }
    }

    /// Two of three customers come by the digital door, the others by the classic one.
    fn customers_come(&mut self) {
        for number in 0..CUSTOMERS {
            let customer = self.customer(number, &format!("c{number}"));
            self.customers.spawn(customer.talk());
        }
    }

    fn customer(&self, number: u64, name: &str) -> Customer {
        Customer {
            name: name.to_owned(),
            door: if number % 3 == 2 { V1 } else { V2 },
            gateway: self.binary.address,
            outside: self.outside.clone(),
            dice: Dice::new(self.seed, 2 + number),
            enough: self.enough.clone(),
            at: (0, 0),
        }
    }

    /// Waits until the gateway acknowledges so many messages more than before.
    async fn flows(&self, more: usize) {
        let before = self.outside.ledger().acknowledgements();
        let flows = self.outside.wait(PATIENCE, |ledger| ledger.acknowledgements() >= before + more).await;
        assert!(flows, "nothing is acknowledged in run {}:\n{}", self.binary.run, self.binary.last_words());
    }

    /// Customers say nothing new, and get what they still wait for.
    async fn customers_go(&mut self) {
        self.enough.cancel();
        while let Some(gone) = self.customers.join_next().await {
            gone.unwrap();
        }
    }

    /// An answer is on its way to nobody: it ends as a dead letter while the gateway stops.
    async fn somebody_leaves_before_the_answer(&self) {
        let mut last = self.customer(0, LAST);
        last.ask(&format!("{LAST}m1")).await;
        last.leave();
    }

    /// The dead letters of the gateway that runs.
    async fn letters(&self) -> Vec<String> {
        let Some(client) = Client::connect(&self.binary.data_dir()).await else { return Vec::new() };
        let mut letters = Vec::new();
        let mut after = 0;
        loop {
            let page = client.letters(after, 1_000).await.unwrap();
            for letter in page.letters {
                letters.push(written(&client.letter(letter.id.parse().unwrap()).await.unwrap()));
            }
            match page.next_after {
                Some(next) => after = next.parse().unwrap(),
                None => return letters,
            }
        }
    }

    async fn is_ready(&self) -> Called {
        call(self.binary.address, &request("GET", "/readyz", &[], b"")).await
    }

    /// Waits until readiness is answered so; none means that nobody listens.
    async fn readiness(&self, status: Option<u16>) {
        let turned = async {
            loop {
                match (self.is_ready().await, status) {
                    (Called::Answered(answer), Some(status)) if answer.status == status => return,
                    (Called::NotTaken, None) => return,
                    _ => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        let turned = tokio::time::timeout(PATIENCE, turned).await;
        assert!(turned.is_ok(), "readiness is never {status:?}:\n{}", self.binary.last_words());
    }

    /// Asks the gateway to end while everybody talks, and looks at every promise on the way.
    async fn roll(&mut self, round: u64) {
        self.flows(200).await;
        let held = self.customer(0, &format!("held{round}"));
        let (session, said) = (held.session(), format!("held{round}m1"));
        let waits = async {
            let asked = self.outside.wait(PATIENCE, |ledger| ledger.works_on(&said)).await;
            assert!(asked);
            self.binary.terminate().await;
        };
        // The bot does not answer, so only the end of the process can end this wait.
        let (answer, ()) = tokio::join!(held.ask(&said), waits);
        assert_eq!(answer.json()["replyMessages"], serde_json::json!([]), "{answer:?}");
        assert!(self.outside.ledger().works_on(&said));

        self.readiness(Some(503)).await;
        let late = self.customer(0, &format!("late{round}"));
        let answer = late.ask(&format!("late{round}m1")).await;
        assert!(answer.body.contains(&format!("to late{round}m1")), "{answer:?}");

        // Nobody listens any more, and the bot may still end what it works on.
        self.readiness(None).await;
        self.outside.release();
        let status = self.binary.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.binary.last_words());
        assert!(self.outside.ledger().has_seen(&session, &said), "{}", self.binary.last_words());
        self.outside.hold_back();
        self.binary.start();
        self.readiness(Some(200)).await;
    }

    /// Waits until nothing is missing any more, ends the gateway, and judges what everybody saw.
    async fn judge(mut self) {
        let coming_to_rest = async {
            loop {
                let letters = self.letters().await;
                if self.outside.ledger().missing(&letters).is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        // What is missing after that is said below.
        drop(tokio::time::timeout(PATIENCE, coming_to_rest).await);
        self.binary.terminate().await;
        let status = self.binary.ended().await;
        // Answers to those who left may die while the gateway stops, so only now all letters are written.
        let store = Sqlite::open(&Settings::new(&self.binary.data_dir())).unwrap();
        let letters = all_letters(&store).await;
        let told = self.told(&store).await;
        let ledger = self.outside.ledger();
        println!("{}, {} dead letters, {} runs", ledger.summary(), letters.len(), self.binary.run);
        let not_of_answers = letters.iter().filter(|letter| !letter.starts_with("answer "));
        let mut wrong = [ledger.violations(), ledger.missing(&letters), ledger.lost(&told, &letters)].concat();
        wrong.extend(not_of_answers.map(|letter| format!("a letter that nobody expects: {letter}")));
        if !status.success() {
            wrong.push(format!("it ended with {status}"));
        }
        assert!(wrong.is_empty(), "{}\n\n{}", wrong.join("\n"), self.binary.last_words());
    }

    /// What the journals tell, once nobody writes them. Applied again from its first row, each gives the same effects and
    /// the stored state.
    async fn told(&self, store: &Sqlite) -> Told {
        let policies = Config::load(&self.binary.config_file()).unwrap().policies;
        let mut told = Told::default();
        for id in store.conversations(100_000).await.unwrap() {
            let rows = store.read_journal(id, 1, 1_000_000).await.unwrap();
            let mut state = Conversation::new(rows[0].at);
            for row in rows {
                let journal = stored::decode_journal(&row.payload.payload().unwrap()).unwrap();
                let (after, effects) = apply(&policies, state, &journal.events, row.at);
                assert_eq!(effects, journal.effects, "row {} of {id}", row.seq);
                state = after;
                told.learn(&journal);
            }
            let loaded = store.load(id).await.unwrap().unwrap();
            told.wait(loaded.outbox.iter().filter_map(|row| row.item.payload()));
            let mut stored = stored::decode_state(&loaded.state.payload().unwrap()).unwrap();
            // A connector's memory comes from rendering, which the journal does not repeat.
            for leg in state.legs.iter_mut().chain(&mut stored.legs) {
                leg.memory = Opaque::default();
            }
            assert_eq!(stored, state, "{id}");
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_kill_nine_fifty_times() {
    let setup = Setup { drain_ms: 100, soft_deadline_ms: 250, budget_ms: 2_000 };
    let mut story = Story::begin(Pace::Mixed, setup).await;
    story.customers_come();
    for _ in 0..ROUNDS {
        story.flows(1).await;
        tokio::time::sleep(Duration::from_millis(story.dice.roll(300))).await;
        story.binary.kill().await;
        story.binary.start();
    }
    story.flows(1).await;
    story.customers_go().await;
    story.somebody_leaves_before_the_answer().await;
    story.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_sigterm_under_load() {
    // Waits end by themselves long after the story.
    let setup = Setup { drain_ms: 5_000, soft_deadline_ms: 50_000, budget_ms: 10_000 };
    let mut story = Story::begin(Pace::HeldBack("held"), setup).await;
    story.customers_come();
    for round in 0..3 {
        story.roll(round).await;
    }
    story.flows(20).await;
    story.customers_go().await;
    {
        let ledger = story.outside.ledger();
        assert_eq!((ledger.refused, ledger.repeated), (0, 0), "refused, said twice: {}", ledger.summary());
    }
    story.judge().await;
}
