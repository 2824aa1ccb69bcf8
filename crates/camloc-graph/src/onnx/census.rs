//! What a file holds, counted before it is decoded: an empty node takes two bytes in a file and over 200 in memory, so a
//! file of a few megabytes could ask for all memory there is.

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// How much there is of a model, at least: counting ends where decoding will fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    /// Nodes, with those of functions and subgraphs.
    pub(super) nodes: usize,
    /// Texts, byte strings and messages, those nodes among them.
    pub(super) entries: usize,
}

impl Census {
    /// Counts what the bytes of a model hold.
    pub(super) fn of(model: &[u8]) -> Census {
        let mut census = Census::default();
        // The decoder says what is malformed.
        let _ = census.count(model, Message::Model, MAX_DEPTH);
        census
    }

    fn count(&mut self, mut bytes: &[u8], message: Message, depth: usize) -> Result<(), DecodeError> {
        while !bytes.is_empty() {
            let (tag, wire) = decode_key(&mut bytes)?;
            if wire != WireType::LengthDelimited {
                skip_field(wire, tag, &mut bytes, DecodeContext::default())?;
                continue;
            }
            let length = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
            let Some((field, rest)) = bytes.split_at_checked(length) else { return Ok(()) };
            bytes = rest;
            self.entries += 1;
            let inner = message.inner(tag);
            self.nodes += usize::from(matches!(inner, Some(Message::Node)));
            if let (Some(inner), Some(depth)) = (inner, depth.checked_sub(1)) {
                self.count(field, inner, depth)?;
            }
        }
        Ok(())
    }
}

/// The decoder goes no deeper.
const MAX_DEPTH: usize = 100;

/// A message that holds others, by the thousand if it likes.
#[derive(Clone, Copy, Debug)]
enum Message {
    Model,
    Training,
    Function,
    Graph,
    Node,
    Attribute,
    /// Any that is counted no further down than to its own fields.
    Leaf,
}

impl Message {
    /// The message in a field of this one; `None` for text and bytes.
    fn inner(self, tag: u32) -> Option<Message> {
        Some(match (self, tag) {
            (Message::Model, 7) | (Message::Training, 1 | 2) | (Message::Attribute, 6 | 11) => Message::Graph,
            (Message::Model, 20) => Message::Training,
            (Message::Model, 25) => Message::Function,
            (Message::Graph, 1) | (Message::Function, 7) => Message::Node,
            (Message::Node, 5) | (Message::Function, 11) => Message::Attribute,
            (Message::Graph, 5 | 11..=15) | (Message::Attribute, 5 | 10) => Message::Leaf,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::onnx::build::{f32_tensor, graph, int, model, node, subgraph};
    use crate::onnx::proto::{FunctionProto, GraphProto, NodeProto};

    #[test]
    fn nodes_are_counted_wherever_they_are() {
        let relu = || node("Relu", "", &["x"], &["y"], vec![int("ignored", 1)]);
        let branch = graph("branch", vec![], vec![], vec![], vec![relu(), relu()]);
        let nodes = vec![relu(), node("If", "", &["c"], &["z"], vec![subgraph("then_branch", branch)])];
        let mut model = model(graph("g", vec![], vec![], vec![f32_tensor("w", &[2], &[0.0; 2])], nodes));
        model.functions.push(FunctionProto { node: vec![relu()], ..Default::default() });
        let census = Census::of(&model.encode_to_vec());
        assert_eq!(census.nodes, 5);
        assert!(census.entries > 5 * 5, "{census:?}");
    }

    #[test]
    fn what_costs_least_in_a_file_is_counted() {
        let empty = GraphProto { node: vec![NodeProto::default(); 1000], ..Default::default() };
        assert_eq!(Census::of(&model(empty).encode_to_vec()).nodes, 1000);
        let names = NodeProto { input: vec![String::new(); 1000], ..Default::default() };
        let names = model(GraphProto { node: vec![names], ..Default::default() });
        assert!(Census::of(&names.encode_to_vec()).entries > 1000);
    }

    #[test]
    fn what_is_cut_short_is_counted_as_far_as_it_goes() {
        let bytes =
            model(GraphProto { node: vec![NodeProto::default(); 9], ..Default::default() }).encode_to_vec();
        (0..bytes.len()).for_each(|end| assert!(Census::of(&bytes[..end]).nodes <= 9));
    }
}
