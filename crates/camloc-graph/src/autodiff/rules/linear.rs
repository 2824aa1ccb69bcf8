//! Matrix products.

use super::super::call::{Answer, Call, Missing};
use super::super::gradient::Gradient;
use crate::onnx::build::{int, ints, string};

/// `alpha * A * B + beta * C`, A and B perhaps transposed.
pub(super) fn gemm(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let node = call.node;
    let (alpha, beta) = (node.float_or("alpha", 1.0), node.float_or("beta", 1.0));
    let [trans_a, trans_b] = ["transA", "transB"].map(|name| node.int_or(name, 0) != 0);
    if position > 2 {
        return Err(Missing::because("it has more than three inputs"));
    }
    if position == 2 {
        let (gradient, spread) = call.gradient()?;
        let scaled = scale(call, gradient, beta);
        return call.unbroadcast(scaled, spread, call.output()?, call.input(2)?).map(Some);
    }
    if position == 0
        && !trans_a
        && let Some(classes) = call.one_hot()
    {
        let rows = rows(call, classes, call.input(1)?, usize::from(!trans_b))?;
        return Ok(Some(Gradient::dense(scale(call, rows, alpha))));
    }
    let gradient = call.dense()?;
    let other = call.input(1 - position)?;
    let (mine, others) = if position == 0 { (trans_a, trans_b) } else { (trans_b, trans_a) };
    let other = if others { other.to_owned() } else { transposed(call, other, 2) };
    // Y = A B: dA = G Bᵀ, dB = Aᵀ G.
    let (left, right) = if position == 0 { (gradient, other) } else { (other, gradient) };
    let mut product = call.op("MatMul", &[&left, &right], vec![]);
    if mine {
        product = transposed(call, &product, 2 + usize::from(call.lead().is_some()));
    }
    Ok(Some(Gradient::dense(scale(call, product, alpha))))
}

/// `A * B`, over stacks of matrices that broadcast.
pub(super) fn matmul(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let (a, b, output) = (call.input(0)?, call.input(1)?, call.output()?);
    let (rank_a, rank_b) = (call.rank(a)?, call.rank(b)?);
    if position == 0
        && (rank_a, rank_b) == (2, 2)
        && let Some(classes) = call.one_hot()
    {
        return Ok(Some(Gradient::dense(rows(call, classes, b, 1)?)));
    }
    let mut gradient = call.dense()?;
    // A vector stands for a matrix of one row or one column.
    if rank_a == 1 || rank_b == 1 {
        let last = call.rank(output)? + usize::from(rank_a == 1) + usize::from(rank_b == 1) - 1;
        let ones = [(rank_a, last - 1), (rank_b, last)];
        let ones: Vec<usize> =
            ones.into_iter().filter(|(rank, _)| *rank == 1).map(|(_, axis)| axis).collect();
        gradient = call.unsqueeze(&gradient, &ones);
    }
    let operand = call.input(position)?;
    let product = match position {
        0 => {
            let other = as_matrix(call, b, rank_b, 1);
            let other = transposed(call, &other, rank_b.max(2));
            call.op("MatMul", &[&gradient, &other], vec![])
        }
        _ => {
            let other = as_matrix(call, a, rank_a, 0);
            let other = transposed(call, &other, rank_a.max(2));
            call.op("MatMul", &[&other, &gradient], vec![])
        }
    };
    let (rank, stack) = (call.rank(operand)?, rank_a.max(rank_b).max(2) - 2);
    if rank == 1 {
        let mut sum = product;
        if stack > 0 {
            sum = call.sum(&sum, &(0..stack).collect::<Vec<_>>(), false);
        }
        return Ok(Some(Gradient::dense(call.shaped(&sum, operand)?)));
    }
    if rank_a.min(rank_b) == 1 {
        return Ok(Some(Gradient::dense(product)));
    }
    // Only the axes of the stack broadcast; the last two have the operand's own sizes.
    stack_sum(call, product, output, operand)
}

/// A vector as a matrix, with a new axis of 1.
fn as_matrix(call: &mut Call<'_, '_>, tensor: &str, rank: usize, axis: i64) -> String {
    if rank > 1 {
        return tensor.to_owned();
    }
    let axis = call.graph.add_ints("camloc.axis", &[axis]);
    call.op("Unsqueeze", &[tensor, &axis], vec![])
}

/// Sums a product over the axes of the stack along which `operand` was repeated.
fn stack_sum(call: &mut Call<'_, '_>, product: String, output: &str, operand: &str) -> Answer {
    let (full, own) = (call.shape(output)?, call.shape(operand)?);
    let missing = full.len().checked_sub(own.len()).ok_or_else(|| Missing::shape(output))?;
    let repeated = |axis: &usize| match axis.checked_sub(missing) {
        None => true,
        Some(at) => own[at] == Some(1) && full[*axis] != Some(1),
    };
    let kept: Vec<usize> = (missing..full.len().saturating_sub(2)).filter(repeated).collect();
    let mut sum = product;
    if !kept.is_empty() {
        sum = call.sum(&sum, &kept, true);
    }
    if missing > 0 {
        sum = call.sum(&sum, &(0..missing).collect::<Vec<_>>(), false);
    }
    Ok(Some(Gradient::dense(sum)))
}

/// A sum of products over named axes, of one or two operands: again such a sum, with the gradient in the
/// place of the operand.
pub(super) fn einsum(call: &mut Call<'_, '_>, position: usize) -> Answer {
    let equation = call.node.string("equation").unwrap_or_default().replace(' ', "");
    let unusual = || Missing::because(format!("its equation {equation}"));
    let (operands, result) = equation.split_once("->").ok_or_else(unusual)?;
    let operands: Vec<&str> = operands.split(',').collect();
    let (own, rest) = match operands[..] {
        [own] => (own, None),
        [first, second] if position == 0 => (first, Some((second, 1))),
        [first, second] => (second, Some((first, 0))),
        _ => return Err(unusual()),
    };
    let found = |axis: char| result.contains(axis) || rest.is_some_and(|(names, _)| names.contains(axis));
    let twice = |names: &str| names.char_indices().any(|(at, axis)| names[..at].contains(axis));
    if equation.contains('.') || twice(own) || !own.chars().all(found) {
        return Err(unusual());
    }
    let gradient = call.dense()?;
    let free = || ('a'..='z').chain('A'..='Z').find(|axis| !equation.contains(*axis)).ok_or_else(unusual);
    let lead = if call.lead().is_some() { free()?.to_string() } else { String::new() };
    let back = match rest {
        Some((names, other)) => {
            let equation = format!("{lead}{result},{names}->{lead}{own}");
            let other = call.input(other)?;
            call.op("Einsum", &[&gradient, other], vec![string("equation", &equation)])
        }
        None => {
            let equation = format!("{lead}{result}->{lead}{own}");
            call.op("Einsum", &[&gradient], vec![string("equation", &equation)])
        }
    };
    Ok(Some(Gradient::dense(back)))
}

/// Running sums along an axis: sums from the other end.
pub(super) fn running_sum(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let (node, input, axis) = (call.node, call.input(0)?, call.input(1)?);
    let known = call.graph.ints(axis).and_then(|axis| axis.first().copied());
    let axis =
        call.wrapped(known.ok_or_else(|| Missing::because("its axis is computed"))?, call.rank(input)?)?;
    let axis = crate::onnx::build::i64_tensor("camloc.axis", &[], &[call.shifted(axis)]);
    let axis = call.graph.add_initializer(axis);
    let gradient = call.dense()?;
    let reverse = i64::from(node.int_or("reverse", 0) == 0);
    let attributes = vec![int("reverse", reverse), int("exclusive", node.int_or("exclusive", 0))];
    Ok(Some(Gradient::dense(call.op("CumSum", &[&gradient, &axis], attributes))))
}

/// One triangle of each matrix; the other is zero.
pub(super) fn triangle(call: &mut Call<'_, '_>, position: usize) -> Answer {
    if position > 0 {
        return Ok(None);
    }
    let gradient = call.dense()?;
    let diagonal = call.node.input_at(1).unwrap_or_default();
    let attributes = vec![int("upper", call.node.int_or("upper", 1))];
    Ok(Some(Gradient::dense(call.op("Trilu", &[&gradient, diagonal], attributes))))
}

/// The rows of a constant matrix that belong to classes: `[N, F]`, or `[K, N, F]`. Cheaper than the product
/// with a matrix that is nearly all zero.
pub(super) fn rows(
    call: &mut Call<'_, '_>,
    classes: &str,
    matrix: &str,
    class_axis: usize,
) -> Result<String, Missing> {
    let picked = call.op("Gather", &[matrix, classes], vec![int("axis", class_axis as i64)]);
    if class_axis == 0 {
        return Ok(picked);
    }
    let perm: &[i64] = if call.lead().is_some() { &[1, 2, 0] } else { &[1, 0] };
    Ok(call.op("Transpose", &[&picked], vec![ints("perm", perm)]))
}

/// A stack of matrices, each transposed.
pub(super) fn transposed(call: &mut Call<'_, '_>, tensor: &str, rank: usize) -> String {
    let mut perm: Vec<i64> = (0..rank as i64).collect();
    perm.swap(rank - 2, rank - 1);
    call.op("Transpose", &[tensor], vec![ints("perm", &perm)])
}

fn scale(call: &mut Call<'_, '_>, tensor: String, factor: f32) -> String {
    if factor == 1.0 {
        return tensor;
    }
    let factor = call.constant(factor.into(), &tensor);
    call.op("Mul", &[&tensor, &factor], vec![])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::check::{Check, away_from};
    use super::*;
    use crate::onnx::build::{float, i64_tensor, node};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn gemm(m in 1..4_i64, n in 1..4_i64, k in 1..4_i64, ta: bool, tb: bool, bias in 0..3_usize) {
            let a = if ta { [k, m] } else { [m, k] };
            let b = if tb { [n, k] } else { [k, n] };
            let attributes =
                vec![int("transA", ta.into()), int("transB", tb.into()), float("alpha", 0.5), float("beta", -2.0)];
            let c = [vec![m, n], vec![n], vec![m, 1]][bias].clone();
            Check::of(node("Gemm", "n", &["a", "b", "c"], &["y"], attributes))
                .input("a", &a, away_from(&[]))
                .input("b", &b, away_from(&[]))
                .input("c", &c, away_from(&[]))
                .holds();
        }

        #[test]
        fn with_a_vector(stack in 0..4_usize, m in 1..4_i64, k in 1..4_i64, which in 0..3_usize) {
            const STACKS: [&[i64]; 4] = [&[], &[2], &[3, 1], &[3, 2]];
            let stack = STACKS[stack];
            let (a, b) = match which {
                0 => (vec![k], [stack, &[k, m]].concat()),
                1 => ([stack, &[m, k]].concat(), vec![k]),
                _ => (vec![k], vec![k]),
            };
            Check::of(node("MatMul", "n", &["a", "b"], &["y"], vec![]))
                .input("a", &a, away_from(&[]))
                .input("b", &b, away_from(&[]))
                .holds();
        }

        #[test]
        fn running_sum(axis in -3..3_i64, reverse: bool, exclusive: bool) {
            let attributes = vec![int("reverse", reverse.into()), int("exclusive", exclusive.into())];
            Check::of(node("CumSum", "n", &["x", "axis"], &["y"], attributes))
                .constants(&[i64_tensor("axis", &[], &[axis])])
                .input("x", &[2, 3, 4], away_from(&[]))
                .holds();
        }

        #[test]
        fn triangle(upper: bool, diagonal in -2..3_i64) {
            Check::of(node("Trilu", "n", &["x", "diagonal"], &["y"], vec![int("upper", upper.into())]))
                .constants(&[i64_tensor("diagonal", &[], &[diagonal])])
                .input("x", &[2, 3, 4], away_from(&[]))
                .holds();
        }

        #[test]
        fn matmul(stack_a in 0..4_usize, stack_b in 0..4_usize, m in 1..4_i64, n in 1..4_i64, k in 1..4_i64) {
            const STACKS: [&[i64]; 4] = [&[], &[2], &[3, 1], &[3, 2]];
            Check::of(node("MatMul", "n", &["a", "b"], &["y"], vec![]))
                .input("a", &[STACKS[stack_a], &[m, k]].concat(), away_from(&[]))
                .input("b", &[STACKS[stack_b], &[k, n]].concat(), away_from(&[]))
                .holds();
        }
    }

    #[test]
    fn einsum() {
        for (equation, a, b) in [
            ("ij,jk->ik", &[2, 3][..], &[3, 4][..]),
            ("bhqd,bhkd->bhqk", &[2, 2, 3, 4], &[2, 2, 5, 4]),
            ("bhqk, bhkd -> bqhd", &[2, 2, 3, 4], &[2, 2, 4, 5]),
            ("nchw,nc->nhw", &[2, 3, 4, 5], &[2, 3]),
            ("i,j->ij", &[2], &[3]),
            ("ai,bi->ab", &[2, 3], &[4, 3]),
        ] {
            Check::of(node("Einsum", "n", &["a", "b"], &["y"], vec![string("equation", equation)]))
                .input("a", a, away_from(&[]))
                .input("b", b, away_from(&[]))
                .holds();
        }
        Check::of(node("Einsum", "n", &["a"], &["y"], vec![string("equation", "ijk->kij")]))
            .input("a", &[2, 3, 4], away_from(&[]))
            .holds();
    }
}
