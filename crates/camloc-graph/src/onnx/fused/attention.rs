//! Attention in one operator: as the runtime has it, packed or not, and as operator set 23 has it.

use super::Fused;
use crate::onnx::build::{int, ints};
use crate::onnx::proto::DataType;

/// Queries, keys, values, each `[N, heads, tokens, size]`.
struct Heads {
    queries: String,
    keys: String,
    values: String,
}

impl Fused<'_, '_> {
    /// Queries, keys and values are one product of the input: inputs are tokens, weight, bias, mask, past, attention bias.
    pub(super) fn packed_attention(&mut self) -> Option<()> {
        let plain =
            self.lacks(&[3, 4, 6]) && self.has_one_output() && self.node.int_or("unidirectional", 0) == 0;
        let count = self.node.int("num_heads").filter(|&count| plain && count > 0)?;
        let (x, weight) = (self.input(0)?, self.input(1)?);
        let whole = *self.graph.shape(&weight)?.get(1)?;
        let sizes = match self.node.ints("qkv_hidden_sizes") {
            Some(&[queries, keys, values]) => [queries, keys, values],
            _ => [whole? / 3; 3],
        };
        let product = self.op("MatMul", &[&x, &weight], vec![]);
        let bias = self.input(2);
        let product = self.plus(product, bias);
        let [queries, keys, values] = [0, 1, 2].map(|part| {
            let start = sizes[..part].iter().sum();
            self.graph.slice("camloc.part", &product, 2, start, start + sizes[part])
        });
        let heads = Heads {
            queries: self.split_heads(&queries, count),
            keys: self.split_heads(&keys, count),
            values: self.split_heads(&values, count),
        };
        let scale = self.scale(sizes[0] / count);
        let mask = self.input(5);
        self.attend(&heads, scale, mask, true)
    }

    /// Queries, keys and values come apart: inputs are these, bias, mask, attention bias, past.
    pub(super) fn multi_head_attention(&mut self) -> Option<()> {
        let plain =
            self.lacks(&[4, 6, 7]) && self.has_one_output() && self.node.int_or("unidirectional", 0) == 0;
        let count = self.node.int("num_heads").filter(|&count| plain && count > 0)?;
        let (queries, bias) = (self.input(0)?, self.input(3));
        let own = self.graph.shape(&queries).map(<[_]>::to_vec);
        let (keys, values) = (self.input(1)?, self.input(2)?);
        let width = (*own.filter(|own| own.len() == 3)?.get(2)?)?;
        let mut apart = Vec::new();
        for (part, tensor) in [queries, keys, values].into_iter().enumerate() {
            let bias = bias.as_deref().map(|bias| {
                // Keys are as wide as queries.
                let start = width * part as i64;
                let end = if part < 2 { start + width } else { i64::MAX };
                self.graph.slice("camloc.part", bias, 0, start, end)
            });
            let is_split = self.graph.rank(&tensor) == Some(4);
            (!is_split || bias.is_none()).then_some(())?;
            let tensor = self.plus(tensor, bias);
            apart.push(if is_split { tensor } else { self.split_heads(&tensor, count) });
        }
        let [queries, keys, values] = <[String; 3]>::try_from(apart).ok()?;
        let heads = Heads { queries, keys, values };
        let (scale, mask) = (self.scale(width / count), self.input(5));
        self.attend(&heads, scale, mask, true)
    }

    /// As operator set 23 has it: queries, keys, values, mask, past.
    pub(super) fn standard_attention(&mut self) -> Option<()> {
        let plain = self.lacks(&[4, 5]) && self.has_one_output() && self.node.int_or("is_causal", 0) == 0;
        (plain && self.node.float_or("softcap", 0.0) == 0.0).then_some(())?;
        let inputs = [self.input(0)?, self.input(1)?, self.input(2)?];
        let shape = self.graph.shape(&inputs[0])?.to_vec();
        let counts = ["q_num_heads", "kv_num_heads"].map(|name| self.node.int_or(name, 0));
        let packed = shape.len() == 3;
        let size = (*shape.last()?)?;
        let [queries, keys, values] = match packed {
            true if counts[0] == counts[1] && counts[0] > 0 => {
                inputs.map(|tensor| self.split_heads(&tensor, counts[0]))
            }
            // Keys that several heads share would have to be repeated.
            false if shape.get(1) == self.graph.shape(&inputs[1])?.get(1) => inputs,
            _ => return None,
        };
        let size = if packed { size / counts[0] } else { size };
        let (scale, mask) = (self.scale(size), self.input(3));
        self.attend(&Heads { queries, keys, values }, scale, mask, packed)
    }

    /// What the products of queries and keys are multiplied with.
    fn scale(&self, size: i64) -> f64 {
        match self.node.find_attribute("scale").map(|scale| scale.f()) {
            Some(scale) if scale != 0.0 => scale.into(),
            _ => 1.0 / (size.max(1) as f64).sqrt(),
        }
    }

    /// From `[N, tokens, heads * size]` to `[N, heads, tokens, size]`.
    fn split_heads(&mut self, tensor: &str, count: i64) -> String {
        let split = self.graph.reshape("camloc.part", tensor, &[0, 0, count, -1]);
        self.op("Transpose", &[&split], vec![ints("perm", &[0, 2, 1, 3])])
    }

    /// The values of the tokens that each looks at; heads side by side again, if they are to be.
    fn attend(&mut self, heads: &Heads, scale: f64, mask: Option<String>, join: bool) -> Option<()> {
        let keys = self.op("Transpose", &[&heads.keys], vec![ints("perm", &[0, 1, 3, 2])]);
        let products = self.op("MatMul", &[&heads.queries, &keys], vec![]);
        let mut scores = self.with("Mul", &products, scale);
        scores = match mask {
            Some(mask) if self.graph.element_type(&mask) == Some(DataType::Bool) => {
                let never = self.number(&scores, f64::NEG_INFINITY);
                self.op("Where", &[&mask, &scores, &never], vec![])
            }
            mask => self.plus(scores, mask),
        };
        let weights = self.op("Softmax", &[&scores], vec![int("axis", 3)]);
        if !join {
            return self.last("MatMul", &[&weights, &heads.values], vec![], 0);
        }
        let seen = self.op("MatMul", &[&weights, &heads.values], vec![]);
        let seen = self.op("Transpose", &[&seen], vec![ints("perm", &[0, 2, 1, 3])]);
        let shape = self.graph.add_ints("camloc.shape", &[0, 0, -1]);
        self.last("Reshape", &[&seen, &shape], vec![], 0)
    }
}
