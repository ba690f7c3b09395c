//! The ceiling: the product's listener, its check of credentials and its reading of a message, and then a constant answer
//! with nothing stored.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cordboard::connector::bots::{Bot, BotFace, Bots};
use cordboard::connector::registry::{ConnectorConfig, Integration};
use cordboard::connector::{Connector, Parsed};
use cordboard::http::Credentials;
use cordboard::http::body::{self, Answer, Cap};
use cordboard::http::server::{self, Handler, Limits};
use cordboard::org::{Org, OrgConfig};
use cordboard::runtime::{Runtime, Tasks};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use model::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failure;

const ANSWER: &[u8] = br#"{"botState":"MoreData","replyMessages":[{"type":"Text","text":"You said: Where is parcel number 1234, please? I have been waiting for it since Monday.."}]}"#;
const CAP: Cap = Cap { max_bytes: 256 * 1024, timeout_ms: 10_000 };

struct Ceiling {
    credentials: Credentials,
    connector: Arc<dyn Connector>,
}

impl Handler for Ceiling {
    async fn handle(self: Arc<Self>, head: Parts, incoming: Incoming, _: Timestamp) -> Response<Answer> {
        if !self.credentials.verify(&head.headers) {
            return body::empty(StatusCode::FORBIDDEN);
        }
        match body::read(&head, incoming, CAP).await.map(|bytes| self.connector.parse(&bytes)) {
            Ok(Parsed::Message(_)) => body::json(StatusCode::OK, Bytes::from_static(ANSWER)),
            Ok(_) | Err(_) => body::empty(StatusCode::BAD_REQUEST),
        }
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

/// Serves until the process is killed.
pub(super) async fn serve(ready: &Path) -> Result<(), Failure> {
    let integration = integration()?;
    let ceiling =
        Arc::new(Ceiling { credentials: integration.credentials().clone(), connector: integration.connector() });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let draft = ready.with_extension("new");
    std::fs::write(&draft, address.to_string())?;
    std::fs::rename(&draft, ready)?;
    let runtime = Runtime::system(Tasks::default(), [0; 32]);
    server::serve(listener, ceiling, Limits::default(), runtime, CancellationToken::new()).await;
    Ok(())
}
