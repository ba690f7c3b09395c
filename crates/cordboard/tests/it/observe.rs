//! What the gateway shows of itself: its page of metrics, its ids on every answer, its traces, and that none of it holds a
//! customer's word or a secret.

mod collector;
mod redaction;

use cordboard::observe::trace::Trace;

use crate::gateway::KEY;
use crate::observe::collector::{Collector, Span};
use crate::raw::{request, send};
use crate::world::{Wishes, World};

/// Every answer is a push.
const PUSHED: Wishes =
    Wishes { digital: "soft_deadline_ms = 100\npush_after_ack_ms = 0", classic: "", bots: "", webhook: "" };
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn the_page_tells_what_happened_and_is_not_on_the_platforms_port() {
    let mut world = World::with_more(PUSHED, "\n[observe]\nmetrics_listen = \"127.0.0.1:0\"\n").await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    customer.is_answered().await;
    question.says("welcome");
    assert_eq!(customer.sees().await, "welcome");
    world.no_request_is_open().await;
    let page = send(world.gateway().metrics_address().unwrap(), &request("GET", "/metrics", &[], b"")).await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", page.head);
    for line in [
        "cordboard_requests_total{connector=\"digital\",outcome=\"acknowledged\"} 1",
        "cordboard_requests_total{connector=\"digital\",outcome=\"refused\"} 0",
        "cordboard_reply_seconds_count{connector=\"digital\"} 1",
        "cordboard_turns_total{bot=\"helper\",outcome=\"answered\"} 1",
        "cordboard_engine_call_seconds_count{bot=\"helper\",outcome=\"answered\"} 1",
        "cordboard_token_fetches_total{org=\"acme\",outcome=\"done\"} 1",
        "cordboard_open_conversations 1",
        "cordboard_conversations_in_memory 1",
        "cordboard_dead_letters_stored 0",
        "cordboard_store_up 1",
    ] {
        assert!(page.body.lines().any(|shown| shown == line), "{line}\n{}", page.body);
    }
    let value = |name: &str| -> f64 {
        let line = page.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    };
    for name in ["cordboard_disk_free_bytes", "cordboard_store_wal_bytes", "process_resident_memory_bytes"] {
        assert!(value(name) > 0.0, "{name}");
    }
    assert!(value("cordboard_store_commit_seconds_count") >= 2.0);
    assert_eq!(send(world.address(), &request("GET", "/metrics", &[], b"")).await.status, 404);
    assert_eq!(send(world.gateway().metrics_address().unwrap(), &request("GET", "/", &[], b"")).await.status, 404);
}

#[tokio::test]
async fn every_answer_names_its_call() {
    let world = World::new().await;
    let id_of = |head: &str| head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned();
    let healthy = send(world.address(), &request("GET", "/healthz", &[], b"")).await;
    let headers = [("inin-correlation-id", "c-77"), ("x-request-id", "mine")];
    let stranger = send(world.address(), &request("POST", "/genesys/digital/messages", &headers, b"{}")).await;
    assert_ne!(id_of(&healthy.head), id_of(&stranger.head));
    assert_eq!((stranger.status, stranger.error().as_str()), (403, "credentials"));
    let told = stranger.json();
    assert_eq!((&told["request_id"], &told["correlation_id"]), (&id_of(&stranger.head).into(), &"c-77".into()));
    let unread = send(world.address(), &request("POST", "/genesys/digital/messages", &[KEY, headers[0]], b"no")).await;
    assert_eq!((unread.status, &unread.json()["correlation_id"]), (400, &"c-77".into()));
    // What is the platform's contract stays so.
    let failed = send(world.address(), &request("POST", "/genesys/digital/messages", &[KEY, headers[0]], b"{}")).await;
    assert_eq!((failed.status, failed.body.contains("c-77")), (200, false));
    assert!(!id_of(&failed.head).is_empty());
}

#[tokio::test]
async fn a_turn_keeps_its_trace_over_a_crash() {
    let mut world = World::with(PUSHED).await;
    let customer = world.v2().await;
    customer.says("hello");
    let question = world.bot.asked().await;
    assert_eq!(question.trace(), None, "nobody asked for one");
    question.says("welcome");
    assert_eq!(customer.sees().await, "welcome");
    let message = customer.message("again").to_string();
    world.posts_with(&customer, &[KEY, ("traceparent", TRACE)], &message).await;
    // Nobody collects spans, so the platform's own is passed on as it is.
    assert_eq!(world.bot.asked().await.trace(), Some(TRACE));
    world.crash_and_start().await;
    let question = world.bot.asked().await;
    assert_eq!((question.words().as_str(), question.trace()), ("again", Some(TRACE)));
    question.says("at last");
    assert_eq!(customer.sees().await, "at last");
}

#[tokio::test]
async fn the_spans_of_a_turn_reach_the_collector_as_one_tree() {
    let mut collector = Collector::start().await;
    let otlp = format!(
        "\n[observe.otlp]\nendpoint = \"{}\"\nheaders = {{ x-api-key = \"the collector's\" }}\nsample_ratio = 0\n",
        collector.url()
    );
    let mut world = World::with_more(PUSHED, &otlp).await;
    let customer = world.v2().await;
    customer.says("not sampled");
    world.bot.asked().await.says("welcome");
    assert_eq!(customer.sees().await, "welcome");
    let message = customer.message("sampled").to_string();
    world.posts_with(&customer, &[KEY, ("traceparent", TRACE)], &message).await;
    let question = world.bot.asked().await;
    let sent = Trace::parse(question.trace().unwrap()).unwrap();
    question.says("at last");
    assert_eq!(customer.sees().await, "at last");

    let incoming = Trace::parse(TRACE).unwrap();
    let spans = collector.until(|spans| spans.iter().any(|span| span.name == "push")).await;
    assert!(spans.iter().all(|span| span.trace == incoming.id), "only what is sampled is sent: {spans:?}");
    let named = |name: &str| -> &Span { spans.iter().find(|span| span.name == name).unwrap() };
    let (request, call) = (named("request"), named("engine call"));
    assert_eq!(request.parent, Some(incoming.span));
    assert_eq!((call.span, sent.id), (sent.span, incoming.id), "the bot's spans hang on the call");
    for span in spans.iter().filter(|span| span.name != "request") {
        let parent = spans.iter().find(|parent| Some(parent.span) == span.parent);
        assert!(parent.is_some(), "{span:?} hangs on nothing: {spans:?}");
    }
    assert!(collector.attributes().contains("helper"));
    for word in ["sampled", "at last", KEY.1] {
        assert!(!collector.attributes().contains(word), "{word}");
    }
}
