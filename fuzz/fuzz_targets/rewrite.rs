//! Model files, from anywhere: read, explained, written, read again.
#![no_main]

#[path = "../../tests/hostile/mutate.rs"]
mod mutate;
#[path = "../../tests/hostile/networks.rs"]
mod networks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mutate::rewrite(bytes));
