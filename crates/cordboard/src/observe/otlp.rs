//! Sends spans to a collector: OTLP over HTTP, through the product's one client.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Metrics;
use super::config::{Otlp, header};
use super::trace::Traces;
use super::words::Exported;
use crate::http::{Call, Transport};
use crate::runtime::Runtime;

/// Spans that wait for the collector; beyond, they are dropped.
const QUEUE_MAX: usize = 4_096;
/// Spans of one call.
const BATCH_MAX: usize = 512;
/// How long the first span of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
const TIMEOUT_MS: u64 = 3_000;
const REPLY_MAX_BYTES: usize = 64 * 1024;

/// The collector cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("spans cannot be sent: {0}; mend `otlp` in [observe], or leave it out")]
pub struct Unusable(#[from] ExporterBuildError);

/// Starts the export, which ends when the gateway stops.
///
/// # Errors
///
/// [`Unusable`]; nothing is called yet.
pub fn start(
    config: &Otlp,
    transport: Arc<dyn Transport>,
    runtime: &Runtime,
    metrics: &Arc<Metrics>,
) -> Result<Traces, Unusable> {
    let headers = config.headers.iter().filter_map(|(name, value)| header(name, value)).collect();
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector { transport, headers })
        .with_endpoint(&config.endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(Duration::from_millis(TIMEOUT_MS))
        // Its own retries would block a thread of the runtime; what is lost is counted.
        .with_retry_policy(RetryPolicy::disabled())
        .build()?;
    exporter.set_resource(&Resource::builder().with_service_name("cordboard").build());
    let (queue, spans) = mpsc::channel(QUEUE_MAX);
    let traces = Traces::new(queue, metrics.clone(), config.sample_ratio);
    runtime.spawn(export(exporter, spans, metrics.clone(), traces.stop.clone()));
    Ok(traces)
}

async fn export(
    exporter: SpanExporter,
    mut spans: mpsc::Receiver<SpanData>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let mut is_told = false;
    loop {
        let first = stop.run_until_cancelled(spans.recv()).await.flatten();
        let is_last = first.is_none();
        let mut batch: Vec<SpanData> = first.into_iter().collect();
        // What is there at the stop goes out at once.
        drop(tokio::time::timeout(GATHER, stop.cancelled()).await);
        while batch.len() < BATCH_MAX
            && let Ok(span) = spans.try_recv()
        {
            batch.push(span);
        }
        let count = batch.len();
        if count > 0 {
            let exported = exporter.export(batch).await;
            metrics.spans(if exported.is_ok() { Exported::Done } else { Exported::Dropped }, count);
            // A collector that is away must not fill the log: it is told once, and again only after it was there.
            match exported {
                Ok(()) => is_told = false,
                Err(error) if !is_told => {
                    is_told = true;
                    tracing::warn!(%error, "spans were not taken by the collector and are dropped; does `otlp.endpoint` of [observe] answer?");
                }
                Err(_) => {}
            }
        }
        if is_last {
            return;
        }
    }
}

/// The collector, as the exporter calls it.
struct Collector {
    transport: Arc<dyn Transport>,
    headers: HeaderMap,
}

impl fmt::Debug for Collector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Collector")
    }
}

impl HttpClient for Collector {
    fn send_bytes<'this, 'call>(
        &'this self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'call>>
    where
        'this: 'call,
        Self: 'call,
    {
        let (head, body) = request.into_parts();
        let mut headers = head.headers;
        headers.extend(self.headers.clone());
        let call = Call {
            method: head.method,
            url: head.uri.to_string(),
            headers,
            body,
            timeout_ms: TIMEOUT_MS,
            reply_max_bytes: REPLY_MAX_BYTES,
        };
        Box::pin(async move {
            let reply = self.transport.send(call).await?;
            Ok(Response::builder().status(reply.status).body(reply.body)?)
        })
    }
}
