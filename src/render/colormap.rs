//! Colours for heat: [`Colormap`].

use std::fmt;
use std::str::FromStr;

use super::RenderError;

/// How heat becomes colour, from cold to hot.
///
/// [`Turbo`](Colormap::Turbo) is the default: it reads like the jet map people know from papers on class
/// activation maps, without jet's false edges at cyan and yellow. [`Cividis`](Colormap::Cividis) and
/// [`Viridis`](Colormap::Viridis) stay readable for colour-blind eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colormap {
    /// Google's Turbo: blue, green, yellow, red; even steps in brightness.
    #[default]
    Turbo,
    /// The classic blue, cyan, yellow, red of MATLAB and OpenCV.
    Jet,
    /// Violet, green, yellow; perceptually uniform.
    Viridis,
    /// Black, red, yellow; perceptually uniform.
    Inferno,
    /// Black, magenta, cream; perceptually uniform.
    Magma,
    /// Blue, magenta, yellow; perceptually uniform.
    Plasma,
    /// Blue, grey, yellow; the same to eyes with and without colour blindness.
    Cividis,
}

impl Colormap {
    /// Every map, in the order in which a program cycles through them.
    pub const ALL: [Colormap; 7] = [
        Colormap::Turbo,
        Colormap::Jet,
        Colormap::Viridis,
        Colormap::Inferno,
        Colormap::Magma,
        Colormap::Plasma,
        Colormap::Cividis,
    ];

    /// The name that [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Colormap::Turbo => "turbo",
            Colormap::Jet => "jet",
            Colormap::Viridis => "viridis",
            Colormap::Inferno => "inferno",
            Colormap::Magma => "magma",
            Colormap::Plasma => "plasma",
            Colormap::Cividis => "cividis",
        }
    }

    /// The colour `[r, g, b]` of a heat 0..1; heat beyond is clipped.
    pub fn colour(self, heat: f32) -> [u8; 3] {
        let heat = f64::from(heat.clamp(0.0, 1.0));
        let gradient = match self {
            Colormap::Turbo => colorous::TURBO,
            Colormap::Jet => return jet(heat),
            Colormap::Viridis => colorous::VIRIDIS,
            Colormap::Inferno => colorous::INFERNO,
            Colormap::Magma => colorous::MAGMA,
            Colormap::Plasma => colorous::PLASMA,
            Colormap::Cividis => colorous::CIVIDIS,
        };
        gradient.eval_continuous(heat).as_array()
    }

    /// The 256 colours from cold to hot.
    pub fn table(self) -> [[u8; 3]; 256] {
        std::array::from_fn(|level| self.colour(level as f32 / 255.0))
    }
}

/// Three overlapping tents, a quarter of the range apart.
fn jet(heat: f64) -> [u8; 3] {
    [3.0, 2.0, 1.0].map(|peak| {
        let share = (1.5 - (4.0 * heat - peak).abs()).clamp(0.0, 1.0);
        (255.0 * share).round() as u8
    })
}

impl fmt::Display for Colormap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Colormap {
    type Err = RenderError;

    fn from_str(name: &str) -> Result<Colormap, RenderError> {
        Colormap::ALL
            .into_iter()
            .find(|map| map.name().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| RenderError::UnknownColormap { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for map in Colormap::ALL {
            assert_eq!(map.to_string().parse::<Colormap>().unwrap(), map);
        }
        assert_eq!("Turbo".parse::<Colormap>().unwrap(), Colormap::Turbo);
        let message = "hot".parse::<Colormap>().unwrap_err().to_string();
        assert!(message.contains("hot") && message.contains("viridis"), "{message}");
    }

    #[test]
    fn colours_are_the_published_ones() {
        assert_eq!(Colormap::Viridis.colour(0.0), [0x44, 0x01, 0x54]);
        assert_eq!(Colormap::Viridis.colour(1.0), [0xfd, 0xe7, 0x25]);
        assert_eq!(Colormap::Jet.colour(0.0), [0, 0, 128]);
        assert_eq!(Colormap::Jet.colour(0.5), [128, 255, 128]);
        assert_eq!(Colormap::Jet.colour(1.0), [128, 0, 0]);
        let [r, g, b] = Colormap::Turbo.colour(0.8);
        assert!(r > 200 && g < 160 && b < 60, "turbo is orange near the hot end");
    }

    #[test]
    fn heat_beyond_the_range_is_clipped() {
        for map in Colormap::ALL {
            assert_eq!(map.colour(-3.0), map.table()[0]);
            assert_eq!(map.colour(f32::INFINITY), map.table()[255]);
            map.colour(f32::NAN);
        }
    }
}
