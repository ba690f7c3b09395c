//! A collector of spans on a socket. It reads the little of OTLP's binary form that the tests look at by hand, after the
//! published `.proto`, so that a wrong field would not be read back by what wrote it.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::world::PATIENCE;

/// A span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) trace: u128,
    pub(super) span: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
}

pub(super) struct Collector {
    url: String,
    received: mpsc::UnboundedReceiver<Bytes>,
    spans: Vec<Span>,
    raw: Vec<u8>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let (taken, received) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let app = Router::new().route("/v1/traces", post(take)).with_state(taken);
        TaskTracker::new().spawn(async move { axum::serve(listener, app).await });
        Self { url, received, spans: Vec::new(), raw: Vec::new() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Everything that was received, once it is enough.
    pub(super) async fn until(&mut self, is_enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let receiving = async {
            while !is_enough(&self.spans) {
                let body = self.received.recv().await.unwrap();
                self.raw.extend_from_slice(&body);
                self.spans.extend(spans(&body));
            }
        };
        tokio::time::timeout(PATIENCE + Duration::from_secs(5), receiving).await.expect("the spans come");
        self.spans.clone()
    }

    /// Everything that was received, as text where it is text.
    pub(super) fn attributes(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

async fn take(State(taken): State<mpsc::UnboundedSender<Bytes>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let is_ours = headers.get("x-api-key").is_some_and(|key| key == "the collector's")
        && headers.get("content-type").is_some_and(|kind| kind == "application/x-protobuf");
    if !is_ours {
        return StatusCode::UNAUTHORIZED;
    }
    // A test that is over wants no more.
    drop(taken.send(body));
    StatusCode::OK
}

/// `ExportTraceServiceRequest.resource_spans[].scope_spans[].spans[]`.
fn spans(body: &[u8]) -> Vec<Span> {
    let resources = fields(body).into_iter().filter(|(number, _)| *number == 1);
    let scopes = resources.flat_map(|(_, resource)| fields(resource)).filter(|(number, _)| *number == 2);
    let spans = scopes.flat_map(|(_, scope)| fields(scope)).filter(|(number, _)| *number == 2);
    spans.map(|(_, span)| read(span)).collect()
}

fn read(span: &[u8]) -> Span {
    let fields = fields(span);
    let field = |wanted: u64| fields.iter().find(|(number, _)| *number == wanted).map_or(&[][..], |(_, bytes)| *bytes);
    Span {
        trace: u128::from_be_bytes(field(1).try_into().unwrap()),
        span: u64::from_be_bytes(field(2).try_into().unwrap()),
        parent: field(4).try_into().ok().map(u64::from_be_bytes),
        name: String::from_utf8(field(5).to_vec()).unwrap(),
    }
}

/// The fields of a message that have a length; the others are skipped.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let skipped = match tag & 7 {
            0 => {
                varint(&mut message);
                0
            }
            1 => 8,
            5 => 4,
            _ => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                fields.push((tag >> 3, &message[..length]));
                length
            }
        };
        message = &message[skipped..];
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
