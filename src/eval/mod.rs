//! How well boxes and maps fit the truth: ground truth ([`crate::dataset`]), measures ([`metrics`], [`statistics`]), the
//! run over a dataset, and what comes of it.
//!
//! ```text
//! dataset ──samples──► run ──records──► summary ──► table, JSON, report
//!                       └──► journal, from which an interrupted run goes on
//! ```

pub mod check;
pub mod compare;
pub mod journal;
mod measure;
pub mod metrics;
mod picture_grid;
pub mod record;
pub mod report;
pub mod results;
pub mod run;
pub mod sanity;
pub mod scorer;
pub mod statistics;
pub mod summary;
