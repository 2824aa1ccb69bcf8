//! Which channels of a layer are asked about, and in which order.

use camloc_graph::explain::FeatureMap;

/// The channels that vary over the picture, those that vary most first: they say most of where things are. A channel
/// that is the same everywhere has no place to show.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ranked {
    /// The varying ones.
    pub(super) varying: Vec<usize>,
    /// The others.
    pub(super) flat: Vec<usize>,
}

impl Ranked {
    /// Ranks the channels of one picture's activations; with `most`, no more than so many are kept.
    pub(super) fn of(map: FeatureMap, activations: &[f32], most: Option<usize>) -> Ranked {
        let mut spreads: Vec<(usize, f64)> =
            (0..map.channels).map(|channel| (channel, spread(map, activations, channel))).collect();
        spreads.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (varying, flat): (Vec<_>, Vec<_>) = spreads.into_iter().partition(|&(_, spread)| spread > 0.0);
        let most = most.unwrap_or(usize::MAX).max(1);
        let kept = |channels: Vec<(usize, f64)>, most: usize| {
            channels.into_iter().take(most).map(|(channel, _)| channel).collect::<Vec<_>>()
        };
        let varying = kept(varying, most);
        let rest = most - varying.len();
        Ranked { varying, flat: kept(flat, rest) }
    }
}

/// The variance of a channel over its places; 0 where it has values that are no number.
fn spread(map: FeatureMap, activations: &[f32], channel: usize) -> f64 {
    let values = || map.channel(activations, channel).map(f64::from);
    let mean = values().sum::<f64>() / map.places() as f64;
    let spread = values().map(|value| (value - mean).powi(2)).sum::<f64>();
    let first = values().next();
    // The same value everywhere has no spread, whatever rounding makes of its mean.
    if !spread.is_finite() || values().all(|value| Some(value) == first) { 0.0 } else { spread }
}
