//! How well boxes and maps fit the truth: ground truth ([`dataset`]), measures ([`metrics`], [`statistics`]), the
//! run over a dataset, and what comes of it.
//!
//! ```text
//! dataset ──samples──► run ──records──► summary ──► table, JSON, report
//!                       └──► journal, from which an interrupted run goes on
//! ```

pub mod dataset;
pub mod metrics;
pub mod report;
pub mod statistics;
