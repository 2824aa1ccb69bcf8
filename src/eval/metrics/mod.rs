//! Localisation and faithfulness, one measure a file; pure, in shares of 1.

pub mod baseline;
mod contours;
mod curve;
pub mod faithfulness;
mod levels;
mod localisation;
mod mask;
mod max_box_acc;
mod rect;
mod stability;

pub use curve::{Curve, CurveScanner, THRESHOLDS, ThresholdBoxes, on_grid};
pub use localisation::{FOUND, best_iou, gt_known, pointing, top1};
pub use mask::{PixelScores, mask_iou};
pub use max_box_acc::{AtBest, MaxBoxAcc, V2_IOUS};
pub use rect::Rect;
pub use stability::{Stability, stability};
