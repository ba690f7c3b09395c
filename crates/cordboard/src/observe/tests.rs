//! The documents about metrics say what is there: the reference, the alerts, the dashboard and the on-call guide.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Metrics;
use super::metrics::{EngineOutcome, Entry, Exported, Fetched, HandOver, Pushed, RequestOutcome};
use crate::connector::shadow::Found;
use crate::org::TokenHealth;

fn docs(file: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(docs(file)).unwrap()
}

const REFERENCE: &str = "reference/metrics.md";

fn reference(entries: &[Entry]) -> String {
    let mut page = "\
# Metrics

Generated from the registry; a test keeps it in step (`UPDATE_REFERENCE=1 cargo test -p cordboard metrics`).

The page is answered on `metrics_listen` of `[observe]`, in plain HTTP and without credentials, and printed by
`cordboard metrics`. It is OpenMetrics text. No label holds an id of a conversation; labels are connectors, bots, orgs and the
words below. A histogram `X` has the samples `X_bucket`, `X_sum` and `X_count`.

| Metric | Type | Unit | Labels | Says |
|---|---|---|---|---|
"
    .to_owned();
    for Entry { name, kind, unit, labels, help } in entries {
        let unit = if unit.is_empty() { "–" } else { unit };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        writeln!(page, "| `{name}` | {kind} | {unit} | {labels} | {help} |").unwrap();
    }
    page.push_str("\n## Words\n\n| Metric | Label | Words |\n|---|---|---|\n");
    let mut words = |metrics: &str, label: &str, words: Vec<&str>| {
        let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
        writeln!(page, "| {metrics} | `{label}` | {} |", words.join(", ")).unwrap();
    };
    words("`cordboard_requests_total`", "outcome", RequestOutcome::ALL.iter().map(|word| word.word()).collect());
    words(
        "`cordboard_turns_total`, `cordboard_engine_call_seconds`",
        "outcome",
        EngineOutcome::ALL.iter().map(|word| word.word()).collect(),
    );
    words("`cordboard_hand_overs_total`", "reason", HandOver::ALL.iter().map(|word| word.word()).collect());
    words("`cordboard_pushes_total`", "outcome", Pushed::ALL.iter().map(|word| word.word()).collect());
    words("`cordboard_token_fetches_total`", "outcome", Fetched::ALL.iter().map(|word| word.word()).collect());
    words("`cordboard_shadow_answers_total`", "found", Found::WORDS.to_vec());
    words("`cordboard_spans_total`", "outcome", Exported::ALL.iter().map(|word| word.word()).collect());
    page
}

#[test]
fn the_reference_of_the_metrics_is_that_of_the_registry() {
    let metrics = Metrics::new();
    let page = reference(metrics.entries());
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(docs(REFERENCE), &page).unwrap();
    }
    assert_eq!(read(REFERENCE), page, "UPDATE_REFERENCE=1 writes it anew");
    let names: BTreeSet<&str> = metrics.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names.len(), metrics.entries().len(), "a name is there twice");
    for entry in metrics.entries() {
        assert!(entry.name.starts_with("cordboard_") || entry.name.starts_with("process_"), "{}", entry.name);
        assert!(entry.unit.is_empty() || entry.name.contains(entry.unit), "{}", entry.name);
    }
}

#[test]
fn what_the_page_shows_is_what_the_book_says() {
    let metrics = Metrics::new();
    metrics.connector(&"door".into()).request(RequestOutcome::Refused).inc();
    metrics.bot(&"claims".into()).call(EngineOutcome::Answered).observe(0.02);
    metrics.org(&"acme".into()).push(Pushed::Delivered).inc();
    metrics.read_tokens(&"acme".into(), TokenHealth { fetched: 1, failed: 0, left_ms: 1_500 });
    metrics.spans(Exported::Dropped, 3);
    metrics.shadow(&"door".into(), Found::Late.word()).inc();
    metrics.watch_certificate(|| Some(12));
    metrics.read_certificate();
    let text = metrics.text();
    for line in [
        "cordboard_requests_total{connector=\"door\",outcome=\"refused\"} 1",
        "cordboard_requests_total{connector=\"door\",outcome=\"answered\"} 0",
        "cordboard_engine_call_seconds_count{bot=\"claims\",outcome=\"answered\"} 1",
        "cordboard_tls_certificate_days{listener=\"main\"} 12",
        "cordboard_token_left_seconds{org=\"acme\"} 1.5",
        "cordboard_spans_total{outcome=\"dropped\"} 3",
        "cordboard_shadow_answers_total{connector=\"door\",found=\"late\"} 1",
        "# UNIT cordboard_store_wal_bytes bytes",
        "# EOF",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    let shown: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let written: BTreeSet<&str> =
        metrics.entries().iter().map(|entry| entry.name.strip_suffix("_total").unwrap_or(&entry.name)).collect();
    assert_eq!(shown, written);
}

/// Every field that a line of the log has, from the sources.
fn fields_of_the_log(folder: &Path, fields: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fields_of_the_log(&path, fields);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for call in ["error", "warn", "info", "debug", "trace"].map(|level| format!("tracing::{level}!(")) {
            for rest in text.split(&call).skip(1) {
                // The name of a target is a text as well, and stands before the fields.
                let mut texts = rest.split('"');
                let first = texts.next().unwrap();
                let before_the_message = if first.contains("target:") { texts.nth(1).unwrap() } else { first };
                for field in before_the_message.split(',').map(str::trim).filter(|field| !field.is_empty()) {
                    let name = field.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
                    fields.insert(name.rsplit('.').next().unwrap().to_owned());
                }
            }
        }
    }
}

#[test]
fn every_field_of_the_log_is_documented() {
    let mut fields = BTreeSet::new();
    fields_of_the_log(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut fields);
    assert!(fields.contains("connector") && fields.len() > 10, "{fields:?}");
    let page = read("reference/logs.md");
    for field in fields {
        assert!(page.contains(&format!("| `{field}` |")), "docs/reference/logs.md says nothing of the field {field}");
    }
}

/// Each metric of an expression, with the labels by which it is chosen, and the labels by which sums are taken.
fn used(expression: &str) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let (mut metrics, mut grouped) = (Vec::new(), Vec::new());
    let is_of_a_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let mut rest = expression;
    while let Some(start) = rest.find(is_of_a_name) {
        rest = &rest[start..];
        let end = rest.find(|char| !is_of_a_name(char)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        let listed = |open: char, close: char| after.trim_start().strip_prefix(open)?.split_once(close);
        if matches!(word, "by" | "on") {
            let (labels, behind) = listed('(', ')').unwrap();
            grouped.extend(labels.split(',').map(|label| label.trim().to_owned()));
            rest = behind;
        } else if word.starts_with("cordboard_") || word.starts_with("process_") {
            let mut labels = Vec::new();
            if let Some((chosen, behind)) = listed('{', '}') {
                labels
                    .extend(chosen.split("\",").map(|label| label.split(['=', '!']).next().unwrap().trim().to_owned()));
                rest = behind;
            }
            metrics.push((word.to_owned(), labels));
        }
    }
    (metrics, grouped)
}

/// The labels that a sample of this name has; nothing when there is no such metric.
fn labels_of(entries: &[Entry], sample: &str) -> Option<BTreeSet<&'static str>> {
    let of_a_histogram = |entry: &&Entry| {
        let part = sample.strip_prefix(entry.name.as_str()).unwrap_or_default();
        entry.kind == "histogram" && ["_bucket", "_sum", "_count"].contains(&part)
    };
    let entry = entries.iter().find(|entry| entry.name == sample && entry.kind != "histogram");
    let entry = entry.or_else(|| entries.iter().find(of_a_histogram))?;
    let mut labels: BTreeSet<&str> = entry.labels.iter().copied().chain(["instance"]).collect();
    if sample.ends_with("_bucket") {
        labels.insert("le");
    }
    Some(labels)
}

fn assert_exists(entries: &[Entry], expression: &str) -> usize {
    let (metrics, grouped) = used(expression);
    let mut known = BTreeSet::new();
    for (name, chosen) in &metrics {
        let labels = labels_of(entries, name).unwrap_or_else(|| panic!("there is no {name}, in: {expression}"));
        for label in chosen {
            assert!(labels.contains(label.as_str()), "{name} has no label {label}, in: {expression}");
        }
        known.extend(labels);
    }
    for label in grouped {
        assert!(known.contains(label.as_str()), "no metric has the label {label}, in: {expression}");
    }
    metrics.len()
}

/// The rules, read line by line: each key stands on one line, an alert begins with its name.
fn alerts() -> Vec<BTreeMap<String, String>> {
    let mut alerts: Vec<BTreeMap<String, String>> = Vec::new();
    for line in read("alerts.yml").lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let (key, value) = line.trim_start_matches("- ").split_once(':').unwrap();
        if key == "alert" {
            alerts.push(BTreeMap::new());
        }
        if let Some(alert) = alerts.last_mut() {
            assert!(alert.insert(key.to_owned(), value.trim().trim_matches('"').to_owned()).is_none(), "{line}");
        }
    }
    alerts
}

#[test]
fn every_alert_is_about_something_that_exists_and_tells_what_to_do() {
    let metrics = Metrics::new();
    let guide = read("guides/on-call.md");
    let alerts = alerts();
    assert_eq!(alerts.len(), 8);
    for alert in &alerts {
        let name = &alert["alert"];
        assert!(assert_exists(metrics.entries(), &alert["expr"]) > 0, "{name}");
        assert!(["page", "ticket"].contains(&alert["severity"].as_str()), "{name}");
        assert!(alert["for"].ends_with(['m', 'h']) && !alert["summary"].is_empty(), "{name}");
        let anchor = format!("docs/guides/on-call.md#{}", name.to_lowercase());
        assert!(alert["runbook_url"].ends_with(&anchor), "{name}");
        let paragraph = guide.split(&format!("\n## {name}\n")).nth(1).unwrap_or_else(|| panic!("no paragraph: {name}"));
        let paragraph = paragraph.split("\n## ").next().unwrap();
        for part in ["**Customers**", "look**", "**Do**"] {
            assert!(paragraph.replace("**First\nlook**", "**First look**").contains(part), "{name}: {part}");
        }
    }
}

#[test]
fn every_panel_shows_something_that_exists_and_every_metric_has_a_panel() {
    let metrics = Metrics::new();
    let dashboard: serde_json::Value = serde_json::from_str(&read("grafana/cordboard.json")).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert_eq!(targets.is_empty(), panel["type"] == "row", "{}", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().unwrap();
            assert!(assert_exists(metrics.entries(), expression) > 0, "{expression}");
            shown.extend(used(expression).0.into_iter().map(|(name, _)| name));
        }
    }
    for entry in metrics.entries().iter().filter(|entry| !entry.name.ends_with("timestamp_seconds")) {
        assert!(shown.iter().any(|name| name.starts_with(&entry.name)), "no panel shows {}", entry.name);
    }
}

#[test]
fn an_expression_about_nothing_is_found() {
    let entries = Metrics::new().entries().to_vec();
    for wrong in [
        "sum(rate(cordboard_request_total[5m]))",
        "rate(cordboard_requests_total{status=\"refused\"}[5m])",
        "sum by (bot) (rate(cordboard_requests_total[5m]))",
        "cordboard_reply_seconds",
    ] {
        let found = std::panic::catch_unwind(|| assert_exists(&entries, wrong));
        assert!(found.is_err(), "{wrong}");
    }
}
