//! Localisation and faithfulness, one measure a file; pure, in shares of 1.

pub(crate) mod baseline;
mod contours;
mod curve;
pub(crate) mod faithfulness;
mod levels;
mod localisation;
mod mask;
mod max_box_acc;
mod rect;
mod stability;

pub(crate) use curve::{Curve, CurveScanner, on_grid};
pub(crate) use localisation::{best_iou, gt_known, pointing, top1};
pub(crate) use mask::{PixelScores, mask_iou};
pub(crate) use max_box_acc::{MaxBoxAcc, V2_IOUS};
pub(crate) use rect::Rect;
pub(crate) use stability::{Stability, stability};
