//! The heads that can be trained, on features of a frozen backbone.
//!
//! Features lie as `[N, h, w, C]` here, so that each place's channels are next to each other; in the exported model
//! they are `[N, C, h, w]`.

use std::fmt;
use std::str::FromStr;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use candle_nn::{loss, ops};

use super::patches::{TAPS, patches};

/// Which head is put on the backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HeadKind {
    /// Two branches, of which the second has to find what the first leaves (ACoL: Zhang et al. 2018).
    Acol,
    /// One branch of convolutions that ends in a map for each class (Lin et al. 2014).
    Cam,
    /// Global average pooling and one linear layer (Zhou et al. 2016).
    Linear,
}

impl HeadKind {
    /// Every head, by the names that it is asked for with.
    pub(crate) const ALL: [(HeadKind, &'static str); 3] =
        [(HeadKind::Acol, "acol"), (HeadKind::Cam, "cam"), (HeadKind::Linear, "linear")];

    /// Its name in the program, as in `--head acol`.
    pub(crate) fn name(self) -> &'static str {
        HeadKind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for HeadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no head {0:?}: take acol, cam or linear")]
pub(crate) struct UnknownHead(String);

impl FromStr for HeadKind {
    type Err = UnknownHead;

    fn from_str(text: &str) -> std::result::Result<HeadKind, UnknownHead> {
        let found = HeadKind::ALL.iter().find(|(_, name)| *name == text.to_lowercase());
        found.map(|(kind, _)| *kind).ok_or_else(|| UnknownHead(text.into()))
    }
}

/// A convolution with zeros outside that keeps rows and columns.
#[derive(Clone, Debug)]
pub(super) struct Conv {
    /// `[taps * C, K]`: the inputs of each output, by place in the neighbourhood, row by row, then by channel.
    pub(super) weight: Var,
    /// `[K]`.
    pub(super) bias: Var,
    /// Rows and columns of the kernel: 1 or 3.
    pub(super) side: usize,
}

impl Conv {
    /// Weights as He et al. (2015) draw them, for the rectifier behind.
    fn new(side: usize, channels: usize, outputs: usize, random: &mut fastrand::Rng) -> Result<Conv> {
        let inputs = side * side * channels;
        let spread = (2.0 / inputs as f64).sqrt();
        let values = (0..inputs * outputs).map(|_| (spread * normal(random)) as f32).collect();
        let weight = Tensor::from_vec(values, (inputs, outputs), &Device::Cpu)?;
        let bias = Tensor::zeros(outputs, DType::F32, &Device::Cpu)?;
        Ok(Conv { weight: Var::from_tensor(&weight)?, bias: Var::from_tensor(&bias)?, side })
    }

    /// `[N, h, w, C]` to `[N, h, w, K]`.
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        self.apply(features, &self.weight, &self.bias)
    }

    /// As [`Conv::forward`] with [`Conv::centred`] weights.
    fn forward_centred(&self, features: &Tensor) -> Result<Tensor> {
        let [weight, bias] = self.centred()?;
        self.apply(features, &weight, &bias)
    }

    fn apply(&self, features: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (n, h, w, c) = features.dims4()?;
        let inputs = match self.side {
            1 => features.reshape((n * h * w, c))?,
            _ => patches(features)?,
        };
        inputs.matmul(weight)?.broadcast_add(bias)?.reshape((n, h, w, bias.dim(0)?))
    }

    /// Weight and bias less their means over the outputs.
    ///
    /// A softmax sees only how classes differ. What the maps of all classes have in common is left to chance by the
    /// loss, and would lie on every map as a veil: without it, 0 means that a place speaks for no class.
    pub(super) fn centred(&self) -> Result<[Tensor; 2]> {
        let weight = self.weight.broadcast_sub(&self.weight.mean_keepdim(1)?)?;
        let bias = self.bias.broadcast_sub(&self.bias.mean_keepdim(0)?)?;
        Ok([weight, bias])
    }

    pub(super) fn channels(&self) -> usize {
        self.weight.dims()[0] / if self.side == 1 { 1 } else { TAPS }
    }
}

/// A normally distributed number (Box and Muller 1958).
fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

/// A branch: two convolutions of 3x3, then one of 1x1 that has a map for each class.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) convs: [Conv; 2],
    pub(super) classes: Conv,
}

impl Branch {
    fn new(channels: usize, width: usize, classes: usize, random: &mut fastrand::Rng) -> Result<Branch> {
        let convs = [Conv::new(3, channels, width, random)?, Conv::new(3, width, width, random)?];
        Ok(Branch { convs, classes: Conv::new(1, width, classes, random)? })
    }

    /// Class maps `[N, h, w, classes]` of features.
    pub(super) fn maps(&self, features: &Tensor) -> Result<Tensor> {
        let [first, second] = &self.convs;
        let hidden = second.forward(&first.forward(features)?.relu()?)?.relu()?;
        self.classes.forward_centred(&hidden)
    }

    fn convs(&self) -> impl Iterator<Item = &Conv> {
        self.convs.iter().chain([&self.classes])
    }
}

/// A head with its weights.
#[derive(Clone, Debug)]
pub(super) enum Head {
    Acol { a: Branch, b: Branch, delta: f32 },
    Cam(Branch),
    Linear(Conv),
}

/// What a head says of some pictures: maps `[N, h, w, classes]` of each branch.
pub(super) type Maps = Vec<Tensor>;

impl Head {
    /// A head for features of `channels`, with `width` channels of its own.
    pub(super) fn new(
        kind: HeadKind,
        [channels, width, classes]: [usize; 3],
        delta: f32,
        random: &mut fastrand::Rng,
    ) -> Result<Head> {
        Ok(match kind {
            HeadKind::Acol => Head::Acol {
                a: Branch::new(channels, width, classes, random)?,
                b: Branch::new(channels, width, classes, random)?,
                delta,
            },
            HeadKind::Cam => Head::Cam(Branch::new(channels, width, classes, random)?),
            HeadKind::Linear => Head::Linear(Conv::new(1, channels, classes, random)?),
        })
    }

    /// The maps of each branch for features `[N, h, w, C]`. What the first branch of ACoL finds of `classes`, u32 `[N]`,
    /// or without them of the class that it takes for the most probable, is erased for the second.
    pub(super) fn maps(&self, features: &Tensor, classes: Option<&Tensor>) -> Result<Maps> {
        match self {
            Head::Acol { a, b, delta } => {
                let first = a.maps(features)?;
                let classes = match classes {
                    Some(classes) => classes.clone(),
                    None => logits(&first)?.argmax(D::Minus1)?,
                };
                let left = erased(features, &first, &classes, *delta)?;
                Ok(vec![first, b.maps(&left)?])
            }
            Head::Cam(branch) => Ok(vec![branch.maps(features)?]),
            Head::Linear(linear) => Ok(vec![linear.forward_centred(features)?]),
        }
    }

    /// The sum of the branches' cross-entropies for the true classes, u32 `[N]`.
    pub(super) fn loss(&self, features: &Tensor, classes: &Tensor) -> Result<Tensor> {
        let maps = self.maps(features, Some(classes))?;
        let losses = maps.iter().map(|maps| loss::cross_entropy(&logits(maps)?, classes));
        let losses = losses.collect::<Result<Vec<_>>>()?;
        Tensor::stack(&losses, 0)?.sum_all()
    }

    /// The probabilities `[N, classes]` that the exported model gives: the first branch's.
    pub(super) fn probabilities(&self, features: &Tensor) -> Result<Tensor> {
        let first = match self {
            Head::Acol { a, .. } => a.maps(features)?,
            Head::Cam(branch) => branch.maps(features)?,
            Head::Linear(linear) => linear.forward_centred(features)?,
        };
        ops::softmax(&logits(&first)?, D::Minus1)
    }

    /// Every weight, always in the same order, under a name.
    pub(super) fn variables(&self) -> Vec<(String, Var)> {
        let conv = |name: String, conv: &Conv| {
            [(format!("{name}.weight"), conv.weight.clone()), (format!("{name}.bias"), conv.bias.clone())]
        };
        let branch = |name: &'static str, branch: &Branch| -> Vec<(String, Var)> {
            branch.convs().enumerate().flat_map(|(place, one)| conv(format!("{name}.{place}"), one)).collect()
        };
        match self {
            Head::Acol { a, b, .. } => [branch("a", a), branch("b", b)].concat(),
            Head::Cam(only) => branch("a", only),
            Head::Linear(linear) => conv("linear".into(), linear).into(),
        }
    }
}

/// The class scores `[N, classes]`: the mean of each map.
pub(super) fn logits(maps: &Tensor) -> Result<Tensor> {
    maps.mean((1, 2))
}

/// Shares of a map's range, so small that a flat map has none: nothing of it is erased, and nothing is divided by zero.
pub(super) const FLAT: f64 = 1e-12;

/// The features `[N, h, w, C]` with zeros where the map of `classes`, u32 `[N]`, reaches `delta` of its range. No gradient
/// flows through what is erased, nor to the maps `[N, h, w, classes]`.
fn erased(features: &Tensor, maps: &Tensor, classes: &Tensor, delta: f32) -> Result<Tensor> {
    let (n, h, w, count) = maps.dims4()?;
    let maps = maps.detach().reshape((n, h * w, count))?;
    let places = classes.reshape((n, 1, 1))?.broadcast_as((n, h * w, 1))?.contiguous()?;
    let map = maps.gather(&places, 2)?;
    let least = map.min_keepdim(1)?;
    let range = (map.max_keepdim(1)? - &least)?;
    let share = map.broadcast_sub(&least)?.broadcast_div(&(range + FLAT)?)?;
    let kept = share.lt(delta)?.to_dtype(DType::F32)?.reshape((n, h, w, 1))?;
    features.broadcast_mul(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss, maps and gradients that PyTorch finds (tests/golden/acol.py).
    #[derive(serde::Deserialize)]
    struct Golden {
        erased: usize,
        loss: f32,
        first: Vec<f32>,
        second: Vec<f32>,
        gradients: Vec<Vec<f32>>,
    }

    fn waves(count: usize, scale: f64, phase: f64) -> Vec<f32> {
        (0..count).map(|at| (scale * (at as f64 * 1.7 + phase).sin()) as f32).collect()
    }

    /// The head and the features of the golden run.
    fn acol() -> (Head, Tensor, Tensor) {
        let (channels, width, classes) = (2, 3, 2);
        let mut random = fastrand::Rng::with_seed(0);
        let head = Head::new(HeadKind::Acol, [channels, width, classes], 0.6, &mut random).unwrap();
        let Head::Acol { a, b, .. } = &head else { unreachable!("asked for") };
        for (branch, phase) in [(a, 0.0), (b, 5.0)] {
            for (place, conv) in branch.convs().enumerate() {
                let phase = phase + place as f64;
                for (variable, scale, phase) in [(&conv.weight, 0.4, phase), (&conv.bias, 0.1, phase + 0.5)] {
                    let values = waves(variable.elem_count(), scale, phase);
                    variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu).unwrap()).unwrap();
                }
            }
        }
        let features = Tensor::from_vec(waves(48, 1.0, 0.3), (2, 3, 4, 2), &Device::Cpu).unwrap();
        (head, features, Tensor::new(&[1_u32, 0], &Device::Cpu).unwrap())
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < tolerance, "{found} for {expected}");
        }
    }

    #[test]
    fn loss_maps_and_gradients_are_those_of_pytorch() {
        let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/acol.json")).unwrap();
        let (head, features, classes) = acol();
        let maps = head.maps(&features, Some(&classes)).unwrap();
        assert_close(&flat(&maps[0]), &golden.first, 1e-6);
        assert_close(&flat(&maps[1]), &golden.second, 1e-6);
        let left = flat(&erased(&features, &maps[0], &classes, 0.6).unwrap());
        assert_eq!(left.iter().filter(|value| **value == 0.0).count(), 2 * golden.erased);

        let loss = head.loss(&features, &classes).unwrap();
        assert!((loss.to_scalar::<f32>().unwrap() - golden.loss).abs() < 1e-6);
        let gradients = loss.backward().unwrap();
        for ((name, variable), expected) in head.variables().iter().zip(&golden.gradients) {
            let found = gradients.get(variable).unwrap_or_else(|| panic!("{name} has a gradient"));
            assert_close(&flat(found), expected, 1e-6);
        }
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let (head, features, classes) = acol();
        let gradients = head.loss(&features, &classes).unwrap().backward().unwrap();
        let loss = || f64::from(head.loss(&features, &classes).unwrap().to_scalar::<f32>().unwrap());
        let step = 2e-3;
        for (name, variable) in head.variables() {
            let (values, gradient) = (flat(&variable), flat(gradients.get(&variable).unwrap()));
            for at in (0..values.len()).step_by(5) {
                let moved = |by: f32| {
                    let mut values = values.clone();
                    values[at] += by;
                    variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu).unwrap()).unwrap();
                    loss()
                };
                let slope = (moved(step) - moved(-step)) / (2.0 * f64::from(step));
                moved(0.0);
                let found = f64::from(gradient[at]);
                assert!(
                    (slope - found).abs() < 1e-3 + 0.02 * found.abs(),
                    "{name}[{at}]: {found}, slope {slope}"
                );
            }
        }
    }

    #[test]
    fn a_flat_map_erases_nothing_and_makes_no_nan() {
        let features = Tensor::ones((1, 2, 2, 3), DType::F32, &Device::Cpu).unwrap();
        let maps = Tensor::full(-7_f32, (1, 2, 2, 2), &Device::Cpu).unwrap();
        let classes = Tensor::new(&[1_u32], &Device::Cpu).unwrap();
        assert_eq!(flat(&erased(&features, &maps, &classes, 0.6).unwrap()), [1.0; 12]);
    }

    #[test]
    fn each_head_learns_where_something_lies_from_labels_alone() {
        // Class 1 has one place with a feature that class 0 lacks.
        let mut random = fastrand::Rng::with_seed(7);
        let mut values: Vec<f32> = (0..16 * 16 * 2).map(|_| random.f32() * 0.2).collect();
        let places: Vec<usize> = (0..8).map(|_| random.usize(..16)).collect();
        for (picture, place) in places.iter().enumerate() {
            values[((8 + picture) * 16 + place) * 2] = 3.0;
        }
        let features = Tensor::from_vec(values, (16, 4, 4, 2), &Device::Cpu).unwrap();
        let classes: Vec<u32> = (0..16).map(|picture| picture / 8).collect();
        let classes = Tensor::from_vec(classes, 16, &Device::Cpu).unwrap();
        for (kind, _) in HeadKind::ALL {
            let head = Head::new(kind, [2, 8, 2], 0.6, &mut random).unwrap();
            let variables = head.variables().into_iter().map(|(_, variable)| variable).collect();
            let mut adam = candle_nn::AdamW::new_lr(variables, 0.02).unwrap();
            for _ in 0..150 {
                candle_nn::Optimizer::backward_step(&mut adam, &head.loss(&features, &classes).unwrap())
                    .unwrap();
            }
            let told = head.probabilities(&features).unwrap().argmax(1).unwrap().to_vec1::<u32>().unwrap();
            assert_eq!(told, classes.to_vec1::<u32>().unwrap(), "{kind}");
            let maps = head.maps(&features, None).unwrap().swap_remove(0);
            let maps: Vec<Vec<f32>> =
                maps.narrow(3, 1, 1).unwrap().flatten_from(1).unwrap().to_vec2().unwrap();
            for (picture, &place) in places.iter().enumerate() {
                let map = &maps[8 + picture];
                let peak = (0..16).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap();
                let (rows, columns) = ((peak / 4).abs_diff(place / 4), (peak % 4).abs_diff(place % 4));
                assert!(rows <= 1 && columns <= 1, "{kind}: {peak} for {place}");
            }
        }
    }
}
