//! Whether a box or a point finds the object, at the product's fixed settings.

use super::Rect;

/// The overlap from which an object counts as found (the CAM papers' IoU of 0.5).
pub(crate) const FOUND: f64 = 0.5;

/// The greatest overlap of a box with any of the true boxes, 0..1; 0 without a box.
pub(crate) fn best_iou(predicted: Option<&Rect>, truth: &[Rect]) -> f64 {
    predicted.map_or(0.0, |bbox| truth.iter().map(|t| bbox.iou(t)).fold(0.0, f64::max))
}

/// GT-known Loc of one picture: the box of the *true* class overlaps a true box by [`FOUND`] or more.
///
/// Choe et al., CVPR 2020. The score of a set is the share of pictures where this holds.
pub(crate) fn gt_known(iou_of_true_class: f64) -> bool {
    iou_of_true_class >= FOUND
}

/// Top-1 Loc of one picture: the class of rank 1 is right *and* its box overlaps a true box by [`FOUND`] or
/// more.
pub(crate) fn top1(class_is_right: bool, iou_of_true_class: f64) -> bool {
    class_is_right && gt_known(iou_of_true_class)
}

/// The pointing game of one picture (Zhang et al., ECCV 2016): the map's peak lies inside a true box.
///
/// The plain rule, without the 15 pixels of tolerance that some figures allow. `peak` is the centre of the
/// highest pixel.
pub(crate) fn pointing(peak: Option<(f64, f64)>, truth: &[Rect]) -> bool {
    peak.is_some_and(|peak| truth.iter().any(|t| t.contains(peak)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: [Rect; 2] =
        [Rect { x0: 0.0, y0: 0.0, x1: 4.0, y1: 4.0 }, Rect { x0: 10.0, y0: 10.0, x1: 20.0, y1: 20.0 }];

    #[test]
    fn the_true_box_that_fits_best_counts() {
        let found = Rect { x0: 10.0, y0: 10.0, x1: 20.0, y1: 15.0 };
        assert_eq!(best_iou(Some(&found), &TRUTH), 0.5);
        assert!(gt_known(0.5), "half is enough");
        assert!(!gt_known(best_iou(Some(&found), &TRUTH[..1])));
        assert_eq!((best_iou(None, &TRUTH), best_iou(Some(&found), &[])), (0.0, 0.0));
    }

    #[test]
    fn a_box_of_the_wrong_class_is_not_found() {
        assert!(top1(true, 0.6) && !top1(false, 0.6) && !top1(true, 0.4));
    }

    #[test]
    fn a_peak_counts_inside_any_true_box_and_not_beside_one() {
        assert!(pointing(Some((15.5, 19.5)), &TRUTH));
        assert!(!pointing(Some((20.5, 15.0)), &TRUTH), "there is no tolerance");
        assert!(!pointing(None, &TRUTH) && !pointing(Some((1.0, 1.0)), &[]));
    }
}
