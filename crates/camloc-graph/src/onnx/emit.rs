//! Nodes that are written often, each in one line.

use super::build;
use super::edit::GraphEditor;
use super::proto::DataType;

/// The most numbers that are listed in a file: 1 MB.
const MOST_NUMBERS: i32 = 1 << 18;

impl GraphEditor<'_> {
    /// A reduction (`ReduceSum`, `ReduceMax`, …) over axes, written as the graph's operator set wants it: the axes
    /// were an attribute, and became an input in 13 for `ReduceSum` and in 18 for the others.
    pub fn reduce(&mut self, op: &str, hint: &str, tensor: &str, axes: &[i64], keep: bool) -> String {
        let keep = build::int("keepdims", keep.into());
        let since = if op == "ReduceSum" { 13 } else { 18 };
        if self.opset() < since {
            return self.op(op, hint, &[tensor], vec![build::ints("axes", axes), keep]);
        }
        let axes = self.add_ints("camloc.axes", axes);
        self.op(op, hint, &[tensor, &axes], vec![keep])
    }

    /// A tensor in a constant shape, in which 0 keeps a size and -1 takes what remains.
    pub fn reshape(&mut self, hint: &str, tensor: &str, shape: &[i64]) -> String {
        let shape = self.add_ints("camloc.shape", shape);
        self.op("Reshape", hint, &[tensor, &shape], vec![])
    }

    /// A tensor with its axes permuted.
    pub fn transpose(&mut self, hint: &str, tensor: &str, perm: &[i64]) -> String {
        self.op("Transpose", hint, &[tensor], vec![build::ints("perm", perm)])
    }

    /// A tensor and a number of its element type through an operator with two operands, as in `x * 2`.
    pub fn with(&mut self, op: &str, hint: &str, tensor: &str, value: f64) -> String {
        let element = self.element_type(tensor).unwrap_or(DataType::Float);
        let value = self.add_initializer(build::scalar("camloc.number", element, value));
        self.op(op, hint, &[tensor, &value], vec![])
    }

    /// The part `start..end` of a tensor along an axis.
    pub fn slice(&mut self, hint: &str, tensor: &str, axis: i64, start: i64, end: i64) -> String {
        let [starts, ends, axes] = [start, end, axis].map(|value| self.add_ints("camloc.bound", &[value]));
        self.op("Slice", hint, &[tensor, &starts, &ends, &axes], vec![])
    }

    /// The sum of tensors, two at a time: a `Sum` of more is an operator that not every execution provider has.
    pub fn sum(&mut self, hint: &str, terms: &[String]) -> String {
        let sum = terms.iter().cloned().reduce(|sum, term| self.op("Add", hint, &[&sum, &term], vec![]));
        sum.unwrap_or_default()
    }

    /// A constant i32 scalar.
    pub fn add_number(&mut self, hint: &str, value: i32) -> String {
        self.add_initializer(build::raw_tensor(hint, DataType::Int32, &[], value.to_le_bytes().to_vec()))
    }

    /// `0, 1, …` as i32 `[count]`, to pick from with indices: of i64, which operators that tell indices give, few
    /// execution providers take more than that. `None` for more than a file should hold.
    pub fn numbers(&mut self, count: usize) -> Option<String> {
        let numbers = 0..i32::try_from(count).ok().filter(|&count| count <= MOST_NUMBERS)?;
        let bytes = numbers.flat_map(i32::to_le_bytes).collect();
        Some(self.add_initializer(build::raw_tensor(
            "camloc.numbers",
            DataType::Int32,
            &[count as i64],
            bytes,
        )))
    }

    /// A tensor in another element type.
    pub fn cast(&mut self, hint: &str, tensor: &str, to: DataType) -> String {
        self.op("Cast", hint, &[tensor], vec![build::int("to", to as i64)])
    }

    /// Some sizes of a tensor, as a tensor.
    pub fn sizes(&mut self, hint: &str, tensor: &str, axes: &[i64]) -> String {
        let shape = self.op("Shape", hint, &[tensor], vec![]);
        let axes = self.add_ints("camloc.axes", axes);
        self.op("Gather", hint, &[&shape, &axes], vec![build::int("axis", 0)])
    }
}
