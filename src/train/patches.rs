//! The neighbourhoods of every place, so that a convolution of 3x3 is one matrix product.
//!
//! candle's own convolution on a CPU goes back through a naive loop; a product of matrices is fast in both directions.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};

/// Rows and columns of a neighbourhood.
const SIDE: usize = 3;
/// Places in a neighbourhood.
pub(super) const TAPS: usize = SIDE * SIDE;

/// Of features `[N, h, w, C]` the neighbourhoods `[N * h * w, 9 * C]`, row by row, zeros outside.
pub(super) fn patches(features: &Tensor) -> Result<Tensor> {
    features.contiguous()?.apply_op1(Patches)
}

struct Patches;

/// The adjoint: every place takes back what it gave to the neighbourhoods that it is part of.
struct Gathered {
    shape: [usize; 4],
}

/// Calls `visit` with each value's offset among the features and that of its copy among the neighbourhoods, both of
/// them starts of C values.
fn each_tap([count, rows, columns, channels]: [usize; 4], mut visit: impl FnMut(usize, usize)) {
    for picture in 0..count {
        for row in 0..rows {
            for column in 0..columns {
                let place = (picture * rows + row) * columns + column;
                for tap in 0..TAPS {
                    // The neighbourhood begins one place up and to the left.
                    let (r, c) = (row + tap / SIDE, column + tap % SIDE);
                    if (1..=rows).contains(&r) && (1..=columns).contains(&c) {
                        let from = (picture * rows + r - 1) * columns + c - 1;
                        visit(from * channels, (place * TAPS + tap) * channels);
                    }
                }
            }
        }
    }
}

fn floats<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let values = f32::cpu_storage_as_slice(storage)?;
    let (start, end) =
        layout.contiguous_offsets().ok_or_else(|| candle_core::Error::msg("not contiguous"))?;
    Ok(&values[start..end])
}

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, h, w, c) = layout.shape().dims4()?;
        let from = floats(storage, layout)?;
        let mut to = vec![0.0_f32; n * h * w * TAPS * c];
        each_tap([n, h, w, c], |a, b| to[b..b + c].copy_from_slice(&from[a..a + c]));
        Ok((CpuStorage::F32(to), Shape::from((n * h * w, TAPS * c))))
    }

    fn bwd(&self, features: &Tensor, _patches: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (n, h, w, c) = features.dims4()?;
        gradient.contiguous()?.apply_op1_no_bwd(&Gathered { shape: [n, h, w, c] }).map(Some)
    }
}

impl CustomOp1 for Gathered {
    fn name(&self) -> &'static str {
        "gathered"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let [n, h, w, c] = self.shape;
        let from = floats(storage, layout)?;
        let mut to = vec![0.0_f32; n * h * w * c];
        each_tap(self.shape, |a, b| {
            to[a..a + c].iter_mut().zip(&from[b..b + c]).for_each(|(sum, value)| *sum += value);
        });
        Ok((CpuStorage::F32(to), Shape::from((n, h, w, c))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn a_neighbourhood_reads_row_by_row_with_zeros_outside() {
        let picture: Vec<f32> = (1..=6).map(|value| value as f32).collect();
        let picture = Tensor::from_vec(picture, (1, 2, 3, 1), &Device::Cpu).unwrap();
        let found = patches(&picture).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found[0], [0., 0., 0., 0., 1., 2., 0., 4., 5.]);
        assert_eq!(found[4], [1., 2., 3., 4., 5., 6., 0., 0., 0.]);
    }

    /// The adjoint belongs to the forward pass: <P x, y> = <x, P' y> for any x and y.
    #[test]
    fn the_gradient_is_the_adjoint() {
        let shape = (2, 3, 4, 5);
        let random = |shape: &[usize]| Tensor::randn(0_f32, 1.0, shape, &Device::Cpu).unwrap();
        let x = Var::from_tensor(&random(&[2, 3, 4, 5])).unwrap();
        let y = random(&[24, 45]);
        let product = (patches(&x).unwrap() * &y).unwrap().sum_all().unwrap();
        let gradient = product.backward().unwrap().get(&x).unwrap().clone();
        assert_eq!(gradient.dims4().unwrap(), shape);
        let again = (gradient * x.as_tensor()).unwrap().sum_all().unwrap();
        let (product, again) = (product.to_scalar::<f32>().unwrap(), again.to_scalar::<f32>().unwrap());
        assert!((product - again).abs() < 1e-3 * product.abs().max(1.0), "{product} {again}");
    }
}
