//! How well boxes and maps fit the truth: ground truth ([`crate::dataset`]), measures ([`metrics`], [`statistics`]), the
//! run over a dataset, and what comes of it.
//!
//! ```text
//! dataset ──samples──► run ──records──► summary ──► table, JSON, report
//!                       └──► journal, from which an interrupted run goes on
//! ```

pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod journal;
mod measure;
pub(crate) mod metrics;
mod picture_grid;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod results;
pub(crate) mod run;
pub(crate) mod sanity;
pub(crate) mod scorer;
pub(crate) mod statistics;
pub(crate) mod summary;
