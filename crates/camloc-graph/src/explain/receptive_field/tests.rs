use prost::Message;

use super::*;
use crate::onnx::build::*;
use crate::onnx::proto::*;
use crate::testing::Session;

const HEIGHT: usize = 40;
const WIDTH: usize = 48;

fn op(op_type: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    node(op_type, output, inputs, &[output], attributes)
}

/// Weights of one channel, all positive, so that no change cancels.
fn kernel(name: &str, rows: i64, columns: i64) -> TensorProto {
    f32_tensor(name, &[1, 1, rows, columns], &vec![1.0; (rows * columns) as usize])
}

fn list(name: &str, values: &[i64]) -> TensorProto {
    i64_tensor(name, &[values.len() as i64], values)
}

/// A network of one channel from `x` to `y`, `[1, 1, h, w]`.
fn network(constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> ModelProto {
    let dims = [1, 1, HEIGHT as i64, WIDTH as i64].map(Dim::Fixed);
    let input = value_info("x", DataType::Float, &dims);
    let open = [Dim::Fixed(1), Dim::Fixed(1), Dim::Unknown, Dim::Unknown];
    let output = value_info("y", DataType::Float, &open);
    model(graph("g", vec![input], vec![output], constants, nodes))
}

fn field(model: &ModelProto) -> Field {
    let model = model.clone();
    let graph = Graph::new(&model);
    let spaces = Spaces::of(&graph);
    Fields::of(&graph, &spaces).get("y").unwrap()
}

/// Rows and columns of the pixels that change a cell, of cells whose window lies in the picture:
/// compared with what the field says.
fn check(model: &ModelProto) {
    let field = field(model);
    let [height, width] = field.size.unwrap();
    let mut session = Session::load(&model.encode_to_vec(), None).unwrap();
    session.input_mut().fill(0.0);
    session.run().unwrap();
    let (shape, rest) = session.floats("y");
    let (rows, columns, rest) = (shape[2], shape[3], rest.to_vec());
    // For every cell the first and last row and column that it sees.
    let mut seen = vec![[usize::MAX, 0, usize::MAX, 0]; rows * columns];
    for pixel in 0..HEIGHT * WIDTH {
        session.input_mut().fill(0.0);
        session.input_mut()[pixel] = 1.0;
        session.run().unwrap();
        let values = session.floats("y").1;
        for (cell, _) in values.iter().zip(&rest).enumerate().filter(|(_, (now, before))| now != before) {
            let (row, column) = (pixel / WIDTH, pixel % WIDTH);
            let [top, bottom, left, right] = seen[cell];
            seen[cell] = [top.min(row), bottom.max(row + 1), left.min(column), right.max(column + 1)];
        }
    }
    let mut inside = 0;
    for (cell, &[top, bottom, left, right]) in seen.iter().enumerate() {
        let place = |index: usize, way: usize, size: f64| {
            let centre = field.centre[way] + index as f64 * field.stride[way];
            (centre - size / 2.0, centre + size / 2.0)
        };
        let (first_row, last_row) = place(cell / columns, 0, height);
        let (first_column, last_column) = place(cell % columns, 1, width);
        let within = first_row >= 0.0 && last_row <= HEIGHT as f64;
        if !within || first_column < 0.0 || last_column > WIDTH as f64 {
            continue;
        }
        inside += 1;
        let found = [top, bottom, left, right].map(|edge| edge as f64);
        assert_eq!(found, [first_row, last_row, first_column, last_column], "cell {cell}, {field:?}");
    }
    assert!(inside > 1, "no cell to look at: {field:?}");
}

#[test]
fn windows_with_strides_dilations_and_uneven_pads() {
    let constants = vec![kernel("a", 3, 5), kernel("b", 3, 3), kernel("c", 2, 1)];
    let nodes = vec![
        op("Conv", &["x", "a"], "1", vec![ints("strides", &[2, 1]), ints("pads", &[0, 2, 1, 1])]),
        op("Relu", &["1"], "2", vec![]),
        op("MaxPool", &["2"], "3", vec![ints("kernel_shape", &[3, 2]), ints("strides", &[1, 2])]),
        op("Conv", &["3", "b"], "4", vec![ints("dilations", &[1, 2]), ints("pads", &[1, 2, 1, 2])]),
        op("AveragePool", &["4"], "5", vec![ints("kernel_shape", &[2, 2])]),
        op("Conv", &["5", "c"], "y", vec![]),
    ];
    check(&network(constants, nodes));
}

#[test]
fn padding_that_the_model_leaves_to_the_runtime() {
    for auto_pad in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
        let padded = |stride| vec![string("auto_pad", auto_pad), ints("strides", &[stride, stride])];
        let nodes = vec![
            op("Conv", &["x", "a"], "1", padded(2)),
            op("Conv", &["1", "b"], "2", padded(1)),
            op("Conv", &["2", "a"], "y", padded(2)),
        ];
        check(&network(vec![kernel("a", 3, 3), kernel("b", 4, 2)], nodes));
    }
}

#[test]
fn branches_see_what_the_larger_sees() {
    let same = || vec![ints("pads", &[1, 1, 1, 1])];
    let nodes = vec![
        op("Conv", &["x", "a"], "1", [same(), vec![ints("strides", &[2, 2])]].concat()),
        op("Conv", &["1", "a"], "2", same()),
        op("Conv", &["x", "one"], "short", vec![ints("strides", &[2, 2])]),
        op("Add", &["2", "short"], "y", vec![]),
    ];
    check(&network(vec![kernel("a", 3, 3), kernel("one", 1, 1)], nodes));
}

#[test]
fn slices_and_pads_move_the_cells() {
    let constants = vec![
        kernel("a", 3, 3),
        list("pads", &[0, 0, 2, 1, 0, 0, 0, 3]),
        list("starts", &[1, 2]),
        list("ends", &[i64::MAX, i64::MAX]),
        list("axes", &[2, 3]),
        list("steps", &[2, 3]),
    ];
    let nodes = vec![
        op("Pad", &["x", "pads"], "1", vec![]),
        op("Slice", &["1", "starts", "ends", "axes", "steps"], "2", vec![]),
        op("Conv", &["2", "a"], "y", vec![]),
    ];
    let mut model = network(constants, nodes);
    let known = [("1", [1, 1, 42, 52]), ("2", [1, 1, 21, 17])];
    let known = known.map(|(name, dims)| value_info(name, DataType::Float, &dims.map(Dim::Fixed)));
    model.graph.as_mut().unwrap().value_info.extend(known);
    check(&model);
}

#[test]
fn enlarged_cells_are_closer() {
    let nodes = vec![
        op("AveragePool", &["x"], "1", vec![ints("kernel_shape", &[4, 4]), ints("strides", &[4, 4])]),
        op("Resize", &["1", "", "scales"], "y", vec![]),
    ];
    let mut model = network(vec![f32_tensor("scales", &[4], &[1.0, 1.0, 2.0, 2.0])], nodes);
    let known = value_info("y", DataType::Float, &[1, 1, 20, 24].map(Dim::Fixed));
    model.graph.as_mut().unwrap().value_info.push(known);
    let expected = Field { size: Some([4.0; 2]), stride: [2.0; 2], centre: [1.0; 2] };
    assert_eq!(field(&model), expected);
}

#[test]
fn a_gate_from_the_whole_picture_leaves_the_cells_where_they_are() {
    let nodes = vec![
        op("Conv", &["x", "a"], "1", vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])]),
        op("GlobalAveragePool", &["1"], "mean", vec![]),
        op("Mul", &["mean", "1"], "gated", vec![]),
        op("Conv", &["gated", "a"], "y", vec![]),
    ];
    let expected = Field { size: None, stride: [2.0; 2], centre: [2.5; 2] };
    assert_eq!(field(&network(vec![kernel("a", 3, 3)], nodes)), expected);
}
