//! Nodes that are written often, each in one line.

use super::build;
use super::graph::Graph;

impl Graph<'_> {
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
        let element = self.element_type(tensor).unwrap_or(super::proto::DataType::Float);
        let value = self.add_initializer(build::scalar("camloc.number", element, value));
        self.op(op, hint, &[tensor, &value], vec![])
    }

    /// The part `start..end` of a tensor along an axis.
    pub fn slice(&mut self, hint: &str, tensor: &str, axis: i64, start: i64, end: i64) -> String {
        let [starts, ends, axes] = [start, end, axis].map(|value| self.add_ints("camloc.bound", &[value]));
        self.op("Slice", hint, &[tensor, &starts, &ends, &axes], vec![])
    }

    /// Some sizes of a tensor, as a tensor.
    pub fn sizes(&mut self, hint: &str, tensor: &str, axes: &[i64]) -> String {
        let shape = self.op("Shape", hint, &[tensor], vec![]);
        let axes = self.add_ints("camloc.axes", axes);
        self.op("Gather", hint, &[&shape, &axes], vec![build::int("axis", 0)])
    }
}
