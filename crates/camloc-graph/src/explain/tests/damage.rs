//! No model is a panic, however it is damaged.

use proptest::prelude::*;

use super::*;
use crate::onnx::load;

proptest! {
    #[test]
    fn a_damaged_model_is_never_a_panic(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = pooled_gemm().model().encode_to_vec();
        for (index, byte) in damage {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(mut model) = load::parse(&bytes) {
            let before = model.clone();
            if explain(&mut model, &Request { top_k: 2, ..Default::default() }).is_err() {
                prop_assert_eq!(model, before);
            }
        }
    }

    #[test]
    fn a_rewired_model_is_never_a_panic(wires in prop::collection::vec(any::<[prop::sample::Index; 3]>(), 1..4)) {
        let mut model = pooled_gemm().model();
        let graph = model.graph.as_mut().unwrap();
        for [node, input, source] in wires {
            let names: Vec<_> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
            let node = node.get(&names).clone();
            let node = graph.node.iter_mut().find(|candidate| candidate.output[0] == node).unwrap();
            let input = input.index(node.input.len());
            node.input[input] = source.get(&names).clone();
        }
        let _ = explain(&mut model, &Request { top_k: 2, ..Default::default() });
    }
}
