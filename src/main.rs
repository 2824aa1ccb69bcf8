//! The `camloc` program.

fn main() {}
