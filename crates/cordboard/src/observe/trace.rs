//! Traces: the W3C trace context that comes in with a platform's call and goes out with ours, and the spans of it.
//!
//! What a platform sends in `traceparent` is passed on whether or not spans are collected. With a collector
//! (`[observe.otlp]`), each hop of a turn is a span: the request, the step, the call to the engine, the push. A trace is
//! stored with the journal's rows and with what is on its way out, so a turn keeps it across restarts. Spans hold keys of
//! the configuration and words of ours, never a customer's.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use model::Timestamp;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Metrics;
use super::words::Exported;
use crate::gateway::Shared;
use crate::http::Call;
use crate::runtime::Ids;

/// The header of the trace context (W3C Trace Context, section 3.2).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Finer than any ratio that somebody writes.
const SAMPLE_STEPS: u64 = 1_000_000;

/// Where something stands in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The trace.
    pub id: u128,
    /// The span in it.
    pub span: u64,
    /// Whether its spans are collected.
    pub sampled: bool,
}

impl Trace {
    /// Reads the one `traceparent` of a call; nothing when there is none, or it is not valid.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.to_str().ok()?)
    }

    /// Reads the text form. Of a later version, the part that is as in this one counts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let mut parts = text.split('-');
        let [version, id, span, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let lengths = [version, id, span, flags].map(str::len) == [2, 32, 16, 2];
        let is_whole = version != "ff" && (version != "00" || parts.next().is_none());
        if !lengths || !is_whole || ![version, id, span, flags].into_iter().all(is_hex) {
            return None;
        }
        let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
        let span = u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)?;
        Some(Self { id, span, sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1 })
    }

    /// The text form.
    #[must_use]
    pub fn text(self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.id, self.span, u8::from(self.sampled))
    }

    /// The trace's id as it is stored.
    #[must_use]
    pub const fn id_bytes(self) -> [u8; 16] {
        self.id.to_be_bytes()
    }
}

/// A span that has begun.
pub(crate) struct Begun {
    /// Itself.
    pub(crate) trace: Trace,
    parent: Option<u64>,
    at: Timestamp,
    since: Instant,
}

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hop {
    /// A call of the platform.
    Request,
    /// A step of a conversation.
    Step,
    /// A call to an engine.
    EngineCall,
    /// A push to the platform.
    Push,
}

impl Hop {
    const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Step => "step",
            Self::EngineCall => "engine call",
            Self::Push => "push",
        }
    }

    const fn kind(self) -> SpanKind {
        match self {
            Self::Request => SpanKind::Server,
            Self::Step => SpanKind::Internal,
            Self::EngineCall | Self::Push => SpanKind::Client,
        }
    }
}

/// Takes spans for the collector. What does not fit into the queue is dropped and counted: nothing waits for a span.
pub struct Traces {
    queue: mpsc::Sender<SpanData>,
    metrics: Arc<Metrics>,
    /// Of so many new traces in [`SAMPLE_STEPS`].
    sampled: u64,
    /// Ends the export.
    pub(super) stop: CancellationToken,
}

impl Traces {
    pub(super) fn new(queue: mpsc::Sender<SpanData>, metrics: Arc<Metrics>, ratio: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the ratio lies between 0 and 1")]
        let sampled = (ratio * 1e6).round() as u64;
        Self { queue, metrics, sampled, stop: CancellationToken::new() }
    }

    fn new_trace(&self, ids: &Ids) -> Trace {
        // The time in the front half of the id makes traces sortable; the rest is chance.
        Trace { id: ids.uuid(), span: 0, sampled: ids.below(SAMPLE_STEPS) < self.sampled }
    }

    fn take(&self, span: SpanData) {
        if self.queue.try_send(span).is_err() {
            self.metrics.spans(Exported::Dropped, 1);
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Shared {
    /// The trace of a call that came in: the platform's, or a new one where spans are collected.
    pub(crate) fn begin_request(&self, incoming: Option<Trace>) -> (Option<Trace>, Option<Begun>) {
        let Some(traces) = &self.traces else { return (incoming, None) };
        let of = incoming.unwrap_or_else(|| traces.new_trace(&self.runtime().ids));
        let begun = self.begin(Some(of));
        // A span that nobody collects is no parent.
        (begun.as_ref().map(|begun| begun.trace).or(incoming), begun)
    }

    /// Begins a span within a trace; nothing when it is not collected.
    pub(crate) fn begin(&self, within: Option<Trace>) -> Option<Begun> {
        self.traces.as_ref()?;
        let within = within.filter(|trace| trace.sampled)?;
        let (runtime, parent) = (self.runtime(), Some(within.span).filter(|span| *span != 0));
        let span = runtime.ids.below(u64::MAX - 1) + 1;
        Some(Begun { trace: Trace { span, ..within }, parent, at: runtime.now(), since: Instant::now() })
    }

    /// Ends a span. Attributes are keys of the configuration and words of ours.
    pub(crate) fn end(&self, begun: Option<Begun>, hop: Hop, failed: bool, attributes: &[(&'static str, &str)]) {
        let (Some(traces), Some(begun)) = (&self.traces, begun) else { return };
        let start = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(begun.at.0).unwrap_or(0));
        let Trace { id, span, .. } = begun.trace;
        traces.take(SpanData {
            span_context: SpanContext::new(
                TraceId::from(id),
                SpanId::from(span),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: begun.parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: hop == Hop::Request,
            span_kind: hop.kind(),
            name: hop.name().into(),
            start_time: start,
            end_time: start + begun.since.elapsed(),
            attributes: attributes.iter().map(|(name, value)| KeyValue::new(*name, (*value).to_owned())).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("cordboard").build(),
        });
    }
}

/// Puts the trace context on a call.
pub(crate) fn put_on(call: &mut Call, trace: Option<Trace>) {
    if let Some(value) = trace.and_then(|trace| HeaderValue::try_from(trace.text()).ok()) {
        call.headers.insert(TRACEPARENT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_context_is_taken() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace = Trace::parse(valid).unwrap();
        assert_eq!((trace.text().as_str(), trace.sampled), (valid, true));
        assert!(!Trace::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02").unwrap().sampled);
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes";
        assert_eq!(Trace::parse(later), Some(trace));
        for invalid in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(Trace::parse(invalid), None, "{invalid}");
        }
        let mut twice = HeaderMap::new();
        twice.append(TRACEPARENT, HeaderValue::from_static(valid));
        assert_eq!(Trace::of(&twice), Some(trace));
        twice.append(TRACEPARENT, HeaderValue::from_static(valid));
        assert_eq!(Trace::of(&twice), None);
    }
}
