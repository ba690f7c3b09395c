//! The listener: what it does with connections, whatever is said on them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use cordboard::http::body::{self, Answer as Body};
use cordboard::http::server::{self, Handler, Limits, Listener};
use cordboard::runtime::{Runtime, Tasks};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use model::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::gateway::{Behaviour, Gateway, KEY, Setup, V2, message_v2};
use crate::raw::{Answer, request, send};

fn quick() -> Setup {
    let server = Limits { head_timeout_ms: 50, idle_timeout_ms: 100, ..Limits::default() };
    Setup { server, ..Setup::default() }
}

/// What comes until the server closes.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes).await);
    bytes
}

#[tokio::test]
async fn who_sends_no_head_is_dropped() {
    let gateway = Gateway::start_with(quick()).await;
    for start in [&b""[..], b"P", b"PRI * HT", b"POST /x HTTP/1.1\r\nhost: x\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        let answer = Answer::read(&rest(stream).await);
        assert_ne!(answer.status, 200);
    }
    // A connection that rests after its request is closed in the end as well.
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(Answer::read(&rest(stream).await).status, 200);
}

#[tokio::test]
async fn a_slow_answer_keeps_its_connection() {
    let mut setup = quick();
    setup.soft_deadline_ms = 400;
    let gateway = Gateway::start_with(setup).await;
    gateway.bot(Behaviour::Waits);
    let answer = gateway.says("s1", "m1", "hello").await;
    assert_eq!((answer.status, &answer.json()["botState"]), (200, &"MoreData".into()));
}

#[tokio::test]
async fn stopping_answers_what_is_open_and_closes_what_rests() {
    let gateway = Gateway::start().await;
    let mut resting = TcpStream::connect(gateway.address).await.unwrap();
    resting.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    resting.read_exact(&mut first).await.unwrap();
    let silent = TcpStream::connect(gateway.address).await.unwrap();
    gateway.bot(Behaviour::Waits);
    let stopping = async {
        gateway.question().await;
        gateway.stop.cancel();
        // The connections that rest end though the request does not.
        rest(resting).await;
        rest(silent).await;
        assert!(!gateway.served.is_cancelled());
        gateway.bot(Behaviour::Echoes);
    };
    let (answer, ()) = tokio::join!(gateway.says("s1", "m1", "hello"), stopping);
    assert!(answer.status == 200 && answer.body.contains("you said hello"), "{answer:?}");
    gateway.served.cancelled().await;
    assert!(TcpStream::connect(gateway.address).await.is_err());
}

#[tokio::test]
async fn health_says_when_not_to_send_more() {
    let gateway = Gateway::start().await;
    let probe = async |path: &str| {
        let answer = send(gateway.address, &request("GET", path, &[], b"")).await;
        (answer.status, answer.json()["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(probe("/healthz").await, (200, "alive".to_owned()));
    assert_eq!(probe("/readyz").await, (200, "ready".to_owned()));
    gateway.shared.drain(60_000);
    assert_eq!(probe("/readyz").await, (503, "draining".to_owned()));
    assert_eq!(probe("/healthz").await, (200, "alive".to_owned()));
    // Draining is no refusal: who still comes is answered.
    assert!(gateway.says("s1", "m1", "hello").await.body.contains("you said hello"));
}

#[tokio::test]
async fn many_requests_share_an_http_2_connection() {
    #[derive(Clone)]
    struct Spawn(Runtime);
    impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawn {
        fn execute(&self, task: F) {
            self.0.spawn(task);
        }
    }
    let gateway = Gateway::start().await;
    let runtime = gateway.shared.runtime().clone();
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(Spawn(runtime.clone()), TokioIo::new(stream)).await.unwrap();
    runtime.spawn(async move { drop(connection.await) });
    let calls = (0..20).map(|number| {
        let mut sender = sender.clone();
        let body = message_v2(&format!("s{number}"), "m1", &format!("hello {number}"));
        let request = Request::post(format!("http://cordboard{V2}/messages")).header(KEY.0, KEY.1);
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        async move {
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&body).contains(&format!("you said hello {number}\"")));
        }
    });
    futures_util::future::join_all(calls).await;
}

/// Hands out connections from a list, and tells how many it was asked for.
struct Gate {
    next: VecDeque<io::Result<DuplexStream>>,
    asked: watch::Sender<usize>,
}

impl Listener for Gate {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        self.asked.send_modify(|asked| *asked += 1);
        match self.next.pop_front() {
            Some(next) => next,
            None => std::future::pending().await,
        }
    }
}

/// Panics on `/panic`, and answers everything else.
struct Brittle(mpsc::UnboundedSender<()>);

impl Handler for Brittle {
    async fn handle(self: Arc<Self>, head: Parts, _: Incoming, _: Timestamp) -> Response<Body> {
        self.0.send(()).unwrap();
        assert_ne!(head.uri.path(), "/panic");
        body::empty(StatusCode::NO_CONTENT)
    }
}

async fn ask(stream: &mut DuplexStream, path: &str) -> u16 {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut bytes = vec![0; 1024];
    let read = stream.read(&mut bytes).await.unwrap();
    Answer::read(&bytes[..read]).status
}

/// Time is virtual here: what takes long takes no time.
#[tokio::test(start_paused = true)]
async fn connections_are_capped_and_survive_errors() {
    let (mut clients, mut next) = (Vec::new(), VecDeque::new());
    for _ in 0..3 {
        let (client, server) = tokio::io::duplex(64 * 1024);
        clients.push(client);
        next.push_back(Ok(server));
    }
    // No descriptor is left for a while, and one client was gone before it was taken.
    next.push_front(Err(io::ErrorKind::ConnectionAborted.into()));
    for _ in 0..20 {
        next.push_front(Err(io::Error::from_raw_os_error(24)));
    }
    let (asked, mut count) = watch::channel(0);
    let (handled, mut requests) = mpsc::unbounded_channel();
    let runtime = Runtime::system(Tasks::default(), [3; 32]);
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let stop = CancellationToken::new();
    let began = tokio::time::Instant::now();
    let gate = Gate { next, asked };
    runtime.spawn(server::serve(gate, Arc::new(Brittle(handled)), limits, runtime.clone(), stop.clone()));

    let (mut third, mut second, mut first) = (clients.pop().unwrap(), clients.pop().unwrap(), clients.pop().unwrap());
    assert_eq!(ask(&mut first, "/").await, 204);
    assert!(began.elapsed().as_millis() >= 1_000, "it rests between errors, and does not spin");
    assert_eq!(ask(&mut second, "/panic").await, 500);
    assert_eq!(ask(&mut second, "/").await, 204, "a panic ends one request, not its connection");
    assert_eq!(*count.borrow_and_update(), 23, "the third is not even taken");
    third.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    drop(first);
    count.wait_for(|asked| *asked == 24).await.unwrap();
    let mut bytes = vec![0; 1024];
    let read = third.read(&mut bytes).await.unwrap();
    assert_eq!(Answer::read(&bytes[..read]).status, 204);
    assert_eq!(std::iter::from_fn(|| requests.try_recv().ok()).count(), 4);
    stop.cancel();
}
