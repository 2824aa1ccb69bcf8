//! What is known of tensors without running the model: element types and shapes, as declared and as
//! they follow from the common operators. Where a rule is missing or an operand is unknown, the
//! answer is "unknown", never a guess.

use std::collections::HashMap;

use super::graph::Graph;
use super::proto::*;

/// A shape whose rank is known: `None` for a size known only at run time.
pub type Shape = Vec<Option<i64>>;

/// No network has tensors of more axes; a hostile one could double them at every node.
const MAX_RANK: usize = 16;

/// What is known of one tensor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorInfo {
    /// The type of its elements.
    pub element: Option<DataType>,
    /// Its shape; `None` when not even the rank is known.
    pub shape: Option<Shape>,
}

/// What a graph declares of its own tensors.
pub(super) fn declared(graph: &GraphProto) -> HashMap<String, TensorInfo> {
    let values = graph.value_info.iter().chain(&graph.output).chain(&graph.input);
    let values = values.filter_map(|value| Some((value.name().to_owned(), of_value(value)?)));
    let tensors = graph.initializer.iter().map(|tensor| (tensor.name().to_owned(), of_tensor(tensor)));
    values.chain(tensors).collect()
}

/// What a declaration says.
pub(super) fn of_value(value: &ValueInfoProto) -> Option<TensorInfo> {
    let Some(TypeValue::TensorType(tensor)) = &value.r#type.as_ref()?.value else { return None };
    let size = |dim: &Dimension| match dim.value {
        Some(DimensionValue::DimValue(size)) if size > 0 => Some(size),
        _ => None,
    };
    let shape = tensor.shape.as_ref().map(|shape| shape.dim.iter().map(size).collect());
    Some(TensorInfo { element: known(tensor.elem_type()), shape })
}

/// What a constant is.
pub(super) fn of_tensor(tensor: &TensorProto) -> TensorInfo {
    let shape = tensor.dims.iter().map(|&dim| Some(dim)).collect();
    TensorInfo { element: known(tensor.data_type()), shape: Some(shape) }
}

fn known(element: DataType) -> Option<DataType> {
    (element != DataType::Undefined).then_some(element)
}

/// Joins two things known of one shape; the first wins where they disagree.
pub(super) fn refine(first: Option<Shape>, second: Option<Shape>) -> Option<Shape> {
    match (first, second) {
        (Some(first), Some(second)) if first.len() == second.len() => {
            Some(first.iter().zip(second).map(|(&first, second)| first.or(second)).collect())
        }
        (first, second) => first.or(second),
    }
}

/// What follows for the outputs of a node.
pub(super) fn outputs(graph: &Graph<'_>, node: &NodeProto) -> Vec<(String, TensorInfo)> {
    let call = Call { graph, node };
    let name_of = |index| node.output_at(index).map(str::to_owned);
    let mut infos = Vec::new();
    if let Some(name) = name_of(0) {
        let shape = call.shape().filter(|shape| shape.len() <= MAX_RANK);
        infos.push((name, TensorInfo { element: call.element(), shape }));
    }
    if let ("TopK", Some(name)) = (node.standard_op(), name_of(1)) {
        infos.push((name, TensorInfo { element: Some(DataType::Int64), shape: call.shape() }));
    }
    infos
}

/// One operator call.
struct Call<'g, 'm> {
    graph: &'g Graph<'m>,
    node: &'g NodeProto,
}

impl<'g> Call<'g, '_> {
    fn input_element(&self, index: usize) -> Option<DataType> {
        self.graph.element_type(self.node.input_at(index)?)
    }

    fn input(&self, index: usize) -> Option<&'g [Option<i64>]> {
        self.graph.shape(self.node.input_at(index)?)
    }

    fn constant(&self, index: usize) -> Option<Vec<i64>> {
        self.graph.ints(self.node.input_at(index)?)
    }

    /// Axes that newer operator sets take as an input and older ones as an attribute.
    fn axes(&self, rank: usize) -> Option<Vec<usize>> {
        let axes = match self.node.ints("axes") {
            Some(axes) => axes.to_vec(),
            None => self.constant(1)?,
        };
        axes.into_iter().map(|axis| wrap_axis(axis, rank)).collect()
    }

    fn element(&self) -> Option<DataType> {
        match self.node.standard_op() {
            "" => None,
            "Cast" => known(DataType::try_from(self.node.int("to")? as i32).ok()?),
            "Shape" | "Size" | "ArgMax" | "ArgMin" | "NonZero" => Some(DataType::Int64),
            "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Equal" | "Not" | "And" | "Or"
            | "Xor" | "IsNaN" | "IsInf" => Some(DataType::Bool),
            "Constant" => match self.node.tensor("value") {
                Some(value) => known(value.data_type()),
                None if self.node.attribute.iter().any(|value| value.name().starts_with("value_float")) => {
                    Some(DataType::Float)
                }
                None => Some(DataType::Int64),
            },
            "ConstantOfShape" => {
                self.node.tensor("value").map_or(Some(DataType::Float), |t| known(t.data_type()))
            }
            "QuantizeLinear" => self.input_element(2).or(Some(DataType::Uint8)),
            "DequantizeLinear" | "Where" | "CastLike" => self.input_element(1),
            "OneHot" => self.input_element(2),
            "DynamicQuantizeLinear"
            | "QLinearConv"
            | "QLinearMatMul"
            | "ConvInteger"
            | "MatMulInteger"
            | "If"
            | "Loop"
            | "Scan"
            | "RandomNormal"
            | "RandomUniform"
            | "EyeLike"
            | "Multinomial" => None,
            // Of one type are all operands of the others, or at least the first.
            "Add" | "Sub" | "Mul" | "Div" | "Conv" | "Gemm" | "MatMul" | "Concat" => {
                (0..self.node.input.len()).find_map(|index| self.input_element(index))
            }
            _ => self.input_element(0),
        }
    }

    fn shape(&self) -> Option<Shape> {
        let node = self.node;
        match node.standard_op() {
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "PRelu" | "Max" | "Min" | "Sum" | "Mean" | "Where"
            | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Equal" | "And" | "Or" | "Xor" => {
                let shapes: Option<Vec<_>> = (0..node.input.len()).map(|index| self.input(index)).collect();
                Some(shapes?.into_iter().fold(Vec::new(), |a, b| broadcast(&a, b)))
            }
            "Conv" => self.conv(),
            "MaxPool" | "AveragePool" | "LpPool" => {
                let input = self.input(0)?;
                let kernel: Vec<_> = node.ints("kernel_shape")?.iter().map(|&size| Some(size)).collect();
                Some([input.get(..2)?, &self.windows(input.get(2..)?, &kernel)?].concat())
            }
            "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => {
                let input = self.input(0)?;
                Some(
                    input
                        .iter()
                        .enumerate()
                        .map(|(axis, &dim)| if axis < 2 { dim } else { Some(1) })
                        .collect(),
                )
            }
            op if op.starts_with("Reduce") => self.reduce(),
            "Flatten" => {
                let input = self.input(0)?;
                let axis = node.int_or("axis", 1);
                let axis =
                    if axis == input.len() as i64 { input.len() } else { wrap_axis(axis, input.len())? };
                Some(vec![product(&input[..axis]), product(&input[axis..])])
            }
            "Reshape" => self.reshape(),
            "Squeeze" => {
                let input = self.input(0)?;
                let axes = self.axes(input.len())?;
                Some((0..input.len()).filter(|axis| !axes.contains(axis)).map(|axis| input[axis]).collect())
            }
            "Unsqueeze" => {
                let mut rest = self.input(0)?.iter();
                let count =
                    node.ints("axes").map(<[_]>::len).or_else(|| self.constant(1).map(|axes| axes.len()))?;
                let rank = rest.len() + count;
                let axes = self.axes(rank)?;
                let dim = |axis| if axes.contains(&axis) { Some(1) } else { rest.next().copied().flatten() };
                Some((0..rank).map(dim).collect())
            }
            "Transpose" => {
                let input = self.input(0)?;
                match node.ints("perm") {
                    Some(perm) => {
                        perm.iter().map(|&axis| input.get(usize::try_from(axis).ok()?).copied()).collect()
                    }
                    None => Some(input.iter().rev().copied().collect()),
                }
            }
            "Concat" => self.concat(),
            "Gemm" => {
                let (a, b) = (self.input(0)?, self.input(1)?);
                let rows = *a.get(usize::from(node.int_or("transA", 0) != 0))?;
                Some(vec![rows, *b.get(usize::from(node.int_or("transB", 0) == 0))?])
            }
            "MatMul" => {
                let ([a @ .., rows, _], [b @ .., _, columns]) = (self.input(0)?, self.input(1)?) else {
                    return None;
                };
                Some([broadcast(a, b), vec![*rows, *columns]].concat())
            }
            "Gather" => {
                let (data, indices) = (self.input(0)?, self.input(1)?);
                let axis = wrap_axis(node.int_or("axis", 0), data.len())?;
                Some([&data[..axis], indices, &data[axis + 1..]].concat())
            }
            "GatherElements" => Some(self.input(1)?.to_vec()),
            "TopK" => {
                let mut shape = self.input(0)?.to_vec();
                let axis = wrap_axis(node.int_or("axis", -1), shape.len())?;
                shape[axis] = self.constant(1).and_then(|k| k.first().copied()).or(node.int("k"));
                Some(shape)
            }
            "Shape" => Some(vec![Some(self.input(0)?.len() as i64)]),
            "Constant" => of_tensor(node.tensor("value")?).shape,
            op if KEEPS_SHAPE.contains(&op) => Some(self.input(0)?.to_vec()),
            _ => None,
        }
    }

    fn conv(&self) -> Option<Shape> {
        let weight = self.input(1)?;
        let spatial = match self.input(0) {
            Some(input) => self.windows(input.get(2..)?, weight.get(2..)?)?,
            None => vec![None; weight.len().checked_sub(2)?],
        };
        let batch = self.input(0).and_then(|input| *input.first()?);
        Some([vec![batch, *weight.first()?], spatial].concat())
    }

    /// The places a window takes along each spatial axis.
    fn windows(&self, input: &[Option<i64>], kernel: &[Option<i64>]) -> Option<Shape> {
        let at =
            |name, axis, default| self.node.ints(name).and_then(|v| v.get(axis).copied()).unwrap_or(default);
        let auto_pad = self.node.string("auto_pad").unwrap_or("NOTSET");
        let rank = input.len();
        let places = |axis: usize| -> Option<i64> {
            let (size, kernel) = (input[axis]?, kernel[axis].filter(|&kernel| kernel > 0)?);
            let stride = at("strides", axis, 1).max(1);
            if auto_pad.starts_with("SAME") {
                return size.checked_add(stride - 1).map(|size| size / stride);
            }
            let pads = match auto_pad {
                "NOTSET" => at("pads", axis, 0).checked_add(at("pads", axis + rank, 0))?,
                _ => 0,
            };
            let extent = kernel.checked_sub(1)?.checked_mul(at("dilations", axis, 1))?.checked_add(1)?;
            let room = size.checked_add(pads)?.checked_sub(extent)?;
            // Rounding up has corner cases, where the last window would lie in the padding alone.
            let exact = self.node.int_or("ceil_mode", 0) == 0 || room % stride == 0;
            (room >= 0 && exact).then_some(room / stride + 1)
        };
        (kernel.len() == rank).then(|| (0..rank).map(places).collect())
    }

    fn reduce(&self) -> Option<Shape> {
        let input = self.input(0)?;
        let given = self.node.ints("axes").is_some() || self.node.input_at(1).is_some();
        let axes = match given {
            true => self.axes(input.len())?,
            false if self.node.int_or("noop_with_empty_axes", 0) != 0 => Vec::new(),
            false => (0..input.len()).collect(),
        };
        let keep = self.node.int_or("keepdims", 1) != 0;
        let dims = input.iter().enumerate();
        let dims =
            dims.map(|(axis, &dim)| if axes.contains(&axis) { keep.then_some(Some(1)) } else { Some(dim) });
        Some(dims.flatten().collect())
    }

    fn reshape(&self) -> Option<Shape> {
        let Some(target) = self.constant(1) else {
            // Of a computed target the number of entries is the new rank.
            let rank = (*self.input(1)?.first()?)?;
            return (0..=MAX_RANK as i64).contains(&rank).then(|| vec![None; rank as usize]);
        };
        let input = self.input(0);
        let copies = self.node.int_or("allowzero", 0) == 0;
        let copied = |axis: usize| input.and_then(|input| *input.get(axis)?);
        let mut shape: Shape = target.iter().map(|&size| (size >= 0).then_some(size)).collect();
        for (axis, &size) in target.iter().enumerate() {
            if size == 0 && copies {
                shape[axis] = copied(axis);
            }
        }
        if let (Some(hole), Some(input)) = (target.iter().position(|&size| size == -1), input) {
            // An unknown batch that is copied is on both sides, so the rest still divides.
            let both = usize::from(target.first() == Some(&0) && copies);
            let rest: Vec<_> =
                shape[both..].iter().enumerate().filter(|(axis, _)| axis + both != hole).collect();
            let rest = rest.iter().try_fold(1_i64, |product, (_, dim)| product.checked_mul((**dim)?));
            let whole = input.get(both..).and_then(product);
            shape[hole] = whole.zip(rest).and_then(|(whole, rest)| whole.checked_div(rest));
        }
        Some(shape)
    }

    fn concat(&self) -> Option<Shape> {
        let inputs: Option<Vec<_>> = (0..self.node.input.len()).map(|index| self.input(index)).collect();
        let inputs = inputs?;
        let first = *inputs.first()?;
        let joined = wrap_axis(self.node.int_or("axis", 1), first.len())?;
        let dim = |axis: usize| -> Option<i64> {
            let mut dims = inputs.iter().map(|shape| shape.get(axis).copied().flatten());
            match axis == joined {
                true => dims.try_fold(0_i64, |sum, dim| sum.checked_add(dim?)),
                false => dims.find_map(|dim| dim),
            }
        };
        Some((0..first.len()).map(dim).collect())
    }
}

/// Operators whose first output has the shape of their first input.
const KEEPS_SHAPE: &[&str] = &[
    "Abs",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "DequantizeLinear",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Hardmax",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MeanVarianceNormalization",
    "Mish",
    "Neg",
    "Not",
    "QuantizeLinear",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
];

/// An axis counted from the end when negative; `None` outside the rank.
pub fn wrap_axis(axis: i64, rank: usize) -> Option<usize> {
    let rank = rank as i64;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    (0..rank).contains(&axis).then_some(axis as usize)
}

fn product(dims: &[Option<i64>]) -> Option<i64> {
    dims.iter().try_fold(1_i64, |product, &dim| product.checked_mul(dim?))
}

fn broadcast(a: &[Option<i64>], b: &[Option<i64>]) -> Shape {
    let rank = a.len().max(b.len());
    let from_end = |shape: &[Option<i64>], back: usize| match shape.len().checked_sub(back) {
        Some(axis) => shape[axis],
        None => Some(1),
    };
    let dim = |back| match (from_end(a, back), from_end(b, back)) {
        (Some(1), dim) | (dim, Some(1)) => dim,
        (a, b) => a.or(b),
    };
    (1..=rank).rev().map(dim).collect()
}

#[cfg(test)]
mod tests {
    use crate::onnx::build::{
        self, Dim, f32_tensor, graph, i64_tensor, int, ints, model, node, string, value_info,
    };
    use crate::onnx::graph::Graph;
    use crate::onnx::proto::*;

    /// What is known of the output of one operator on `x` `[N, 8, 7, 9]`, a weight `w` and integers `i`.
    fn shape(op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> Option<Vec<Option<i64>>> {
        let dims = [Dim::Symbol("N"), Dim::Fixed(8), Dim::Fixed(7), Dim::Fixed(9)];
        let x = value_info("x", DataType::Float, &dims);
        let unknown = ValueInfoProto { name: Some("unknown".into()), ..Default::default() };
        let constants = vec![
            f32_tensor("w", &[4, 8, 3, 3], &[0.0; 4 * 8 * 9]),
            f32_tensor("matrix", &[9, 5], &[0.0; 45]),
            i64_tensor("i", &[2], &[0, -1]),
            i64_tensor("axes", &[2], &[2, 3]),
        ];
        let node = node(op, "node", inputs, &["y"], attributes);
        let mut model = model(graph("g", vec![x, unknown], vec![], constants, vec![node]));
        Graph::new(&mut model).shape("y").map(<[_]>::to_vec)
    }

    #[test]
    fn shapes_follow_from_operators() {
        let n = None;
        let dims = |sizes: [i64; 3]| Some(std::iter::once(n).chain(sizes.map(Some)).collect::<Vec<_>>());
        assert_eq!(shape("Conv", &["x", "w"], vec![]), dims([4, 5, 7]));
        let attributes =
            vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2]), ints("dilations", &[2, 1])];
        assert_eq!(shape("Conv", &["x", "w"], attributes), dims([4, 3, 5]));
        let attributes = vec![string("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])];
        assert_eq!(shape("Conv", &["x", "w"], attributes), dims([4, 4, 5]));
        assert_eq!(shape("Conv", &["unknown", "w"], vec![]), Some(vec![n, Some(4), n, n]));
        assert_eq!(shape("MaxPool", &["x"], vec![ints("kernel_shape", &[7, 9])]), dims([8, 1, 1]));
        assert_eq!(shape("GlobalAveragePool", &["x"], vec![]), dims([8, 1, 1]));
        assert_eq!(shape("ReduceMean", &["x", "axes"], vec![]), dims([8, 1, 1]));
        assert_eq!(
            shape("ReduceMean", &["x"], vec![ints("axes", &[-1, 2]), int("keepdims", 0)]),
            Some(vec![n, Some(8)])
        );
        assert_eq!(shape("Flatten", &["x"], vec![]), Some(vec![n, Some(504)]));
        assert_eq!(shape("Reshape", &["x", "i"], vec![]), Some(vec![n, Some(504)]));
        assert_eq!(shape("Reshape", &["unknown", "i"], vec![]), Some(vec![n, n]));
        assert_eq!(shape("Transpose", &["x"], vec![ints("perm", &[0, 2, 3, 1])]), dims([7, 9, 8]));
        assert_eq!(shape("Concat", &["x", "x"], vec![int("axis", 1)]), dims([16, 7, 9]));
        assert_eq!(shape("Add", &["matrix", "unknown"], vec![]), None);
        assert_eq!(shape("MatMul", &["x", "matrix"], vec![]), dims([8, 7, 5]));
        assert_eq!(shape("Gather", &["x", "i"], vec![int("axis", 1)]), dims([2, 7, 9]));
        assert_eq!(
            shape("Unsqueeze", &["matrix"], vec![ints("axes", &[0, -1])]),
            Some([1, 9, 5, 1].map(Some).into())
        );
        assert_eq!(shape("Squeeze", &["x", "axes"], vec![]), Some(vec![n, Some(8)]));
        assert_eq!(shape("Relu", &["x"], vec![]), dims([8, 7, 9]));
        assert_eq!(shape("SomethingElse", &["x"], vec![]), None);
    }

    #[test]
    fn nonsense_is_unknown() {
        assert_eq!(shape("Transpose", &["x"], vec![ints("perm", &[0, 9])]), None);
        assert_eq!(shape("Concat", &["x"], vec![int("axis", i64::MIN)]), None);
        assert_eq!(shape("Flatten", &["x"], vec![int("axis", 7)]), None);
        assert_eq!(shape("Conv", &["x", "matrix"], vec![]), None);
        let windows = shape("MaxPool", &["x"], vec![ints("kernel_shape", &[i64::MAX, -1])]);
        assert_eq!(windows, Some(vec![None, Some(8), None, None]));
    }

    #[test]
    fn element_types_follow_from_operators() {
        let half = build::raw_tensor("h", DataType::Float16, &[1], vec![0; 2]);
        let nodes = vec![
            node("Cast", "cast", &["h"], &["f"], vec![int("to", 1)]),
            node("Shape", "shape", &["f"], &["s"], vec![]),
            node("Mul", "mul", &["h", "h"], &["m"], vec![]),
            node("Mystery", "mystery", &["h"], &["q"], vec![]),
        ];
        let mut model = model(graph("g", vec![], vec![], vec![half], nodes));
        model.graph.as_mut().unwrap().node[3].domain = Some("elsewhere".into());
        let graph = Graph::new(&mut model);
        let found = ["f", "s", "m", "q"].map(|name| graph.element_type(name));
        assert_eq!(found, [Some(DataType::Float), Some(DataType::Int64), Some(DataType::Float16), None]);
    }
}
