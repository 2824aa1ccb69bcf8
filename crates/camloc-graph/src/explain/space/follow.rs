//! What each operator does to the place of rows and columns.

use super::{MOST_PARTS, Space, Spaces};
use crate::onnx::operators::properties::Properties;
use crate::onnx::operators::{Operator, second_operand};
use crate::onnx::proto::NodeProto;

impl<'g> Spaces<'g, '_> {
    /// Where space lies in an output of a node, after that is known of its inputs.
    pub(super) fn follow(&self, node: &'g NodeProto, output: usize) -> Option<Space> {
        let input = || self.get(node.input_at(0)?).copied();
        let input_shape = || self.graph.shape(node.input_at(0)?);
        let output_shape = || self.graph.shape(node.output_at(output)?);
        let operator = self.graph.operator(node);
        let properties = operator.properties();
        match operator.name() {
            "Split" => self.split(operator, output),
            "BatchNormalization" | "Dropout" | "LayerNormalization" | "MaxPool" if output > 0 => None,
            "ConvTranspose" | "DepthToSpace" | "SpaceToDepth" => self.in_order(output_shape()?),
            _ if properties.has(Properties::CONVOLVES | Properties::POOLS) => self.in_order(output_shape()?),
            "Resize" | "Upsample" | "Pad" => {
                let space =
                    input().filter(|space| input_shape().is_some_and(|shape| space.is_planar(shape)))?;
                Space::planar(space.rows.axis, space.columns.axis, output_shape()?)
            }
            "Expand" => self.broadcast(node, output_shape()),
            _ if properties.has(Properties::KEEPS_PLACES) => self.broadcast(node, output_shape()),
            "MatMul" | "QLinearMatMul" | "MatMulInteger" => self.product(operator),
            "Gemm" => {
                let kept = node.int_or("transA", 0) == 0;
                input().filter(|space| kept && space.rank == 2 && !space.is_on(1))
            }
            // Fused attention: the output has the places of the queries.
            "Attention" if output == 0 => input().filter(|space| !space.is_on(space.rank - 1)),
            "Transpose" => {
                let space = input()?;
                let perm = operator.permutation(space.rank)?;
                space.moved(space.rank, |axis| perm.iter().position(|&from| from == axis))
            }
            "Reshape" | "Flatten" => input()?.reshaped(input_shape()?, output_shape()?),
            "Squeeze" => without(input()?, &operator.squeezed()?),
            "Unsqueeze" => {
                let (space, new) = (input()?, operator.unsqueezed()?);
                let rank = space.rank + new.len();
                let old: Vec<usize> = (0..rank).filter(|axis| !new.contains(axis)).collect();
                space.moved(rank, |axis| old.get(axis).copied())
            }
            "Gather" => self.gather(operator),
            "Slice" => self.slice(operator),
            "Concat" => self.concat(operator),
            _ if properties.has(Properties::REDUCES) => {
                let space = input()?;
                let gone = operator.reduced(space.rank)?;
                if operator.keeps_axes() {
                    return (!gone.iter().any(|&axis| space.is_on(axis))).then_some(space);
                }
                without(space, &gone)
            }
            _ => None,
        }
    }

    /// Space in a tensor `[N, C, h, w]`, as windows make it.
    fn in_order(&self, output: &[Option<i64>]) -> Option<Space> {
        if output.len() == 4 { Space::planar(2, 3, output) } else { None }
    }

    /// Operands of which the axes are aligned at the end.
    fn broadcast(&self, node: &NodeProto, output: Option<&[Option<i64>]>) -> Option<Space> {
        let ranks = node.input.iter().filter_map(|input| self.rank(input));
        let rank = output.map(<[_]>::len).or(ranks.max())?;
        let spaces = node.input.iter().filter_map(|input| {
            let space = *self.get(input)?;
            let shift = rank.checked_sub(space.rank)?;
            space.moved(rank, |axis| Some(axis + shift))
        });
        agreed(spaces.collect(), output)
    }

    fn rank(&self, tensor: &str) -> Option<usize> {
        self.get(tensor).map(|space| space.rank).or_else(|| Some(self.graph.shape(tensor)?.len()))
    }

    /// Of a matrix product the rows are those of the left side and the columns those of the right side.
    /// In attention the rows are the places that look, so they come first.
    fn product(&self, operator: Operator<'_>) -> Option<Space> {
        let node = operator.node;
        let (left, right) = (node.input_at(0)?, node.input_at(second_operand(operator.name()))?);
        let (left_rank, right_rank) = (self.rank(left)?, self.rank(right)?);
        let rank = left_rank.max(right_rank);
        let operand = |name: &str, own: usize, contracted: usize| {
            let space = self.get(name).filter(|space| own >= 2 && !space.is_on(contracted))?;
            space.moved(rank, |axis| Some(axis + rank - own))
        };
        operand(left, left_rank, left_rank.checked_sub(1)?)
            .or_else(|| operand(right, right_rank, right_rank.checked_sub(2)?))
    }

    fn gather(&self, operator: Operator<'_>) -> Option<Space> {
        let node = operator.node;
        let data = node.input_at(0)?;
        let (space, shape) = (*self.get(data)?, self.graph.shape(data)?);
        let axis = operator.axis(space.rank)?;
        let indices = node.input_at(1)?;
        if space.is_on(axis) {
            let size = usize::try_from((*shape.get(axis)?)?).ok()?;
            let taken = self.graph.ints(indices)?;
            let first = usize::try_from(*taken.first()?).ok()?;
            let run = taken.iter().copied().eq((first..size).map(|index| index as i64));
            return if run { cut_prefix(space, shape, first) } else { None };
        }
        let new = self.graph.shape(indices)?.len();
        space.moved(space.rank + new - 1, |old| Some(if old < axis { old } else { old + new - 1 }))
    }

    fn slice(&self, operator: Operator<'_>) -> Option<Space> {
        let data = operator.node.input_at(0)?;
        let (mut space, shape) = (*self.get(data)?, self.graph.shape(data)?);
        let planar = space.is_planar(shape);
        for cut in operator.parts_taken(shape)? {
            if !space.is_on(cut.axis) || cut.is_whole() {
                continue;
            }
            if !planar {
                let tail = cut.end.is_none() && cut.step == 1;
                return if tail { cut_prefix(space, shape, cut.start) } else { None };
            }
            let end = cut.end.or(shape[cut.axis].and_then(|size| usize::try_from(size).ok()));
            let taken = end.map(|end| end.saturating_sub(cut.start).div_ceil(cut.step) as i64);
            let direction = if space.rows.axis == cut.axis { &mut space.rows } else { &mut space.columns };
            direction.extent = taken;
        }
        space.known()
    }

    fn split(&self, operator: Operator<'_>, output: usize) -> Option<Space> {
        let data = operator.node.input_at(0)?;
        let (space, shape) = (*self.get(data)?, self.graph.shape(data)?);
        let axis = operator.axis(space.rank)?;
        if !space.is_on(axis) {
            return Some(space);
        }
        let (_, ranges) = Some(operator).filter(|it| it.node.output.len() <= MOST_PARTS)?.ranges()?;
        let &(start, end) = ranges.get(output)?;
        let to_end = shape.get(axis) == Some(&i64::try_from(end).ok());
        if to_end { cut_prefix(space, shape, start) } else { None }
    }

    fn concat(&self, operator: Operator<'_>) -> Option<Space> {
        let node = operator.node;
        let parts: Vec<(&str, Option<&Space>)> =
            node.input.iter().map(|input| (input.as_str(), self.get(input))).collect();
        let known: Vec<Space> = parts.iter().filter_map(|(_, space)| space.copied()).collect();
        let rank = known.first()?.rank;
        let axis = operator.axis(rank)?;
        if !known.iter().any(|space| space.is_on(axis)) {
            return agreed(known, self.graph.shape(node.output_at(0)?));
        }
        // Of tokens: others may come first, nothing after.
        let ([space], Some((_, Some(_)))) = (&known[..], parts.last()) else { return None };
        let (last, _) = parts.last()?;
        if !space.is_folded(self.graph.shape(last)?) {
            return None;
        }
        let size = |(name, _): &(&str, _)| usize::try_from((*self.graph.shape(name)?.get(axis)?)?).ok();
        let before = parts[..parts.len() - 1].iter().map(size).sum::<Option<usize>>();
        // One open size follows from the whole.
        let whole = || {
            let whole = (*self.graph.shape(node.output_at(0)?)?.get(axis)?)?;
            usize::try_from(whole.checked_sub(space.tokens()?)?).ok()
        };
        Some(Space { prefix: space.prefix.checked_add(before.or_else(whole)?)?, ..*space })
    }
}

/// The space that all operands have. One that has an axis for its places alone knows better than one
/// that was followed through blocks.
fn agreed(spaces: Vec<Space>, shape: Option<&[Option<i64>]>) -> Option<Space> {
    let plain = |space: &&Space| shape.is_some_and(|shape| space.is_planar(shape) || space.is_folded(shape));
    let best: Vec<Space> = spaces.iter().filter(plain).copied().collect();
    let rivals = if best.is_empty() { spaces } else { best };
    rivals.into_iter().map(Some).reduce(|a, b| a?.merged(b?)).flatten()
}

/// Tokens from the one at `start` on, if that takes none of the places away.
fn cut_prefix(space: Space, shape: &[Option<i64>], start: usize) -> Option<Space> {
    if !space.is_folded(shape) {
        return None;
    }
    Some(Space { prefix: space.prefix.checked_sub(start)?, ..space })
}

/// The space after axes are gone that hold none of it.
fn without(space: Space, gone: &[usize]) -> Option<Space> {
    let left: Vec<usize> = (0..space.rank).filter(|axis| !gone.contains(axis)).collect();
    space.moved(left.len(), |axis| left.iter().position(|&old| old == axis))
}
