//! One channel after the other in the activations of a layer.

use super::head::Layout;
use super::layers::Layer;

/// How the activations of a layer lie in one picture's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureMap {
    layout: Layout,
    /// Channels, C.
    pub channels: usize,
    /// Rows and columns, h and w.
    pub size: (usize, usize),
}

impl FeatureMap {
    /// `None` where the layer's size is open.
    pub fn of(layer: &Layer) -> Option<FeatureMap> {
        let (channels, size) = (layer.channels?, layer.size?);
        let places = size.0.checked_mul(size.1)?;
        let known = channels > 0 && places > 0 && channels.checked_mul(places).is_some();
        known.then_some(FeatureMap { layout: layer.layout, channels, size })
    }

    /// How many values one picture's activations have, tokens that are no place included.
    #[expect(clippy::len_without_is_empty, reason = "none is empty")]
    pub fn len(&self) -> usize {
        (self.prefix() + self.places()) * self.channels
    }

    /// How many places, h times w.
    pub fn places(&self) -> usize {
        self.size.0 * self.size.1
    }

    /// The map of a channel, `[h, w]`, row by row.
    pub fn channel<'a>(&self, values: &'a [f32], channel: usize) -> impl Iterator<Item = f32> + 'a {
        let (from, step) = match self.layout {
            Layout::Nchw => (channel * self.places(), 1),
            Layout::Nhwc | Layout::Tokens { .. } => (self.prefix() * self.channels + channel, self.channels),
        };
        values.iter().skip(from).step_by(step).take(self.places()).copied()
    }

    /// Sets a channel to zero, also in tokens that are no place.
    pub fn ablate(&self, values: &mut [f32], channel: usize) {
        match self.layout {
            Layout::Nchw => {
                let places = self.places();
                values.iter_mut().skip(channel * places).take(places).for_each(|value| *value = 0.0);
            }
            Layout::Nhwc | Layout::Tokens { .. } => {
                values.iter_mut().skip(channel).step_by(self.channels).for_each(|value| *value = 0.0);
            }
        }
    }

    fn prefix(&self) -> usize {
        match self.layout {
            Layout::Tokens { prefix, .. } => prefix,
            Layout::Nchw | Layout::Nhwc => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(layout: Layout) -> FeatureMap {
        FeatureMap { layout, channels: 2, size: (1, 3) }
    }

    #[test]
    fn a_channel_is_the_same_in_every_layout() {
        let tokens = Layout::Tokens { prefix: 1, grid: (1, 3) };
        for (layout, values) in [
            (Layout::Nchw, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            (Layout::Nhwc, vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
            (tokens, vec![9.0, 9.0, 1.0, 4.0, 2.0, 5.0, 3.0, 6.0]),
        ] {
            let (map, mut values) = (map(layout), values);
            assert_eq!(map.len(), values.len());
            assert_eq!(map.channel(&values, 1).collect::<Vec<_>>(), [4.0, 5.0, 6.0], "{layout:?}");
            map.ablate(&mut values, 0);
            assert_eq!(map.channel(&values, 0).collect::<Vec<_>>(), [0.0; 3]);
            assert_eq!(map.channel(&values, 1).collect::<Vec<_>>(), [4.0, 5.0, 6.0]);
            assert_eq!(values.iter().filter(|&&value| value == 9.0).count(), map.prefix());
        }
    }
}
