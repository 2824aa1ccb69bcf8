//! Tables: `boxes.csv` as people write it, and the cells of tables that we write.

mod cells;
mod read;

pub(crate) use cells::Table;
pub(super) use read::{FILE, read};
