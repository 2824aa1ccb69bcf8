//! The vector-Jacobian products: one function for each operator, one file for each family, one table.
//!
//! A rule gets the node, the gradients of its outputs and the position of an input, and appends nodes that
//! compute the gradient of that input. `docs/adding-an-operator.md` shows how to write one.

mod activation;
mod arithmetic;
mod conv;
mod gate;
mod gather;
mod integer;
mod linear;
mod normalization;
mod pass;
mod place;
mod pool;
mod reduce;
mod resize;
mod scaling;
mod shape;
mod slice;
mod softmax;
mod window;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::call::{Answer, Call};
use crate::onnx::operators::properties::Properties;
use crate::onnx::proto::NodeProto;

/// The vector-Jacobian product of an operator, by the input at a position.
pub(super) type Rule = fn(&mut Call<'_, '_>, usize) -> Answer;

/// Every operator that has a rule, by family.
const RULES: &[(&str, Rule)] = &[
    // activation
    ("Relu", activation::relu),
    ("Clip", activation::clip),
    ("Sigmoid", activation::sigmoid),
    ("LeakyRelu", activation::leaky_relu),
    ("PRelu", activation::prelu),
    ("Elu", activation::elu),
    ("Selu", activation::selu),
    ("Celu", activation::celu),
    ("ThresholdedRelu", activation::thresholded_relu),
    ("Shrink", activation::shrink),
    ("Tanh", activation::tanh),
    ("Softsign", activation::softsign),
    ("Softplus", activation::softplus),
    ("HardSigmoid", activation::hard_sigmoid),
    ("Erf", activation::erf),
    ("Sin", activation::sin),
    ("Cos", activation::cos),
    // arithmetic
    ("Add", arithmetic::add),
    ("Sub", arithmetic::sub),
    ("Mul", arithmetic::mul),
    ("Div", arithmetic::div),
    ("Neg", arithmetic::neg),
    ("Sum", arithmetic::add),
    ("Mean", arithmetic::mean),
    ("Max", arithmetic::extreme),
    ("Min", arithmetic::extreme),
    ("Where", arithmetic::choice),
    ("Pow", arithmetic::pow),
    ("Sqrt", arithmetic::sqrt),
    ("Exp", arithmetic::exp),
    ("Log", arithmetic::log),
    ("Reciprocal", arithmetic::reciprocal),
    ("Abs", arithmetic::abs),
    // conv
    ("Conv", conv::conv),
    ("ConvTranspose", conv::conv_transpose),
    // gather
    ("Gather", gather::gather),
    ("GatherElements", gather::gather_elements),
    ("GatherND", gather::gather_nd),
    ("ScatterElements", gather::scatter_elements),
    ("ScatterND", gather::scatter_nd),
    // gate
    ("Swish", gate::swish),
    ("HardSwish", gate::hard_swish),
    ("Mish", gate::mish),
    ("Gelu", gate::gelu),
    // integer
    ("ConvInteger", integer::convolution),
    ("MatMulInteger", integer::matmul),
    // linear
    ("CumSum", linear::running_sum),
    ("Einsum", linear::einsum),
    ("Gemm", linear::gemm),
    ("MatMul", linear::matmul),
    ("Trilu", linear::triangle),
    // normalization
    ("BatchNormalization", normalization::batch),
    ("LayerNormalization", normalization::layer),
    ("RMSNormalization", normalization::root_mean_square),
    ("InstanceNormalization", normalization::instance),
    ("GroupNormalization", normalization::group),
    ("MeanVarianceNormalization", normalization::mean_variance),
    // pass
    ("Identity", pass::identity),
    ("Dropout", pass::identity),
    ("Cast", pass::cast),
    ("CastLike", pass::cast),
    ("QuantizeLinear", pass::quantize),
    ("DequantizeLinear", pass::identity),
    ("DynamicQuantizeLinear", pass::identity),
    // pool
    ("AveragePool", pool::average),
    ("GlobalAveragePool", pool::global_average),
    ("GlobalMaxPool", pool::global_max),
    ("MaxPool", pool::max),
    // reduce
    ("ReduceSum", reduce::sum),
    ("ReduceMean", reduce::mean),
    ("ReduceMax", reduce::extreme),
    ("ReduceMin", reduce::extreme),
    ("ReduceProd", reduce::prod),
    ("ReduceL1", reduce::l1),
    ("ReduceL2", reduce::l2),
    ("ReduceSumSquare", reduce::sum_square),
    ("ReduceLogSum", reduce::log_sum),
    ("ReduceLogSumExp", reduce::log_sum_exp),
    // resize
    ("Resize", resize::resize),
    // scaling
    ("LpNormalization", scaling::lp),
    ("LRN", scaling::local_response),
    // shape
    ("DepthToSpace", shape::depth_to_space),
    ("Expand", shape::expand),
    ("Flatten", shape::reshape),
    ("Reshape", shape::reshape),
    ("SpaceToDepth", shape::space_to_depth),
    ("Squeeze", shape::reshape),
    ("Tile", shape::tile),
    ("Unsqueeze", shape::reshape),
    ("Transpose", shape::transpose),
    // slice
    ("Concat", slice::concat),
    ("Pad", slice::pad),
    ("Slice", slice::slice),
    ("Split", slice::split),
    // softmax
    ("Softmax", softmax::softmax),
    ("LogSoftmax", softmax::log_softmax),
];

/// The operators that can be differentiated.
pub fn operators() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|(operator, _)| *operator)
}

/// The rule of a node's operator.
pub(super) fn of(node: &NodeProto) -> Option<Rule> {
    static TABLE: LazyLock<HashMap<&str, Rule>> = LazyLock::new(|| RULES.iter().copied().collect());
    TABLE.get(node.standard_op()).copied()
}

/// Whether the gradient of a node is zero wherever it exists.
pub(super) fn is_flat(node: &NodeProto) -> bool {
    match node.standard_op() {
        "Cast" => pass::is_to_whole_numbers(node),
        operator => Properties::of(operator).has(Properties::STEPS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_stands_in_the_table_once() {
        let mut seen = std::collections::HashSet::new();
        assert!(operators().all(|operator| seen.insert(operator)));
        // An operator that moves in steps has no need of one.
        assert!(operators().all(|operator| !Properties::of(operator).has(Properties::STEPS)));
    }
}
