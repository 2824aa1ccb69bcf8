//! `Resize` and `Upsample`: along which axes, and by what.

use super::Operator;
use super::axes::wrap_axis;

/// What a tensor is resized to or by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    /// Sizes, in the input at this position.
    Sizes(usize),
    /// Factors, in the input at this position.
    Scales(usize),
    /// Factors that the node holds, as `Upsample` did at first.
    Factors(Vec<f32>),
}

impl Operator<'_> {
    /// The axes that a resize names, in the order of its sizes or factors: all, if none.
    pub(crate) fn resized_axes(&self, rank: usize) -> Option<Vec<usize>> {
        match self.node.ints("axes") {
            Some(axes) => axes.iter().map(|&axis| wrap_axis(axis, rank)).collect(),
            None => Some((0..rank).collect()),
        }
    }

    /// Where the new sizes come from.
    pub(crate) fn resize_target(&self) -> Target {
        if let Some(factors) = self.node.find_attribute("scales") {
            return Target::Factors(factors.floats.clone());
        }
        // From operator set 11 on the region of interest comes before.
        match self.name() == "Resize" && self.opset >= 11 {
            true if self.node.input_at(3).is_some() => Target::Sizes(3),
            true => Target::Scales(2),
            false => Target::Scales(1),
        }
    }

    /// Whether a resize also cuts out the region of interest that it names.
    pub(crate) fn resize_crops(&self) -> bool {
        self.node.string("coordinate_transformation_mode") == Some("tf_crop_and_resize")
    }

    /// Whether all sizes are taken as they are asked for, and not to keep the ratio of height to width.
    pub(crate) fn resize_stretches(&self) -> bool {
        self.node.string("keep_aspect_ratio_policy").unwrap_or("stretch") == "stretch"
    }

    /// Whether every new value is that of one old place.
    pub(crate) fn resize_is_nearest(&self) -> bool {
        self.node.string("mode").unwrap_or("nearest") == "nearest"
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{on, read};
    use super::Target;
    use crate::onnx::build::{floats, node};

    #[test]
    fn where_the_size_comes_from_depends_on_the_operator_set() {
        let target = |operator: &str, opset: i64, inputs: &[&str], attributes| {
            let mut model = on(&[1, 1, 2, 2], vec![], node(operator, "n", inputs, &["y"], attributes));
            model.opset_import[0].version = Some(opset);
            read(&model, |it| it.resize_target())
        };
        assert_eq!(target("Resize", 13, &["x", "", "", "sizes"], vec![]), Target::Sizes(3));
        assert_eq!(target("Resize", 13, &["x", "", "scales"], vec![]), Target::Scales(2));
        assert_eq!(target("Resize", 10, &["x", "scales"], vec![]), Target::Scales(1));
        assert_eq!(target("Upsample", 9, &["x", "scales"], vec![]), Target::Scales(1));
        let scales = vec![floats("scales", &[1.0, 1.0, 2.0, 2.0])];
        assert_eq!(target("Upsample", 7, &["x"], scales), Target::Factors(vec![1.0, 1.0, 2.0, 2.0]));
    }
}
