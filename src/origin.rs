//! What made a result: the model, the method, and where the model's nodes ran.

use std::cmp::Reverse;
use std::fmt;

/// What made the maps of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The model's title.
    pub model: String,
    /// The method, `cam refined` where its maps are refined.
    pub method: String,
    /// Whether the maps mark what speaks against their class, and not for it.
    pub against: bool,
    /// Where the model's nodes ran.
    pub placement: Placement,
    /// What is explained, `output[3,17]`, where it is a value of an output that holds no class scores. Scores are then that
    /// value itself, of any size.
    pub value: Option<String>,
    /// Whether the model is a detector, and the boxes are its own.
    pub detector: bool,
}

impl Origin {
    /// What stands beside a box of a class: `tiger cat 83 %`, or `against tiger cat 83 %`, with a `score` of 0..1. Of a value
    /// that is no class's score: `output[3,17] -4.25`.
    pub fn tag(&self, name: &str, score: f32) -> String {
        let against = if self.against { "against " } else { "" };
        if let Some(value) = &self.value {
            return format!("{against}{value} {score:.4}");
        }
        if score <= 0.005 {
            format!("{against}{name} < 1 %")
        } else {
            format!("{against}{name} {:.0} %", 100.0 * score)
        }
    }
}

/// As in `EfficientNet-Lite0 · cam · CUDA, 3 of 120 nodes on CPU`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {} · {}", self.model, self.method, self.placement)
    }
}

/// How many of a model's nodes each execution provider runs: what ONNX Runtime decided, not what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Providers as users know them (`CUDA`), each with its nodes; the one with most comes first.
    counts: Vec<(String, usize)>,
}

impl Placement {
    /// Counts nodes by the provider that each one runs on.
    pub fn count<'a>(providers: impl IntoIterator<Item = &'a str>) -> Placement {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for provider in providers {
            match counts.iter_mut().find(|(known, _)| known == provider) {
                Some((_, nodes)) => *nodes += 1,
                None => counts.push((provider.to_owned(), 1)),
            }
        }
        counts.sort_by_key(|(_, nodes)| Reverse(*nodes));
        Placement { counts }
    }

    /// The provider that runs most nodes; CPU for a model without any, which only hands its input on.
    pub fn provider(&self) -> &str {
        self.counts.first().map_or("CPU", |(provider, _)| provider)
    }

    /// Every provider that runs any, and how many; most come first.
    pub fn counts(&self) -> &[(String, usize)] {
        &self.counts
    }
}

/// As in `CUDA`, or `CUDA, 3 of 120 nodes on CPU`.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.counts.iter().map(|(_, nodes)| nodes).sum();
        f.write_str(self.provider())?;
        self.counts
            .iter()
            .skip(1)
            .try_for_each(|(other, nodes)| write!(f, ", {nodes} of {all} nodes on {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_run_elsewhere_are_told() {
        let placement = Placement::count(["CPU", "CUDA", "CUDA"]);
        assert_eq!(placement.provider(), "CUDA");
        assert_eq!(placement.to_string(), "CUDA, 1 of 3 nodes on CPU");
        assert_eq!(Placement::count(["CPU"; 4]).to_string(), "CPU");
        assert_eq!(Placement::count([]).to_string(), "CPU");
        let origin = Origin { model: "Net".into(), method: "cam".into(), placement, ..Origin::default() };
        assert_eq!(origin.to_string(), "Net · cam · CUDA, 1 of 3 nodes on CPU");
        assert_eq!(
            [0.834, 0.006, 0.004].map(|score| origin.tag("cat", score)),
            ["cat 83 %", "cat 1 %", "cat < 1 %"]
        );
        let against = Origin { against: true, ..origin };
        assert_eq!(against.tag("cat", 0.5), "against cat 50 %");
        let value = Origin { value: Some("boxes[3,17]".into()), ..Origin::default() };
        assert_eq!(value.tag("class 17", -4.25), "boxes[3,17] -4.2500");
    }
}
