//! What is true of operators as a whole: one row for each.

use std::ops::BitOr;

/// What is true of an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Properties(u32);

impl Properties {
    /// It puts out the values of its first operand, as near as another element type holds them.
    pub(crate) const HANDS_ON: Properties = Properties(1);
    /// It puts out the values of its first operand in their order, in another shape.
    pub(crate) const RESHAPES: Properties = Properties(1 << 1);
    /// It puts out the values of its first operand with the axes in another order.
    pub(crate) const REORDERS: Properties = Properties(1 << 2);
    /// Every value is made of the values at the same place of each operand.
    pub(crate) const ELEMENTWISE: Properties = Properties(1 << 3);
    /// As elementwise, but a value depends on others of its tensor as well: all channels of its place, or all places.
    pub(crate) const NORMALISES: Properties = Properties(1 << 4);
    /// Its first output has the shape of its first operand.
    pub(crate) const SAME_SHAPE: Properties = Properties(1 << 5);
    /// Its operands are broadcast to the shape of its output.
    pub(crate) const BROADCASTS: Properties = Properties(1 << 6);
    /// A `Reduce…`: it takes the values along axes together.
    pub(crate) const REDUCES: Properties = Properties(1 << 7);
    /// A convolution, which slides a window.
    pub(crate) const CONVOLVES: Properties = Properties(1 << 8);
    /// A pooling, which slides a window.
    pub(crate) const POOLS: Properties = Properties(1 << 9);
    /// A product of matrices, or what is made of such products.
    pub(crate) const MULTIPLIES_MATRICES: Properties = Properties(1 << 10);
    /// An activation function.
    pub(crate) const ACTIVATES: Properties = Properties(1 << 11);
    /// An activation function that may cut off what is below zero.
    pub(crate) const RECTIFIES: Properties = Properties(1 << 12);
    /// Its output moves in steps, if at all: the gradient is zero.
    pub(crate) const STEPS: Properties = Properties(1 << 13);
    /// It puts out truth values.
    pub(crate) const TELLS_TRUTH: Properties = Properties(1 << 14);
    /// What it puts out follows from the sizes of its operand alone.
    pub(crate) const OF_SIZES: Properties = Properties(1 << 15);
    /// It puts out something else in each run.
    pub(crate) const RANDOM: Properties = Properties(1 << 16);

    /// The values of its first operand, perhaps in another type, shape or order.
    pub(crate) const SAME_VALUES: Properties =
        Properties(Self::HANDS_ON.0 | Self::RESHAPES.0 | Self::REORDERS.0);
    /// The places of its output are those of its operands.
    pub(crate) const KEEPS_PLACES: Properties = Properties(Self::ELEMENTWISE.0 | Self::NORMALISES.0);

    /// Of an operator of the default domain; nothing of one that is not known.
    pub(crate) fn of(operator: &str) -> Properties {
        let row = OPERATORS.binary_search_by(|(name, _)| name.cmp(&operator));
        row.ok()
            .and_then(|row| OPERATORS.get(row))
            .map_or(Properties::default(), |(_, properties)| *properties)
    }

    /// Whether any of these is true.
    pub(crate) fn has(self, any: Properties) -> bool {
        self.0 & any.0 != 0
    }
}

impl BitOr for Properties {
    type Output = Properties;

    fn bitor(self, other: Properties) -> Properties {
        self.and(other)
    }
}

impl Properties {
    const fn and(self, other: Properties) -> Properties {
        Properties(self.0 | other.0)
    }
}

type P = Properties;

/// One operand, value by value.
const UNARY: Properties = P::ELEMENTWISE.and(P::SAME_SHAPE);
/// Several operands, value by value.
const BROADCAST: Properties = P::ELEMENTWISE.and(P::BROADCASTS);
const COMPARISON: Properties = BROADCAST.and(P::STEPS).and(P::TELLS_TRUTH);
const BITS: Properties = BROADCAST.and(P::STEPS);
const ACTIVATION: Properties = UNARY.and(P::ACTIVATES);
const NORM: Properties = P::NORMALISES.and(P::SAME_SHAPE);
const ANOTHER_TYPE: Properties = UNARY.and(P::HANDS_ON);

/// Every operator of which something is true, by name.
#[rustfmt::skip]
const OPERATORS: &[(&str, Properties)] = &[
    ("Abs", UNARY),
    ("Acos", UNARY),
    ("Acosh", UNARY),
    ("Add", BROADCAST),
    ("And", COMPARISON),
    ("ArgMax", P::STEPS),
    ("ArgMin", P::STEPS),
    ("Asin", UNARY),
    ("Asinh", UNARY),
    ("Atan", UNARY),
    ("Atanh", UNARY),
    ("Attention", P::MULTIPLIES_MATRICES),
    ("AveragePool", P::POOLS),
    ("BatchNormalization", NORM),
    ("Bernoulli", UNARY.and(P::RANDOM)),
    ("BitShift", BITS),
    ("BitwiseAnd", BITS),
    ("BitwiseNot", UNARY.and(P::STEPS)),
    ("BitwiseOr", BITS),
    ("BitwiseXor", BITS),
    ("Cast", ANOTHER_TYPE),
    ("CastLike", ANOTHER_TYPE),
    ("Ceil", UNARY.and(P::STEPS)),
    ("Celu", ACTIVATION),
    ("Clip", ACTIVATION.and(P::RECTIFIES)),
    ("Constant", P::STEPS),
    ("ConstantOfShape", P::STEPS),
    ("Conv", P::CONVOLVES),
    ("ConvInteger", P::CONVOLVES),
    ("Cos", UNARY),
    ("Cosh", UNARY),
    ("CumSum", P::SAME_SHAPE),
    ("DequantizeLinear", ANOTHER_TYPE),
    ("Div", BROADCAST),
    ("Dropout", ANOTHER_TYPE),
    ("Einsum", P::MULTIPLIES_MATRICES),
    ("Elu", ACTIVATION),
    ("Equal", COMPARISON),
    ("Erf", UNARY),
    ("Exp", UNARY),
    ("EyeLike", P::SAME_SHAPE.and(P::STEPS).and(P::OF_SIZES)),
    ("Flatten", P::RESHAPES),
    ("Floor", UNARY.and(P::STEPS)),
    ("Gelu", ACTIVATION),
    ("Gemm", P::MULTIPLIES_MATRICES),
    ("Greater", COMPARISON),
    ("GreaterOrEqual", COMPARISON),
    ("GroupNormalization", NORM),
    ("HardSigmoid", ACTIVATION),
    ("HardSwish", ACTIVATION),
    ("Hardmax", NORM.and(P::STEPS)),
    ("Identity", ANOTHER_TYPE),
    ("InstanceNormalization", NORM),
    ("IsInf", UNARY.and(P::STEPS).and(P::TELLS_TRUTH)),
    ("IsNaN", UNARY.and(P::STEPS).and(P::TELLS_TRUTH)),
    ("LRN", NORM),
    ("LayerNormalization", NORM),
    ("LeakyRelu", ACTIVATION),
    ("Less", COMPARISON),
    ("LessOrEqual", COMPARISON),
    ("Log", UNARY),
    ("LogSoftmax", NORM),
    ("LpNormalization", NORM),
    ("LpPool", P::POOLS),
    ("MatMul", P::MULTIPLIES_MATRICES),
    ("MatMulInteger", P::MULTIPLIES_MATRICES),
    ("Max", BROADCAST),
    ("MaxPool", P::POOLS),
    ("Mean", BROADCAST),
    ("MeanVarianceNormalization", NORM),
    ("Min", BROADCAST),
    ("Mish", ACTIVATION),
    ("Mod", BROADCAST),
    ("Mul", BROADCAST),
    ("Multinomial", P::RANDOM),
    ("Neg", UNARY),
    ("NonZero", P::STEPS),
    ("Not", UNARY.and(P::STEPS).and(P::TELLS_TRUTH)),
    ("OneHot", P::STEPS),
    ("Or", COMPARISON),
    ("PRelu", BROADCAST.and(P::ACTIVATES)),
    ("Pow", BROADCAST),
    ("QLinearAdd", P::ELEMENTWISE),
    ("QLinearConv", P::CONVOLVES),
    ("QLinearLeakyRelu", ACTIVATION),
    ("QLinearMatMul", P::MULTIPLIES_MATRICES),
    ("QLinearMul", P::ELEMENTWISE),
    ("QLinearSigmoid", ACTIVATION),
    ("QLinearSoftmax", NORM),
    ("QuantizeLinear", ANOTHER_TYPE),
    ("RMSNormalization", NORM),
    ("RandomNormal", P::RANDOM),
    ("RandomNormalLike", P::SAME_SHAPE.and(P::RANDOM)),
    ("RandomUniform", P::RANDOM),
    ("RandomUniformLike", P::SAME_SHAPE.and(P::RANDOM)),
    ("Range", P::STEPS),
    ("Reciprocal", UNARY),
    ("ReduceL1", P::REDUCES),
    ("ReduceL2", P::REDUCES),
    ("ReduceLogSum", P::REDUCES),
    ("ReduceLogSumExp", P::REDUCES),
    ("ReduceMax", P::REDUCES),
    ("ReduceMean", P::REDUCES),
    ("ReduceMin", P::REDUCES),
    ("ReduceProd", P::REDUCES),
    ("ReduceSum", P::REDUCES),
    ("ReduceSumSquare", P::REDUCES),
    ("Relu", ACTIVATION.and(P::RECTIFIES)),
    ("Reshape", P::RESHAPES),
    ("ReverseSequence", P::SAME_SHAPE),
    ("Round", UNARY.and(P::STEPS)),
    ("Scatter", P::SAME_SHAPE),
    ("ScatterElements", P::SAME_SHAPE),
    ("ScatterND", P::SAME_SHAPE),
    ("Selu", ACTIVATION),
    ("Shape", P::STEPS.and(P::OF_SIZES)),
    ("Shrink", ACTIVATION),
    ("Sigmoid", ACTIVATION),
    ("Sign", UNARY.and(P::STEPS)),
    ("Sin", UNARY),
    ("Sinh", UNARY),
    ("Size", P::STEPS.and(P::OF_SIZES)),
    ("Softmax", NORM),
    ("Softplus", ACTIVATION),
    ("Softsign", ACTIVATION),
    ("Sqrt", UNARY),
    ("Squeeze", P::RESHAPES),
    ("Sub", BROADCAST),
    ("Sum", BROADCAST),
    ("Swish", ACTIVATION),
    ("Tan", UNARY),
    ("Tanh", ACTIVATION),
    ("TensorScatter", P::SAME_SHAPE),
    ("ThresholdedRelu", ACTIVATION),
    ("Transpose", P::REORDERS),
    ("Trilu", P::SAME_SHAPE),
    ("Unsqueeze", P::RESHAPES),
    ("Where", BROADCAST),
    ("Xor", COMPARISON),
];

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::onnx::build::{Dim, f32_tensor, graph, i64_tensor, int, model, node, string, value_info};
    use crate::onnx::proto::{AttributeProto, DataType, NodeProto, TensorProto};
    use crate::testing::Session;

    #[test]
    fn every_operator_has_one_row_and_the_rows_are_in_order() {
        assert!(OPERATORS.windows(2).all(|rows| rows[0].0 < rows[1].0));
        assert_eq!(Properties::of("NoSuchOperator"), Properties::default());
    }

    #[test]
    fn rows_do_not_contradict_themselves() {
        for (name, row) in OPERATORS {
            let kinds =
                [P::ELEMENTWISE, P::NORMALISES, P::RESHAPES, P::REORDERS, P::REDUCES, P::CONVOLVES, P::POOLS];
            assert!(kinds.into_iter().filter(|&kind| row.has(kind)).count() <= 1, "{name}");
            let implies = |what: Properties, then: Properties| !row.has(what) || row.has(then);
            assert!(implies(P::HANDS_ON, P::ELEMENTWISE) && implies(P::RECTIFIES, P::ACTIVATES), "{name}");
            assert!(implies(P::TELLS_TRUTH, P::STEPS) && implies(P::BROADCASTS, P::ELEMENTWISE), "{name}");
            assert!(!(row.has(P::SAME_SHAPE) && row.has(P::BROADCASTS)), "{name}");
        }
    }

    /// What an operator makes of values on the runtime: a tensor of their shape, as floats.
    fn made(operator: &str, values: &[f32]) -> Vec<f32> {
        let cast = |from: &str, to: &str, element: DataType| {
            node("Cast", to, &[from], &[to], vec![int("to", element as i64)])
        };
        let (element, inputs, attributes): (DataType, &[&str], Vec<AttributeProto>) = match operator {
            "And" | "Or" | "Xor" => (DataType::Bool, &["a", "a"], vec![]),
            "Not" => (DataType::Bool, &["a"], vec![]),
            "BitShift" => (DataType::Uint8, &["a", "a"], vec![string("direction", "LEFT")]),
            "BitwiseAnd" | "BitwiseOr" | "BitwiseXor" => (DataType::Int32, &["a", "a"], vec![]),
            "BitwiseNot" => (DataType::Int32, &["a"], vec![]),
            "Cast" => (DataType::Float, &["a"], vec![int("to", DataType::Double as i64)]),
            "QuantizeLinear" => (DataType::Float, &["a", "scale"], vec![]),
            "DequantizeLinear" => (DataType::Uint8, &["a", "scale"], vec![]),
            "Mod" => (DataType::Float, &["a", "scale"], vec![int("fmod", 1)]),
            "Where" => (DataType::Float, &["yes", "a", "scale"], vec![]),
            "CastLike" => (DataType::Float, &["a", "a"], vec![]),
            _ if Properties::of(operator).has(P::BROADCASTS) => (DataType::Float, &["a", "a"], vec![]),
            _ => (DataType::Float, &["a"], vec![]),
        };
        let nodes: Vec<NodeProto> = vec![
            cast("x", "a", element),
            cast("x", "yes", DataType::Bool),
            node(operator, "b", inputs, &["b"], attributes),
            cast("b", "y", DataType::Float),
        ];
        let constants: Vec<TensorProto> = vec![f32_tensor("scale", &[], &[0.5])];
        let info = |name: &str| value_info(name, DataType::Float, &[Dim::Fixed(values.len() as i64)]);
        let mut model = model(graph("g", vec![info("x")], vec![info("y")], constants, nodes));
        model.opset_import[0].version = Some(24);
        let mut session =
            Session::load(&model.encode_to_vec(), None).unwrap_or_else(|error| panic!("{operator}: {error}"));
        session.input_mut().copy_from_slice(values);
        session.run().unwrap();
        session.floats("y").1.to_vec()
    }

    /// Of operators that the standard has and that do not draw lots.
    fn standard(any: Properties) -> impl Iterator<Item = &'static str> {
        let rows = OPERATORS.iter().filter(move |(_, row)| row.has(any) && !row.has(P::RANDOM));
        rows.map(|(name, _)| *name).filter(|name| !name.starts_with("QLinear"))
    }

    #[test]
    fn elementwise_operators_make_the_same_of_a_value_wherever_it_stands() {
        let values = [0.0, 1.0, 0.25, 3.0, 2.0];
        let turned: Vec<f32> = values.iter().rev().copied().collect();
        for operator in standard(P::ELEMENTWISE) {
            let (mut there, back) = (made(operator, &turned), made(operator, &values));
            there.reverse();
            for (there, back) in there.iter().zip(&back) {
                let both_undefined = there.is_nan() && back.is_nan();
                let same = there == back || (there - back).abs() <= 1e-6 * back.abs();
                assert!(both_undefined || same, "{operator}: {there} and {back}");
            }
        }
    }

    #[test]
    fn operators_that_hand_values_on_do() {
        let values = [0.0, 0.5, 1.0, 2.0];
        for operator in standard(P::HANDS_ON) {
            let scale = match operator {
                "QuantizeLinear" => 2.0,
                "DequantizeLinear" => 0.5,
                _ => 1.0,
            };
            let expected = values.map(|value| match operator {
                "DequantizeLinear" => f32::trunc(value) * scale,
                _ => value * scale,
            });
            assert_eq!(made(operator, &values), expected, "{operator}");
        }
    }

    #[test]
    fn what_moves_in_steps_does_not_move_with_a_small_change() {
        let values = [0.3, 1.4, 2.2, 3.3];
        for operator in standard(P::STEPS).filter(|operator| Properties::of(operator).has(P::ELEMENTWISE)) {
            let near = values.map(|value| value + 1e-3);
            assert_eq!(made(operator, &values), made(operator, &near), "{operator}");
        }
    }

    #[test]
    fn reshaping_operators_keep_the_order_of_values() {
        let values: Vec<f32> = (0_u8..6).map(f32::from).collect();
        for operator in standard(P::RESHAPES) {
            let inputs: &[&str] = if operator == "Flatten" { &["x"] } else { &["x", operator] };
            let constants = vec![
                i64_tensor("Reshape", &[2], &[3, 2]),
                i64_tensor("Squeeze", &[1], &[0]),
                i64_tensor("Unsqueeze", &[1], &[1]),
            ];
            let x = value_info("x", DataType::Float, &[1, 2, 3].map(Dim::Fixed));
            let rank = if operator == "Unsqueeze" { 4 } else { 2 };
            let y = value_info("y", DataType::Float, &vec![Dim::Unknown; rank]);
            let reshaped = node(operator, "n", inputs, &["y"], vec![]);
            let model = model(graph("g", vec![x], vec![y], constants, vec![reshaped]));
            let mut session = Session::load(&model.encode_to_vec(), None).unwrap();
            session.input_mut().copy_from_slice(&values);
            session.run().unwrap();
            assert_eq!(session.floats("y").1, values, "{operator}");
        }
    }
}
