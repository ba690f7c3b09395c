//! A log line that strangers can provoke is written seldom: the first at once, then at most one a minute, with the number
//! of those that were left out.

use std::sync::{Mutex, PoisonError};

use model::Timestamp;

const REST_MS: u64 = 60_000;

/// Lets one through and counts the others for a while.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    quiet_until: Option<Timestamp>,
    left_out: u64,
}

impl Seldom {
    /// How many were left out since the last one, when this one may be told.
    pub fn tell(&self, now: Timestamp) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.quiet_until.is_some_and(|until| now < until) {
            state.left_out += 1;
            return None;
        }
        state.quiet_until = Some(now + REST_MS);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_minute_is_told_with_the_number_of_the_others() {
        let seldom = Seldom::default();
        let told: Vec<_> = [0, 1, 59_999, 60_000, 60_001, 200_000].map(|at| seldom.tell(Timestamp(at))).into();
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
