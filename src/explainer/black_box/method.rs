//! The methods that ask.

use std::fmt;

use camloc_graph::explain::Ask;

/// A method that asks the network about many variants of one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// How much probability goes when a patch covers a place (Zeiler & Fergus 2014).
    Occlusion,
    /// Random masks weighted with the probability behind them (Petsiuk et al. 2018), as large as the picture.
    Rise,
    /// Channels weighted with the score of the picture behind them (Wang et al. 2020).
    ScoreCam,
    /// Channels weighted with how much of the score goes without them (Desai & Ramaswamy 2020).
    AblationCam,
}

impl Method {
    /// Every method, in the order in which they are listed.
    pub const ALL: [Method; 4] = [Method::Occlusion, Method::Rise, Method::ScoreCam, Method::AblationCam];

    /// Its name in the program, as in `--method rise`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Occlusion => "occlusion",
            Method::Rise => "rise",
            Method::ScoreCam => "scorecam",
            Method::AblationCam => "ablationcam",
        }
    }

    /// What it shows, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Method::Occlusion => "what is lost when a patch covers a place; many passes, any network",
            Method::Rise => "random masks weighted with what is seen behind them; many passes, any network",
            Method::ScoreCam => "channels weighted with what is seen behind them; many passes, no gradient",
            Method::AblationCam => {
                "channels weighted with what is lost without them; many passes, no gradient"
            }
        }
    }

    /// Whether it has a map of its own for each layer.
    pub fn has_layer(self) -> bool {
        self.ask() != Ask::Pictures
    }

    /// What it asks of the network.
    pub(super) fn ask(self) -> Ask {
        match self {
            Method::Occlusion | Method::Rise => Ask::Pictures,
            Method::ScoreCam => Ask::Layer,
            Method::AblationCam => Ask::Behind,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
