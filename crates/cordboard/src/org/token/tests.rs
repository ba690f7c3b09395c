use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Semaphore;

use super::*;
use crate::http::Failed;
use crate::org::OrgConfig;

/// A login host that answers from a script, one answer for each permit.
struct Login {
    answers: Mutex<VecDeque<Result<Reply, Failed>>>,
    permits: Semaphore,
    calls: Mutex<Vec<Call>>,
}

impl Login {
    fn new(answers: impl IntoIterator<Item = Result<Reply, Failed>>) -> Arc<Self> {
        let answers: VecDeque<_> = answers.into_iter().collect();
        Arc::new(Self { permits: Semaphore::new(0), calls: Mutex::default(), answers: Mutex::new(answers) })
    }

    fn answering(answers: impl IntoIterator<Item = Result<Reply, Failed>>) -> Arc<Self> {
        let login = Self::new(answers);
        login.permits.add_permits(100);
        login
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

impl Transport for Login {
    fn send(&self, call: Call) -> BoxFuture<'_, Result<Reply, Failed>> {
        self.calls.lock().unwrap().push(call);
        async {
            self.permits.acquire().await.unwrap().forget();
            self.answers.lock().unwrap().pop_front().expect("the script has an answer for every call")
        }
        .boxed()
    }
}

#[derive(Default)]
struct Hands(AtomicI64);

impl Hands {
    fn set_s(&self, seconds: i64) {
        self.0.store(seconds * 1000, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

fn reply(status: u16, body: &str) -> Result<Reply, Failed> {
    Ok(Reply { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) })
}

fn granted(token: &str) -> Result<Reply, Failed> {
    reply(200, &format!(r#"{{"access_token":"{token}","token_type":"bearer","expires_in":1000}}"#))
}

fn tokens(login: &Arc<Login>) -> (Tokens, Arc<Hands>) {
    let config =
        "client_id = 'id'\nclient_secret = 'hush'\napi_url = 'http://api'\nlogin_url = 'https://login.example.com'";
    let config: OrgConfig = toml::from_str(config).unwrap();
    let clock = Arc::new(Hands::default());
    (Tokens::new(&Org::new("acme".into(), &config).unwrap(), login.clone(), clock.clone()), clock)
}

fn text(bearer: &Bearer) -> &str {
    bearer.header.to_str().unwrap()
}

#[tokio::test]
async fn fifty_who_wait_cost_one_call() {
    let login = Login::new([granted("one")]);
    let (tokens, _) = tokens(&login);
    let waiters = join_all((0..50).map(|_| tokens.bearer()));
    // The waiters are polled first, so all of them wait before the login host answers.
    let (bearers, ()) = tokio::join!(waiters, async { login.permits.add_permits(1) });
    assert!(bearers.iter().all(|bearer| text(bearer.as_ref().unwrap()) == "Bearer one"));
    assert_eq!(login.calls(), 1);

    let call = &login.calls.lock().unwrap()[0];
    assert_eq!(
        (call.url.as_str(), &call.body[..]),
        ("https://login.example.com/oauth/token", TokenRequest::BODY.as_bytes())
    );
    assert_eq!(call.headers[AUTHORIZATION], "Basic aWQ6aHVzaA==");
    assert!(!format!("{call:?} {bearers:?}").contains("Bearer one") && !format!("{call:?}").contains("aWQ6"));
}

#[tokio::test]
async fn fifty_who_wait_for_a_failure_cost_one_call_too() {
    let login = Login::new([Err(Failed::TimedOut), granted("two")]);
    let (tokens, clock) = tokens(&login);
    let waiters = join_all((0..50).map(|_| tokens.bearer()));
    let (bearers, ()) = tokio::join!(waiters, async { login.permits.add_permits(2) });
    let reasons: Vec<_> = bearers.into_iter().map(|bearer| bearer.unwrap_err().reason).collect();
    assert_eq!((reasons, login.calls()), (vec![Reason::Unavailable; 50], 1));
    clock.set_s(1);
    assert_eq!(text(&tokens.bearer().await.unwrap()), "Bearer two");
}

#[tokio::test]
async fn a_token_is_renewed_after_nine_tenths_of_its_life_by_one_while_the_others_go_on() {
    let login = Login::new([granted("one"), granted("two")]);
    let (tokens, clock) = tokens(&login);
    login.permits.add_permits(1);
    tokens.bearer().await.unwrap();
    clock.set_s(899);
    tokens.bearer().await.unwrap();
    assert_eq!(login.calls(), 1);

    clock.set_s(900);
    let waiters = join_all((0..5).map(|_| tokens.bearer()));
    let (bearers, ()) = tokio::join!(waiters, async { login.permits.add_permits(1) });
    let got: Vec<&str> = bearers.iter().map(|bearer| text(bearer.as_ref().unwrap())).collect();
    assert_eq!(got, ["Bearer two", "Bearer one", "Bearer one", "Bearer one", "Bearer one"]);
    assert_eq!(login.calls(), 2);
}

#[tokio::test]
async fn a_failed_renewal_costs_nothing_until_the_old_token_ends() {
    let login = Login::answering([granted("one"), Err(Failed::NotSent), reply(503, ""), granted("two")]);
    let (tokens, clock) = tokens(&login);
    tokens.bearer().await.unwrap();
    for (second, calls) in [(950, 2), (950, 2), (999, 3), (999, 3)] {
        clock.set_s(second);
        assert_eq!(text(&tokens.bearer().await.unwrap()), "Bearer one", "{second}");
        assert_eq!(login.calls(), calls, "a pause follows a failure");
    }
    clock.set_s(1001);
    assert_eq!(text(&tokens.bearer().await.unwrap()), "Bearer two");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let login = Login::answering([granted("one"), granted("two")]);
    let (tokens, _) = tokens(&login);
    let old = tokens.bearer().await.unwrap();
    // Two pushes went out with it, and both come back with a 401.
    tokens.invalidate(&old);
    let new = tokens.bearer().await.unwrap();
    tokens.invalidate(&old);
    let still_new = tokens.bearer().await.unwrap();
    assert_eq!([text(&new), text(&still_new)], ["Bearer two"; 2]);
    assert_eq!(login.calls(), 2);
}

#[tokio::test]
async fn one_who_goes_away_leaves_the_call_to_the_next() {
    let login = Login::new([granted("one")]);
    let (tokens, _) = tokens(&login);
    assert!(tokens.bearer().now_or_never().is_none(), "it waits for the login host");
    login.permits.add_permits(1);
    assert_eq!(text(&tokens.bearer().await.unwrap()), "Bearer one");
    assert_eq!(login.calls(), 2);
}

#[tokio::test]
async fn pauses_grow_to_a_bound_and_honour_the_login_hosts_wish() {
    let limited = |seconds: &'static str| {
        let headers = [(http::header::RETRY_AFTER, HeaderValue::from_static(seconds))].into_iter().collect();
        Ok(Reply { status: 429, headers, body: Bytes::new() })
    };
    let mut script = vec![Err(Failed::NotSent); 12];
    script.extend([limited("3600"), reply(401, r#"{"error":"invalid_client"}"#), reply(200, "<html>"), reply(302, "")]);
    let login = Login::answering(script);
    let (tokens, clock) = tokens(&login);
    let mut pauses = Vec::new();
    for attempt in 0..16 {
        clock.set_s(attempt * 61);
        let refused = tokens.bearer().await.unwrap_err();
        pauses.push((refused.reason, refused.retry_after_ms));
        assert_eq!(tokens.bearer().await.unwrap_err(), refused, "no call inside the pause");
    }
    assert_eq!(login.calls(), 16);
    let mut longest = 500;
    for (reason, pause_ms) in &pauses[..12] {
        assert_eq!(*reason, Reason::Unavailable);
        assert!((longest / 2..=longest).contains(pause_ms), "{pause_ms} of {longest}");
        longest = (longest * 2).min(60_000);
    }
    assert_eq!(pauses[12], (Reason::Unavailable, 60_000));
    assert_eq!([pauses[13].0, pauses[14].0, pauses[15].0], [Reason::Refused, Reason::Nonsense, Reason::Refused]);
}

/// The lines of the log while something runs on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn trouble_is_told_when_it_begins_changes_and_ends() {
    let mut script = vec![reply(503, ""); 5];
    script.extend([
        Err(Failed::NotSent),
        reply(400, r#"{"error":"invalid_client","description":"hush"}"#),
        reply(400, r#"{"error":"Hush!"}"#),
        granted("hush"),
        granted("hush"),
    ]);
    let login = Login::answering(script);
    let (tokens, clock) = tokens(&login);
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(log);
    for minute in 0..10 {
        clock.set_s(minute * 61);
        drop(tokens.bearer().await);
        drop(tokens.bearer().await);
    }
    assert_eq!(login.calls(), 9);
    let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(!told.to_lowercase().contains("hush"), "{told}");
    insta::assert_snapshot!(told);
}
