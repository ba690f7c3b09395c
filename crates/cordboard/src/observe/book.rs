//! The registry, and the book of what is in it, from which the reference is generated.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A gauge with a fraction.
pub(super) type Decimal = Gauge<f64, AtomicU64>;
/// A counter with a fraction.
pub(super) type DecimalCounter = Counter<f64, AtomicU64>;
pub(super) type Labels = Vec<(&'static str, String)>;
pub(super) type Counters = Family<Labels, Counter>;
pub(super) type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// One metric, as the reference describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of its samples, with unit and suffix.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The unit; empty when it counts things.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// A registry that remembers what is in it.
pub(super) struct Book {
    pub(super) registry: Registry,
    pub(super) entries: Vec<Entry>,
}

/// Name without unit, unit, labels and help of a metric.
pub(super) struct About(
    pub(super) &'static str,
    pub(super) Option<Unit>,
    pub(super) &'static [&'static str],
    pub(super) &'static str,
);

impl Book {
    pub(super) fn add<M: prometheus_client::registry::Metric + Clone>(
        &mut self,
        kind: &'static str,
        about: About,
        metric: &M,
    ) {
        let About(name, unit, labels, help) = about;
        let word = unit.as_ref().map_or("", Unit::as_str);
        let mut whole = name.to_owned();
        for part in [word, if kind == "counter" { "total" } else { "" }].into_iter().filter(|part| !part.is_empty()) {
            whole.push('_');
            whole.push_str(part);
        }
        self.entries.push(Entry {
            name: whole,
            kind,
            unit: match word {
                "seconds" => "seconds",
                "bytes" => "bytes",
                _ => "",
            },
            labels,
            help,
        });
        // The text form ends each help with a full stop of its own.
        let help = help.trim_end_matches('.');
        match unit {
            Some(unit) => self.registry.register_with_unit(name, help, unit, metric.clone()),
            None => self.registry.register(name, help, metric.clone()),
        }
    }

    pub(super) fn counters(&mut self, about: About) -> Counters {
        let family = Counters::default();
        self.add("counter", about, &family);
        family
    }

    pub(super) fn counter(&mut self, about: About) -> Counter {
        let counter = Counter::default();
        self.add("counter", about, &counter);
        counter
    }

    pub(super) fn gauge(&mut self, about: About) -> Gauge {
        let gauge = Gauge::default();
        self.add("gauge", about, &gauge);
        gauge
    }

    pub(super) fn decimal(&mut self, about: About) -> Decimal {
        let gauge = Decimal::default();
        self.add("gauge", about, &gauge);
        gauge
    }

    pub(super) fn histograms(&mut self, about: About, make: fn() -> Histogram) -> Histograms {
        let family = Histograms::new_with_constructor(make);
        self.add("histogram", about, &family);
        family
    }

    pub(super) fn histogram(&mut self, about: About, make: fn() -> Histogram) -> Histogram {
        let histogram = make();
        self.add("histogram", about, &histogram);
        histogram
    }
}

/// From half a millisecond, which a commit takes, to the longest hard deadline.
pub(super) fn seconds() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    ])
}

pub(super) fn changes() -> Histogram {
    Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0])
}
