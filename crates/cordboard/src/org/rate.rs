//! How often an org may be called: a token bucket in microseconds, which never lets more than the limit through in any
//! sixty seconds.

use std::sync::{Mutex, PoisonError};

use model::Timestamp;

const MINUTE_US: u64 = 60_000_000;

/// The rate of requests to one org. All methods are short and take the time as an argument.
#[derive(Debug)]
pub struct Rate {
    /// One slot comes free every so often.
    interval_us: u64,
    /// How many slots may be used at once after a pause.
    burst: u64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// When the last slot given out would have come free without bursts.
    next_us: i64,
    /// No slot lies before this time.
    paused_until_us: i64,
}

impl Rate {
    /// A bucket for this many requests a minute. A tenth of them may come at once; the rest is spread evenly, so that
    /// burst and refill together stay within the limit.
    #[must_use]
    pub fn new(requests_per_minute: u32) -> Self {
        let limit = u64::from(requests_per_minute.max(2));
        let burst = (limit / 10).max(1);
        Self { interval_us: MINUTE_US.div_ceil(limit - burst), burst, bucket: Mutex::default() }
    }

    /// Takes the next slot, wherever it lies, and says how many milliseconds to wait for it.
    #[must_use]
    pub fn reserve(&self, now: Timestamp) -> u64 {
        self.take(now, u64::MAX).unwrap_or(u64::MAX)
    }

    /// Takes a slot if one is free now.
    #[must_use]
    pub fn try_take(&self, now: Timestamp) -> bool {
        self.take(now, 0).is_some()
    }

    /// No slot lies before `until`: the platform said so with a 429.
    pub fn pause_until(&self, until: Timestamp) {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.paused_until_us = bucket.paused_until_us.max(micros(until));
    }

    fn take(&self, now: Timestamp, longest_wait_ms: u64) -> Option<u64> {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now_us = micros(now);
        let start_us = now_us.max(bucket.paused_until_us);
        // A slot may be used ahead of its time by all slots of the burst but its own.
        let ahead_us = self.interval_us.saturating_mul(self.burst - 1);
        let next_us = bucket.next_us.max(start_us);
        let free_us = next_us.saturating_sub_unsigned(ahead_us).max(start_us);
        let wait_ms = free_us.saturating_sub(now_us).unsigned_abs().div_ceil(1000);
        if wait_ms > longest_wait_ms {
            return None;
        }
        bucket.next_us = next_us.saturating_add_unsigned(self.interval_us);
        Some(wait_ms)
    }
}

fn micros(time: Timestamp) -> i64 {
    time.0.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    #[test]
    fn no_minute_holds_more_than_the_limit() {
        for limit in [10, 60, 300, 7_000] {
            let rate = Rate::new(limit);
            // A customer of slots who comes every millisecond for three minutes, after a long pause.
            let taken: Vec<u64> = (0..180_000).filter(|ms| rate.try_take(START + *ms)).collect();
            let mut first = 0;
            let mut most = 0;
            for (last, at) in taken.iter().enumerate() {
                while at - taken[first] >= 60_000 {
                    first += 1;
                }
                most = most.max(last + 1 - first);
            }
            assert!(most <= limit as usize && most * 10 >= limit as usize * 8, "{limit}: {most}");
        }
    }

    #[test]
    fn a_reservation_says_how_long_to_wait() {
        let rate = Rate::new(60);
        let waits: Vec<u64> = (0..9).map(|_| rate.reserve(START)).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 1112, 2223, 3334]);
        assert!(!rate.try_take(START), "what is reserved is gone");
        assert!(rate.try_take(START + 60_000));
    }

    #[test]
    fn a_pause_stops_everything_and_frees_no_second_burst() {
        let rate = Rate::new(60);
        rate.pause_until(START + 5_000);
        rate.pause_until(START + 2_000);
        assert!(!rate.try_take(START + 4_999));
        assert_eq!(rate.reserve(START), 5_000);
        assert_eq!((0..10).filter(|_| rate.try_take(START + 5_000)).count(), 5);
    }
}
