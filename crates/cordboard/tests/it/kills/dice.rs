//! Chance, from a seed that is printed. Threads and sockets are not repeated by it, but the moments of killing are.

use std::sync::Mutex;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

pub(super) struct Dice(Mutex<ChaCha8Rng>);

impl Dice {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self(Mutex::new(random))
    }

    /// A seed that no run had before, unless one is given; it is printed.
    pub(super) fn seed() -> u64 {
        let seed = match std::env::var("CORDBOARD_KILLS_SEED") {
            Ok(seed) => seed.parse().unwrap(),
            Err(_) => u64::from(fresh()),
        };
        println!("CORDBOARD_KILLS_SEED={seed}");
        seed
    }

    /// A number below `limit`.
    pub(super) fn roll(&self, limit: u64) -> u64 {
        self.0.lock().unwrap().next_u64() % limit
    }

    pub(super) fn once_in(&self, times: u64) -> bool {
        self.roll(times) == 0
    }
}

fn fresh() -> u32 {
    let mut bytes = [0; 4];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}
