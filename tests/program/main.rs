//! The program as a user runs it: the real binary, real ONNX Runtime, real videos, a real window.
//!
//! The default model, the sample photos and ffmpeg come from camloc's cache (`make test` fills it first).

// Helpers stand outside of the test functions that clippy excuses.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bad_input;
mod bad_models;
mod check;
mod collect;
mod compare;
mod demo;
mod eval;
mod export;
mod faults;
mod images;
mod interrupted;
mod label;
mod many_passes;
mod masks;
mod models;
mod providers;
mod settings;
mod support;
mod teach;
mod train;
mod videos;
mod window;
