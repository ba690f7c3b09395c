//! The controls: the product's listener, its check of credentials and its reading of a message, and then a constant
//! answer: with nothing stored (the ceiling), or with one step in the product's store that holds what an acknowledgement
//! holds, in a commit of its own or in one that is shared.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cordboard::connector::bots::{Bot, BotFace, Bots};
use cordboard::connector::registry::{ConnectorConfig, Integration};
use cordboard::connector::{Connector, Message, Parsed};
use cordboard::http::Credentials;
use cordboard::http::body::{self, Answer, Cap};
use cordboard::http::server::{self, Handler, Limits};
use cordboard::org::{Org, OrgConfig};
use cordboard::runtime::{Runtime, Tasks};
use cordboard::store::sqlite::{Settings, Sqlite};
use cordboard::store::{Accept, Blob, JournalRow, Key, Replica, Seal, SealedAs, Step, Store};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use model::{ConversationId, RequestId, Timestamp};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;

const ANSWER: &[u8] = br#"{"botState":"MoreData","replyMessages":[]}"#;
const CAP: Cap = Cap { max_bytes: 256 * 1024, timeout_ms: 10_000 };
/// About what the product keeps of such a message: its state, and its event with the effects.
const STATE_BYTES: usize = 600;
const JOURNAL_BYTES: usize = 500;

struct Control {
    credentials: Credentials,
    connector: Arc<dyn Connector>,
    store: Option<(Sqlite, Replica)>,
    next: AtomicU64,
}

impl Handler for Control {
    async fn handle(self: Arc<Self>, head: Parts, incoming: Incoming, at: Timestamp) -> Response<Answer> {
        if !self.credentials.verify(&head.headers) {
            return body::empty(StatusCode::FORBIDDEN);
        }
        let message = match body::read(&head, incoming, CAP).await.map(|bytes| self.connector.parse(&bytes)) {
            Ok(Parsed::Message(message)) => message,
            Ok(_) | Err(_) => return body::empty(StatusCode::BAD_REQUEST),
        };
        if let Some((store, us)) = &self.store {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if store.commit(acknowledged(&message, number, *us, at)).await.is_err() {
                return body::empty(StatusCode::SERVICE_UNAVAILABLE);
            }
        }
        body::json(StatusCode::OK, Bytes::from_static(ANSWER))
    }
}

/// A key with the spread of a hash.
fn key(number: u64) -> Key {
    let mixed = u128::from(number).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Key((mixed ^ (mixed >> 61)).to_be_bytes())
}

/// The least that an acknowledgement stores: each message a conversation of its own, since nothing orders them here.
fn acknowledged(message: &Message, number: u64, owner: Replica, at: Timestamp) -> Step {
    let request = RequestId(number);
    let words = message.session.as_bytes();
    let filled = |size: usize| Blob::clear(&words.iter().copied().cycle().take(size).collect::<Vec<u8>>());
    let empty = Step::empty(ConversationId(number), key(number | 1 << 60), owner, 0, at);
    Step {
        state: filled(STATE_BYTES),
        next_due: Some(at.plus_ms(20_000)),
        accepts: vec![Accept {
            request,
            key: key(number),
            arrived: at,
            wait_until: at,
            correlation: Some("0f8fad5b-d9cb-469f-a165-70867728950e".into()),
            open_event: None,
        }],
        seals: vec![Seal { request, reply: SealedAs::Bytes(Blob::clear(ANSWER)) }],
        journal: JournalRow { payload: filled(JOURNAL_BYTES), ..empty.journal.clone() },
        ..empty
    }
}

fn integration() -> Result<Integration, Failure> {
    let org = "client_id = 'id'\nclient_secret = 's'\napi_url = 'http://127.0.0.1'\nlogin_url = 'http://127.0.0.1'";
    let org = Org::new("acme".into(), &toml::from_str::<OrgConfig>(org)?)?;
    let face: BotFace = toml::from_str("version = '1'")?;
    let bots = Bots::new([Bot::new("quick".into(), face)?]);
    let connector = "type = 'digital_bot_connector'\norg = 'acme'\npath = '/digital'\n\
                     credentials = { x-key = 'a-secret-of-some-length' }";
    Ok(toml::from_str::<ConnectorConfig>(connector)?.build("digital".into(), &org, &bots)?)
}

/// Serves until the process is killed. With a folder, every message is stored in it, at most `batch_max` in one commit.
pub(super) async fn serve(ready: &Path, folder: Option<&Path>, batch_max: usize) -> Result<(), Failure> {
    let integration = integration()?;
    let store = match folder {
        Some(folder) => {
            let settings = Settings { batch_max, disk_reserve_mb: 0, ..Settings::new(folder) };
            let store = Sqlite::open(&settings)?;
            let us = store.start().await?.replica;
            Some((store, us))
        }
        None => None,
    };
    let control = Arc::new(Control {
        credentials: integration.entrance().credentials().clone(),
        connector: integration.connector(),
        store,
        next: AtomicU64::new(1),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let draft = ready.with_extension("new");
    std::fs::write(&draft, address.to_string())?;
    std::fs::rename(&draft, ready)?;
    let runtime = Runtime::system(Tasks::default(), [0; 32]);
    server::serve(listener, control, Limits::default(), runtime, CancellationToken::new()).await;
    Ok(())
}
