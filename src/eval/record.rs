//! What a run remembers of each picture: a kilobyte, however large the picture.

use serde::{Deserialize, Serialize};

use super::metrics::{Curve, PixelScores, Rect, V2_IOUS, gt_known, top1};
use crate::dataset::Fault;

/// One sample, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The sample's name.
    pub name: String,
    /// Its class, as the truth calls it.
    pub class: String,
    /// The video that it is a frame of.
    pub sequence: Option<String>,
    /// The class that was explained: an index among the model's outputs.
    pub explained: usize,
    /// The class that the model thinks most probable.
    pub predicted: Option<usize>,
    /// How many classes the model thinks more probable than the best right one; `None` where it gives no scores.
    pub rank: Option<usize>,
    /// Probability of the explained class, 0..1.
    pub score: f32,
    /// Width and height of the picture.
    pub size: (u32, u32),
    /// The true boxes, in pixels.
    pub truth: Vec<Rect>,
    /// The box of the explained class at the product's settings.
    pub bbox: Option<Rect>,
    /// Where the map is highest, in pixels.
    pub peak: Option<(f64, f64)>,
    /// The overlap of `bbox` with the best true box, 0..1.
    pub iou: f64,
    /// Whether `peak` lies in a true box.
    pub pointing: bool,
    /// The overlap at every threshold.
    pub curve: Curve,
    /// Where there is a true mask.
    pub mask: Option<MaskOverlap>,
    /// The pixels that were found, as the text of [`Runs`](crate::localize::Runs), where it was asked for.
    #[serde(default)]
    pub found: Option<String>,
    /// Where it was asked for.
    pub faithfulness: Option<Faithfulness>,
}

/// The overlap with a true mask, 0..1, counted on a grid of 224 x 224 cells over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MaskOverlap {
    /// Of the regions that were found.
    pub found: f64,
    /// Of the centre box.
    pub centre_box: f64,
    /// Of the whole picture.
    pub full_image: f64,
}

/// Whether the map marks what the model goes by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Faithfulness {
    /// Area under the class's probability while the picture comes back into its blur, 0..1.
    pub insertion: f64,
    /// The same while the picture turns to grey.
    pub deletion: f64,
    /// The share of probability that is lost where only the map's place is left, 0..1.
    pub drop: f64,
    /// Whether the probability rises there.
    pub increases: bool,
}

/// What became of one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The sample's name.
    pub name: String,
    /// What was wrong with it.
    pub faults: Vec<Fault>,
    /// Its figures, unless it had to be left out.
    pub record: Option<Record>,
    /// The scores of its pixels, where there is a true mask.
    pub pixels: Option<Pixels>,
}

/// The scores of pixels, of one picture or of many.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pixels {
    /// By the map.
    pub map: PixelScores,
    /// By the centre baseline's map.
    pub centre: PixelScores,
}

impl Pixels {
    /// Adds another's pixels `times` times.
    pub(crate) fn merge(&mut self, other: &Pixels, times: u32) {
        self.map.merge(&other.map, times);
        self.centre.merge(&other.centre, times);
    }
}

/// A measure that each picture has a value of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemMetric {
    /// The name, a key of the JSON.
    pub key: &'static str,
    /// Its value for a picture; `None` where it does not apply.
    pub of: fn(&Record) -> Option<f64>,
    /// Its value for a picture with this box in place of the one found; `None` where that means nothing.
    pub of_box: fn(&Record, &Rect, Baseline) -> Option<f64>,
}

/// A box that needs no look at the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Baseline {
    /// Half of the picture's area in its middle.
    CentreBox,
    /// All of the picture.
    FullImage,
}

impl Baseline {
    /// Both.
    pub(crate) const ALL: [Baseline; 2] = [Baseline::CentreBox, Baseline::FullImage];

    /// The name, a key of the JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Baseline::CentreBox => "centre_box",
            Baseline::FullImage => "full_image",
        }
    }
}

fn share(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// The mean over the IoUs of MaxBoxAccV2 of whether a box is found.
fn found_at_three(iou: f64) -> f64 {
    V2_IOUS.iter().map(|&least| share(iou >= least)).sum::<f64>() / V2_IOUS.len() as f64
}

fn overlap(record: &Record, bbox: &Rect) -> f64 {
    super::metrics::best_iou(Some(bbox), &record.truth)
}

const NOTHING: fn(&Record, &Rect, Baseline) -> Option<f64> = |_, _, _| None;

/// All of them, in the order in which they are printed.
pub(crate) const ITEM_METRICS: [ItemMetric; 12] = [
    ItemMetric { key: "top1", of: |r| r.rank.map(|rank| share(rank == 0)), of_box: NOTHING },
    ItemMetric { key: "top5", of: |r| r.rank.map(|rank| share(rank < 5)), of_box: NOTHING },
    ItemMetric {
        key: "gt_known_loc",
        of: |r| Some(share(gt_known(r.iou))),
        of_box: |r, bbox, _| Some(share(gt_known(overlap(r, bbox)))),
    },
    ItemMetric {
        key: "top1_loc",
        of: |r| r.rank.map(|rank| share(top1(rank == 0, r.iou))),
        of_box: |r, bbox, _| r.rank.map(|rank| share(top1(rank == 0, overlap(r, bbox)))),
    },
    ItemMetric {
        key: "box_acc_v2",
        of: |r| Some(found_at_three(r.iou)),
        of_box: |r, bbox, _| Some(found_at_three(overlap(r, bbox))),
    },
    ItemMetric { key: "box_iou", of: |r| Some(r.iou), of_box: |r, bbox, _| Some(overlap(r, bbox)) },
    ItemMetric {
        key: "mask_iou",
        of: |r| r.mask.map(|mask| mask.found),
        of_box: |r, _, which| {
            r.mask.map(|mask| match which {
                Baseline::CentreBox => mask.centre_box,
                Baseline::FullImage => mask.full_image,
            })
        },
    },
    ItemMetric { key: "pointing", of: |r| Some(share(r.pointing)), of_box: NOTHING },
    ItemMetric { key: "insertion_auc", of: |r| r.faithfulness.map(|f| f.insertion), of_box: NOTHING },
    ItemMetric { key: "deletion_auc", of: |r| r.faithfulness.map(|f| f.deletion), of_box: NOTHING },
    ItemMetric { key: "average_drop", of: |r| r.faithfulness.map(|f| f.drop), of_box: NOTHING },
    ItemMetric {
        key: "increase_in_confidence",
        of: |r| r.faithfulness.map(|f| share(f.increases)),
        of_box: NOTHING,
    },
];
