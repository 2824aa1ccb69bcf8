//! How a box moves: a Kalman filter with constant velocity for each of its centre's x and y, its width and height.

use adskalman::{
    KalmanFilterNoControl, ObservationModel, StateAndCovariance, TransitionModelLinearNoControl,
};
use nalgebra::{Matrix1, Matrix1x2, Matrix2, Matrix2x1, U1, U2, Vector1, Vector2};

// Lengths below are shares of the box's size, the root of its area: boxes of maps are uncertain by a share of
// themselves. Tried on three DAVIS sequences at three thresholds: the least jitter that costs no overlap.

/// What is uncertain in a second's average of boxes. It counts per second, not per frame: the frames of a fast
/// camera see the same thing and err alike.
const NOISE: f64 = 0.02;

/// How much a centre's speed changes in a second.
const CENTRE_CHANGE: f64 = 0.7;

/// How much the speed at which a side grows changes in a second: things come nearer more slowly than they pass by,
/// and what a threshold does to a map is mostly to the sides.
const SIZE_CHANGE: f64 = 0.05;

/// How far from its true place a first box may lie.
const FIRST_PLACE: f64 = 0.1;

/// How fast a new object may be, in a second.
const FIRST_SPEED: f64 = 0.3;

/// How far a box that stands still may be from where it is shown: what moves less is not seen to move.
const SLACK: f64 = 0.02;

/// The speed, in a second, that halves the slack: a moving box has none, or it would be late.
const SLOW: f64 = 0.2;

/// Centre x, centre y, width and height, in pixels.
pub(super) type Measures = [f64; 4];

/// Where a box is and how fast it moves.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    measures: [StateAndCovariance<f64, U2>; 4],
    shown: Measures,
}

impl Motion {
    /// A box seen for the first time.
    pub(super) fn new(seen: Measures) -> Motion {
        let (place, speed) = (size(seen) * FIRST_PLACE, size(seen) * FIRST_SPEED);
        let covariance = Matrix2::new(place * place, 0.0, 0.0, speed * speed);
        let measures = seen.map(|x| StateAndCovariance::new(Vector2::new(x, 0.0), covariance));
        Motion { measures, shown: seen }
    }

    /// Where to show the box: on a still scene it does not move at all.
    pub(super) fn shown(&self) -> Measures {
        self.shown
    }

    /// Where the box will be in `dt` seconds.
    pub(super) fn after(&self, dt: f64) -> Measures {
        std::array::from_fn(|i| {
            let state = self.measures[i].state();
            state[0] + dt * state[1]
        })
    }

    /// Moves on by `dt` > 0 seconds to where the box is seen next.
    pub(super) fn follow(&mut self, seen: Measures, dt: f64) {
        let size = size(self.after(0.0));
        let sight = Sight::new(size * NOISE, dt);
        let [centre, side] =
            [CENTRE_CHANGE, SIZE_CHANGE].map(|change| ConstantVelocity::new(size * change, dt));
        for (i, &x) in seen.iter().enumerate() {
            let model = if i < 2 { &centre } else { &side };
            let filter = KalmanFilterNoControl::new(model, &sight);
            match filter.step(&self.measures[i], &Vector1::new(x)) {
                Ok(next) if next.state().iter().all(|x| x.is_finite()) => self.measures[i] = next,
                // Figures beyond what floats can do: the filter knows nothing, and what is seen counts.
                _ => return *self = Motion::new(seen),
            }
        }
        let speed = self.measures.iter().map(|measure| measure.state()[1].powi(2)).sum::<f64>().sqrt();
        let slack = SLACK * size / (1.0 + (speed / (SLOW * size)).powi(2));
        let now = self.after(0.0);
        self.shown = std::array::from_fn(|i| self.shown[i].max(now[i] - slack).min(now[i] + slack));
    }
}

/// Root of the area, at least a pixel.
fn size([_, _, width, height]: Measures) -> f64 {
    (width.max(1.0) * height.max(1.0)).sqrt()
}

/// A place and its speed, which white noise changes.
struct ConstantVelocity {
    transition: Matrix2<f64>,
    transposed: Matrix2<f64>,
    noise: Matrix2<f64>,
}

impl ConstantVelocity {
    /// The model over `dt` seconds; the speed changes by `change` in a second.
    fn new(change: f64, dt: f64) -> ConstantVelocity {
        let transition = Matrix2::new(1.0, dt, 0.0, 1.0);
        let noise = Matrix2::new(dt.powi(3) / 3.0, dt.powi(2) / 2.0, dt.powi(2) / 2.0, dt) * change.powi(2);
        ConstantVelocity { transition, transposed: transition.transpose(), noise }
    }
}

#[allow(non_snake_case)]
impl TransitionModelLinearNoControl<f64, U2> for ConstantVelocity {
    fn F(&self) -> &Matrix2<f64> {
        &self.transition
    }
    fn FT(&self) -> &Matrix2<f64> {
        &self.transposed
    }
    fn Q(&self) -> &Matrix2<f64> {
        &self.noise
    }
}

/// Sees the place, not the speed.
struct Sight {
    seen: Matrix1x2<f64>,
    transposed: Matrix2x1<f64>,
    noise: Matrix1<f64>,
}

impl Sight {
    /// A frame that stands for `dt` seconds, of which the average is uncertain by `noise` over a second.
    fn new(noise: f64, dt: f64) -> Sight {
        let seen = Matrix1x2::new(1.0, 0.0);
        Sight { seen, transposed: seen.transpose(), noise: Matrix1::new(noise.powi(2) / dt) }
    }
}

#[allow(non_snake_case)]
impl ObservationModel<f64, U2, U1> for Sight {
    fn H(&self) -> &Matrix1x2<f64> {
        &self.seen
    }
    fn HT(&self) -> &Matrix2x1<f64> {
        &self.transposed
    }
    fn R(&self) -> &Matrix1<f64> {
        &self.noise
    }
}
