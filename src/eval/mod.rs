//! How well boxes and maps fit the truth.

pub mod metrics;
pub mod report;
pub mod statistics;
