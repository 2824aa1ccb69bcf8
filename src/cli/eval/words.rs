//! What people call the metrics, and how their values are written.

/// The name for tables.
pub(super) fn title(key: &str) -> &str {
    match key {
        "top1" => "Top-1 class",
        "top5" => "Top-5 class",
        "gt_known_loc" => "GT-known Loc",
        "top1_loc" => "Top-1 Loc",
        "box_acc_v2" => "box at IoU .3/.5/.7",
        "max_box_acc" => "MaxBoxAcc (tuned here)",
        "max_box_acc_v2" => "MaxBoxAccV2 (tuned here)",
        "box_iou" => "box IoU",
        "mask_iou" => "mask IoU",
        "px_ap" => "PxAP",
        "pointing" => "pointing game",
        "insertion_auc" => "insertion AUC",
        "deletion_auc" => "deletion AUC",
        "average_drop" => "average drop",
        "increase_in_confidence" => "increase in confidence",
        other => other,
    }
}

/// What it means, in half a sentence.
pub(super) fn meaning(key: &str) -> &'static str {
    match key {
        "top1" => "a right class is the first",
        "top5" => "a right class is among the first five",
        "gt_known_loc" => "the box of the right class overlaps a true one by half or more",
        "top1_loc" => "that, and the class is right",
        "box_acc_v2" => "the same at an overlap of 0.3, 0.5 and 0.7, on average",
        "max_box_acc" => "at the one threshold that is best for this set",
        "max_box_acc_v2" => "any contour, overlaps of 0.3, 0.5 and 0.7, each at its best threshold",
        "box_iou" => "mean overlap of the box with the true one",
        "mask_iou" => "mean overlap of the regions found with the true mask",
        "px_ap" => "average precision of pixels over all thresholds",
        "pointing" => "the map's peak lies in a true box",
        "insertion_auc" => "probability while the hottest pixels come back first",
        "deletion_auc" => "probability while the hottest pixels go first",
        "average_drop" => "probability lost where only the map's place is left",
        "increase_in_confidence" => "probability rises where only the map's place is left",
        "jitter" => "change of the box from frame to frame, in that of the truth",
        _ => "",
    }
}

/// Whether it is a share, shown in per cent.
pub(super) fn is_share(key: &str) -> bool {
    !matches!(key, "jitter" | "box_change" | "truth_change")
}

/// Whether less is better.
pub(super) fn less_is_better(key: &str) -> bool {
    matches!(key, "deletion_auc" | "average_drop" | "jitter")
}

/// A value: per cent of a share.
pub(super) fn number(key: &str, value: f64) -> String {
    if is_share(key) { format!("{:.1}", 100.0 * value) } else { format!("{value:.2}") }
}
