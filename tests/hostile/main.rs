//! Damaged networks, many of them: none is a panic, and no answer is a damaged model.
#![allow(missing_docs)]

mod large;
mod mutate;
mod networks;

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

/// Numbers without a pattern, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}

/// A fuzzer does the same for hours, and looks where it goes: `CONTRIBUTING.md`.
#[test]
fn no_damaged_network_is_a_panic() {
    const INPUTS: u64 = 3000;
    let (start, limit) = (Instant::now(), Duration::from_secs(10));
    for seed in (0..INPUTS).take_while(|_| start.elapsed() < limit) {
        let mut noise = Noise(seed);
        let bytes: Vec<u8> = (0..20 + seed % 200).map(|_| noise.next()).collect();
        let one = ThreadTime::now();
        mutate::rewrite(&bytes);
        assert!(one.elapsed() < Duration::from_secs(5), "input {seed} took {:?}", one.elapsed());
    }
}
