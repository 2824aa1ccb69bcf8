//! How well boxes and maps fit the truth: ground truth ([`dataset`]), measures ([`metrics`], [`statistics`]), the
//! run over a dataset, and what comes of it.
//!
//! ```text
//! dataset ──samples──► run ──records──► summary ──► table, JSON, report
//!                       └──► journal, from which an interrupted run goes on
//! ```

#[cfg(feature = "eval")]
pub mod check;
#[cfg(feature = "eval")]
pub mod compare;
pub mod dataset;
#[cfg(feature = "eval")]
pub mod journal;
#[cfg(feature = "eval")]
mod measure;
#[cfg(feature = "eval")]
pub mod metrics;
#[cfg(feature = "eval")]
mod picture_grid;
mod polygon;
#[cfg(feature = "eval")]
pub mod record;
#[cfg(feature = "eval")]
pub mod report;
#[cfg(feature = "eval")]
pub mod results;
#[cfg(feature = "eval")]
pub mod run;
#[cfg(feature = "eval")]
pub mod sanity;
#[cfg(feature = "eval")]
pub mod scorer;
#[cfg(feature = "eval")]
pub mod statistics;
#[cfg(feature = "eval")]
pub mod summary;
