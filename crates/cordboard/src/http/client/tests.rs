use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A host that cannot be resolved: no resolver is asked for a label of more than 63 letters (RFC 1035, section 2.3.4), so
/// none can be slow.
fn nowhere() -> String {
    format!("{}.invalid", "x".repeat(64))
}

fn call(url: impl Into<String>) -> Call {
    let headers = [("x-own", "1"), ("authorization", "Bearer hush")];
    let headers = headers.map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
    Call {
        method: Method::POST,
        url: url.into(),
        headers: HeaderMap::from_iter(headers),
        body: Bytes::from_static(b"{\"a\":1}"),
        timeout_ms: 20_000,
        reply_max_bytes: 100,
    }
}

async fn send(call: Call) -> Result<Reply, Failed> {
    Client::new().unwrap().send(call).await
}

#[expect(clippy::disallowed_methods, reason = "a test's server dies with the test's runtime")]
async fn listening<F: Future<Output = ()> + Send + 'static>(serve: impl FnOnce(TcpListener) -> F) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener));
    address
}

async fn serving(app: Router) -> SocketAddr {
    listening(async |listener| axum::serve(listener, app).await.unwrap()).await
}

/// A server that does with every connection what it is told.
async fn raw<F: Future<Output = ()> + Send>(act: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> SocketAddr {
    listening(async move |listener| {
        while let Ok((stream, _)) = listener.accept().await {
            act(stream).await;
        }
    })
    .await
}

/// Reads a request to the end of the body that `call` sends.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"{\"a\":1}") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request is whole");
    }
    String::from_utf8(request).unwrap()
}

#[tokio::test]
async fn a_call_arrives_as_it_was_built_and_the_reply_comes_back() {
    let echo = async |request: Request| {
        let mut seen = format!("{} {}", request.method(), request.uri());
        for name in ["x-own", "authorization", "user-agent", "content-length", "transfer-encoding", "accept-encoding"] {
            let value = request.headers().get(name).map_or("-", |value| value.to_str().unwrap());
            seen += &format!(" | {name} {value}");
        }
        Response::builder()
            .status(418)
            .header("retry-after", "7")
            .header("x-seen", seen)
            .body(request.into_body())
            .unwrap()
    };
    let address = serving(Router::new().fallback(echo)).await;
    let reply = send(call(format!("http://{address}/a/b?c=d"))).await.unwrap();
    assert_eq!((reply.status, &reply.body[..], reply.retry_after_ms()), (418, &b"{\"a\":1}"[..], Some(7_000)));
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "POST /a/b?c=d | x-own 1 | authorization Bearer hush | user-agent cordboard/{version} | content-length 7 | \
         transfer-encoding - | accept-encoding -"
    );
    assert_eq!(reply.header("x-seen"), Some(expected.as_str()));

    let get = Call { method: Method::GET, body: Bytes::new(), ..call(format!("http://{address}/")) };
    let reply = send(get).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (418, 0));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let redirect =
        async || Response::builder().status(307).header("location", "/elsewhere").body(Body::empty()).unwrap();
    let address = serving(Router::new().fallback(redirect)).await;
    assert_eq!(send(call(format!("http://{address}/"))).await.unwrap().status, 307);
}

#[tokio::test]
async fn a_reply_is_read_to_its_limit_and_no_further() {
    let announced = async |request: Request| {
        let length: usize = request.uri().path()[1..].parse().unwrap();
        Response::new(Body::from("x".repeat(length)))
    };
    let endless = async || {
        Response::new(Body::from_stream(stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from_static(b"more")))))
    };
    let address = serving(Router::new().route("/endless", axum::routing::post(endless)).fallback(announced)).await;
    assert_eq!(send(call(format!("http://{address}/100"))).await.unwrap().body.len(), 100);
    for path in ["101", "10000000", "endless"] {
        assert_eq!(send(call(format!("http://{address}/{path}"))).await.unwrap_err(), Failed::TooLarge, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_have_been_written_was_not_sent() {
    // It accepts and then says nothing: with https the time is over in the middle of connecting.
    let (stalled, mut connections) = tokio::sync::mpsc::unbounded_channel();
    let silent = raw(move |stream| {
        stalled.send(stream).unwrap();
        async {}
    })
    .await;
    let calls = [
        call("http://127.0.0.1:9/"),
        Call { timeout_ms: 100, ..call(format!("https://{silent}/")) },
        call(format!("http://{}/", nowhere())),
        call("not an address"),
        call("ftp://127.0.0.1/"),
    ];
    for call in calls {
        let url = call.url.clone();
        assert_eq!(send(call).await.unwrap_err(), Failed::NotSent, "{url}");
    }
    assert!(connections.recv().await.is_some(), "somebody was connecting");
}

#[tokio::test]
async fn what_may_have_been_written_is_unknown() {
    let (stalled, _connections) = tokio::sync::mpsc::unbounded_channel();
    let silent = raw(move |mut stream| {
        let stalled = stalled.clone();
        async move {
            assert!(read_request(&mut stream).await.starts_with("POST / HTTP/1.1"));
            stalled.send(stream).unwrap();
        }
    })
    .await;
    let late = Call { timeout_ms: 1_000, ..call(format!("http://{silent}/")) };
    assert_eq!(send(late).await.unwrap_err(), Failed::TimedOut);

    let rude = raw(async |mut stream| drop(read_request(&mut stream).await)).await;
    assert_eq!(send(call(format!("http://{rude}/"))).await.unwrap_err(), Failed::Broken);

    let torn = raw(async |mut stream| {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"messageId\":").await.unwrap();
    })
    .await;
    assert_eq!(send(call(format!("http://{torn}/"))).await.unwrap_err(), Failed::Broken);

    let babble = raw(async |mut stream| {
        read_request(&mut stream).await;
        stream.write_all(b"220 mail.example.com ESMTP\r\n\r\n").await.unwrap();
    })
    .await;
    assert_eq!(send(call(format!("http://{babble}/"))).await.unwrap_err(), Failed::Broken);
}

/// The addresses beyond the proxy need not exist: who resolves them is the proxy.
#[tokio::test]
async fn calls_go_through_the_proxy_of_the_configuration_except_where_it_cannot_reach() {
    let behind = async |request: Request| {
        let shown = request.headers().get("proxy-authorization").map_or("-", |value| value.to_str().unwrap());
        Response::builder().header("x-seen", format!("{} {shown}", request.uri())).body(Body::empty()).unwrap()
    };
    let proxy = serving(Router::new().fallback(behind)).await;
    let direct = serving(Router::new().fallback(async || "direct")).await;
    let toml = format!("proxy = 'http://user:pass@{proxy}'\nno_proxy = ['{}']", nowhere());
    let outgoing: Outgoing = toml::from_str(&toml).unwrap();
    let client = Client::for_calls(&outgoing).unwrap();

    let reply = client.send(call("http://bot.invalid/a?b")).await.unwrap();
    assert_eq!(reply.header("x-seen"), Some("http://bot.invalid/a?b Basic dXNlcjpwYXNz"));
    assert_eq!(&client.send(call(format!("http://{direct}/"))).await.unwrap().body[..], b"direct");
    let port = direct.port();
    assert_eq!(&client.send(call(format!("http://localhost:{port}/"))).await.unwrap().body[..], b"direct");
    assert_eq!(client.send(call(format!("http://{}/", nowhere()))).await.unwrap_err(), Failed::NotSent);
    assert_eq!(client.probe(call(format!("http://{}/", nowhere()))).await.unwrap_err(), Trouble::NoSuchHost);
    // A connection that the proxy refuses was not sent.
    assert_eq!(client.send(call("https://bot.invalid/")).await.unwrap_err(), Failed::NotSent);
}

const PATIENT: Patience = Patience { first_byte_timeout_ms: 20_000, idle_timeout_ms: 20_000 };

/// What comes of a reply that is read while it comes.
async fn pieces(call: Call, patience: Patience) -> (String, Result<u16, Failed>) {
    let incoming = match Client::new().unwrap().open(call, patience).await {
        Ok(incoming) => incoming,
        Err(failed) => return (String::new(), Err(failed)),
    };
    let Incoming { status, body, .. } = incoming;
    let pieces: Vec<Result<Bytes, Failed>> = body.collect().await;
    let text = pieces.iter().flatten().flat_map(|piece| piece.to_vec()).collect();
    let end = pieces.into_iter().find_map(Result::err).map_or(Ok(status), Err);
    (String::from_utf8(text).unwrap(), end)
}

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_reply_is_handed_out_while_it_comes() {
    let (taken, mut connections) = tokio::sync::mpsc::unbounded_channel();
    let server = raw(move |mut stream| {
        let taken = taken.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(&[CHUNKED, b"3\r\none\r\n"].concat()).await.unwrap();
            taken.send(stream).unwrap();
        }
    })
    .await;
    let Incoming { status, mut body, .. } =
        Client::new().unwrap().open(call(format!("http://{server}/")), PATIENT).await.unwrap();
    assert_eq!((status, body.next().await), (200, Some(Ok("one".into()))));
    // The rest is written only now.
    let mut stream = connections.recv().await.unwrap();
    stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    assert_eq!((body.next().await, body.next().await), (Some(Ok("two".into())), None));

    // Nobody listens any more: the other side sees it.
    let call = call(format!("http://{server}/"));
    let body = Client::new().unwrap().open(call, PATIENT).await.unwrap().body;
    let mut stream = connections.recv().await.unwrap();
    drop(body);
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_reply_that_does_not_come_whole_says_how_it_failed() {
    let (stalled, _connections) = tokio::sync::mpsc::unbounded_channel();
    let server = raw(move |mut stream| {
        let stalled = stalled.clone();
        async move {
            let path = read_request(&mut stream).await;
            let path = path.split(' ').nth(1).unwrap();
            match path {
                "/silent" | "/late" => {}
                "/head" => stream.write_all(CHUNKED).await.unwrap(),
                "/large" => stream.write_all(&[CHUNKED, b"65\r\n", &[b'x'; 101], b"\r\n"].concat()).await.unwrap(),
                _ => stream.write_all(&[CHUNKED, b"3\r\none\r\n"].concat()).await.unwrap(),
            }
            if path != "/torn" {
                stalled.send(stream).unwrap();
            }
        }
    })
    .await;
    let hasty = Patience { first_byte_timeout_ms: 200, ..PATIENT };
    let lively = Patience { idle_timeout_ms: 200, ..PATIENT };
    let table = [
        ("silent", hasty, 20_000, "", Failed::Broken),
        ("head", hasty, 20_000, "", Failed::Broken),
        ("stalls", lively, 20_000, "one", Failed::Broken),
        ("torn", PATIENT, 20_000, "one", Failed::Broken),
        ("late", PATIENT, 1_000, "", Failed::TimedOut),
        ("drips", PATIENT, 1_000, "one", Failed::TimedOut),
        ("large", PATIENT, 20_000, "", Failed::TooLarge),
    ];
    for (path, patience, timeout_ms, came, failed) in table {
        let call = Call { timeout_ms, ..call(format!("http://{server}/{path}")) };
        assert_eq!(pieces(call, patience).await, (came.to_owned(), Err(failed)), "{path}");
    }
    assert_eq!(pieces(call(format!("http://{}/", nowhere())), PATIENT).await.1, Err(Failed::NotSent));
}
