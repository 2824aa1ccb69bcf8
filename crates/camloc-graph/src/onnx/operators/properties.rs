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
        row.ok().and_then(|row| OPERATORS.get(row)).map_or(Properties::default(), |(_, properties)| *properties)
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
